# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as one file: the same bytes for the same source, and one that Python really runs."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import engine_archive

_SOURCE = pathlib.Path(engine_archive.__file__).resolve().parents[1]


def test_the_same_source_makes_the_same_bytes(tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(_SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert engine_archive.engine_archive(copy) == engine_archive.engine_archive(_SOURCE)


def test_another_source_makes_other_bytes(tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(_SOURCE, copy)
    (copy / "_pure" / "texts.py").write_text("# other\n", encoding="utf-8")
    assert engine_archive.engine_archive(copy) != engine_archive.engine_archive(_SOURCE)


def test_nothing_of_ansible_is_in_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "engine.pyz"
    path.write_bytes(engine_archive.engine_archive(_SOURCE))
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "_ansible" in name]
        imports = [line for name in archive.namelist() for line in archive.read(name).decode().splitlines()]
    assert not [line for line in imports if line.startswith(("import ansible", "from ansible"))]


def test_python_runs_it_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "engine.pyz"
    path.write_bytes(engine_archive.engine_archive(_SOURCE))
    settings = tmp_path / "timer.json"
    settings.write_text('{"parallel": "many"}', encoding="utf-8")
    command = [sys.executable, "-I", str(path), str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (78, "")
    assert done.stdout == f'<3>{settings}: parallel must be a whole number, not "many"\n'
