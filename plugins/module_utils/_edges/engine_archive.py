# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine as one file that Python runs: for hosts that update themselves, without Ansible."""

from __future__ import annotations

import io
import pathlib
import zipfile

#: What the engine is made of; the rest is for Ansible.
_ROOMS = ("_edges", "_engine", "_images", "_pure", "_units", "_update")
_PACKAGE = "podfleet_autoupdate"
_INTERPRETER = b"#!/usr/bin/python3\n"
_MAIN = f"""# SPDX-License-Identifier: GPL-3.0-or-later
import sys

from {_PACKAGE}._engine.unattended import main

sys.exit(main(sys.argv[1:], print))
"""


def engine_archive(source: pathlib.Path) -> bytes:
    """The file's content, from the folder C(module_utils): the same for the same source, wherever it is made.

    The files are stored, not compressed: releases of zlib differ in what they make of them.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        _add(archive, "__main__.py", _MAIN.encode())
        paths = [path for room in _ROOMS for path in sorted((source / room).rglob("*.py"))]
        names = [f"{_PACKAGE}/{path.relative_to(source).as_posix()}" for path in paths]
        # Python takes a folder for a package only where it has an entry of its own, or an __init__.py.
        for folder in sorted({str(parent) for name in names for parent in pathlib.PurePosixPath(name).parents} - {"."}):
            _add(archive, f"{folder}/", b"")
        for name, path in zip(names, paths):
            _add(archive, name, path.read_bytes())
    return _INTERPRETER + stream.getvalue()


def _add(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    entry = zipfile.ZipInfo(name)  # Of 1980, which is the same everywhere.
    entry.create_system = 3
    entry.external_attr = (0o40755 if name.endswith("/") else 0o100644) << 16
    archive.writestr(entry, body)
