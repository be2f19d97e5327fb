# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What of a host's unit files differs from what they should be."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._pure.errors import InputError
from .._pure.unit_files import owner, without_install
from .._pure.unit_styles import Folder, Rendered, UnitFile

if t.TYPE_CHECKING:
    from .protocols import Folders

_SUFFIXES = {".container": ".service", ".kube": ".service", ".pod": "-pod.service"}


@dataclass(frozen=True)
class Change:
    """One file that is to be written (C(after) is its text) or taken away (C(after) is None)."""

    folder: Folder
    name: str
    path: str
    before: str | None
    after: str | None

    @property
    def matters(self) -> bool:
        """Whether what runs now is not what the file says."""
        if self.before is None or self.after is None:
            return True
        if self.folder is Folder.KUBE:
            return True
        return without_install(self.before) != without_install(self.after)


@dataclass(frozen=True)
class Changes:
    """All of them. C(going) are the units that lose their file, for good or for another style's."""

    writes: tuple[Change, ...]
    removals: tuple[Change, ...]
    going: tuple[str, ...]

    def of(self, files: t.Iterable[UnitFile]) -> list[Change]:
        """The writes that concern some files."""
        keys = {(file.folder, file.name) for file in files}
        return [change for change in self.writes if (change.folder, change.name) in keys]

    def __bool__(self) -> bool:
        return bool(self.writes or self.removals)


def find_changes(units: t.Sequence[Rendered], folders: Folders, group: str) -> Changes:
    """Compare what should be with what is there.

    Raises:
        InputError: A file that is not the group's own stands where one of the files belongs.
    """
    wanted = {(file.folder, file.name): file for unit in units for file in unit.files}
    for unit in units:
        if any(file.folder is Folder.QUADLET for file in unit.files):
            for service in unit.services:  # systemd would take such a file, and never see what Quadlet makes.
                _refuse_foreign(folders, group, Folder.SYSTEMD, service)
    writes = []
    for (folder, name), file in wanted.items():
        before = _refuse_foreign(folders, group, folder, name)
        path = folders.path(folder, name)
        if before != file.text:
            writes.append(Change(folder, name, path, before, file.text))
    removals = [
        Change(folder, name, folders.path(folder, name), text, None)
        for (folder, name), text in sorted(folders.owned(group).items())
        if (folder, name) not in wanted
    ]
    going = {_service(change.folder, change.name) for change in removals} - {None}
    return Changes(tuple(writes), tuple(removals), tuple(sorted(name for name in going if name)))


def _refuse_foreign(folders: Folders, group: str, folder: Folder, name: str) -> str | None:
    """The text of a file that is the group's own, None where there is none."""
    text = folders.read(folder, name)
    if text is not None and owner(text) != group:
        raise InputError(f"{folders.path(folder, name)} is there already and {_whose(owner(text))}; it is left alone")
    return text


def _whose(group: str | None) -> str:
    return "was not made by this collection" if group is None else f"belongs to the group {group}"


def _service(folder: Folder, name: str) -> str | None:
    """The unit that a file of ours makes."""
    if folder is Folder.SYSTEMD:
        return name
    for suffix, ending in _SUFFIXES.items():
        if name.endswith(suffix):
            return name[: -len(suffix)] + ending
    return None
