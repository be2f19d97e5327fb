# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The process table, as far as ownership needs it."""

from __future__ import annotations

import os
import pathlib
import typing as t

from .._pure.ownership import Owner, owner_from_cgroup

#: No real file is longer: a handful of hierarchies with paths below PATH_MAX.
_LONGEST = 65536


class ProcFs:
    """C(/proc) of this host. C(user_manager) is the unit of the user whose own units count; None: the system's do."""

    def __init__(self, root: str = "/proc", user_manager: str | None = None) -> None:
        self._root = pathlib.Path(root)
        self._user_manager = user_manager

    def owner(self, pid: int) -> Owner | None:
        """The unit that owns a process; None where it is gone or has none."""
        if pid <= 0:
            return None
        try:
            with (self._root / str(pid) / "cgroup").open("rb") as file:
                text = file.read(_LONGEST)
        except OSError:
            return None
        return owner_from_cgroup(text.decode("utf-8", "replace"), self._user_manager)

    def pulling(self, names: t.Collection[str]) -> bool:
        """Whether a podman of this user pulls one of these names: killing its parent does not end it."""
        for folder in self._root.iterdir() if names else ():
            if not folder.name.isdigit():
                continue
            try:
                if folder.stat().st_uid != os.geteuid():
                    continue
                words = (folder / "cmdline").read_bytes()[:_LONGEST].split(b"\0")
            except OSError:
                continue  # It has ended meanwhile.
            if words[1:2] == [b"pull"] and words[-2:-1] and words[-2].decode("utf-8", "replace") in names:
                return True
        return False
