# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What the flow about unit files needs of the world."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .._pure.service_facts import ServiceFacts
    from .._pure.unit_styles import Folder, UnitFile


class Folders(t.Protocol):
    """The folders that unit files live in."""

    def path(self, folder: Folder, name: str) -> str:
        """Where a file is, or would be."""

    def owned(self, group: str) -> t.Mapping[tuple[Folder, str], str]:
        """Every file of the group, with its text."""

    def read(self, folder: Folder, name: str) -> str | None:
        """The text of a file, None where there is nothing, and an empty one where it is no readable text file."""

    def modified(self, path: str) -> float | None:
        """When the file at C(path) was written, in seconds since the epoch."""

    def write(self, folder: Folder, name: str, text: str, *, keep_time: bool) -> None:
        """Put the file there at once, whole; C(keep_time) lets it look as old as the one that it replaces."""

    def remove(self, folder: Folder, name: str) -> None:
        """Take the file away."""


class Manager(t.Protocol):
    """systemd's manager of the scope. What a command could not do is returned as text; it does not raise."""

    def facts(self, services: t.Sequence[str]) -> t.Mapping[str, ServiceFacts]:
        """The state of each of the units; empty where systemd does not answer."""

    def settled(self, services: t.Sequence[str]) -> t.Mapping[str, ServiceFacts]:
        """The same once systemd has come to an end with them, or some time has gone by."""

    def reload(self) -> str | None:
        """Read all unit files again."""

    def control(self, verb: str, services: t.Sequence[str]) -> str | None:
        """Start, stop, restart, enable or disable units, and wait for it."""


class Checker(t.Protocol):
    """What can tell whether systemd and Quadlet will take a file."""

    def check(self, files: t.Sequence[UnitFile]) -> None:
        """Raise InputError, with the tool's own words, where one of the files is not usable."""
