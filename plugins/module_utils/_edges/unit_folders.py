# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The folders that unit files live in, of the system or of a user."""

from __future__ import annotations

import os
import stat
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._pure.unit_files import owner
from .._pure.unit_styles import Folder

_MODE = 0o644
#: A marker is far shorter.
_FIRST_LINE = 256
#: No file of ours is longer: a line has at most 1 MiB, and few are.
_LONGEST = 64 * 1024 * 1024
#: Where packages put their units; a file of ours with the same name comes before them.
_PACKAGES = ("/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")


def packaged(service: str, *, user: bool, places: t.Sequence[str] = _PACKAGES) -> str | None:
    """The file of a package that makes a unit of the same name, which one of ours would hide."""
    paths = (f"{place}/{'user' if user else 'system'}/{service}" for place in places)
    return next((path for path in paths if os.path.lexists(path)), None)


@dataclass(frozen=True)
class UnitFolders:
    """Where each kind of file belongs."""

    folders: t.Mapping[Folder, str]

    @classmethod
    def of_system(cls) -> UnitFolders:
        """The administrator's folders."""
        return cls(
            {
                Folder.SYSTEMD: "/etc/systemd/system",
                Folder.QUADLET: "/etc/containers/systemd",
                Folder.KUBE: "/etc/podfleet-autoupdate/kube",
            }
        )

    @classmethod
    def of_user(cls, home: str) -> UnitFolders:
        """A user's own folders."""
        return cls(
            {
                Folder.SYSTEMD: f"{home}/.config/systemd/user",
                Folder.QUADLET: f"{home}/.config/containers/systemd",
                Folder.KUBE: f"{home}/.config/podfleet-autoupdate/kube",
            }
        )

    def path(self, folder: Folder, name: str) -> str:
        """Where a file is, or would be."""
        return f"{self.folders[folder]}/{name}"

    def owned(self, group: str) -> dict[tuple[Folder, str], str]:
        """Every file of the group, with its text."""
        found = {}
        for folder, place in self.folders.items():
            for name in sorted(_names(place)):
                path = self.path(folder, name)
                if owner(_text(path, _FIRST_LINE) or "") == group:
                    found[folder, name] = _text(path, _LONGEST) or ""
        return found

    def read(self, folder: Folder, name: str) -> str | None:
        """The text of a file, None where there is nothing, and an empty one where it is no readable text file."""
        path = self.path(folder, name)
        if not os.path.lexists(path):
            return None
        return _text(path, _LONGEST) or ""

    def modified(self, path: str) -> float | None:
        """When the file was written, in seconds since the epoch."""
        try:
            return os.stat(path).st_mtime
        except OSError:
            return None

    def write(self, folder: Folder, name: str, text: str, *, keep_time: bool) -> None:
        """Put the file there at once, whole."""
        place = Path(self.folders[folder])
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        path = place / name
        old = os.stat(path) if keep_time else None
        # A suffix that neither systemd nor Quadlet reads.
        descriptor, draft = tempfile.mkstemp(prefix=".podfleet-", suffix=".draft", dir=place)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                os.fchmod(file.fileno(), _MODE)
                file.flush()
                os.fsync(file.fileno())
            if old:
                os.utime(draft, ns=(old.st_atime_ns, old.st_mtime_ns))
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def remove(self, folder: Folder, name: str) -> None:
        """Take the file away."""
        Path(self.path(folder, name)).unlink(missing_ok=True)


def _names(place: str) -> list[str]:
    try:
        return os.listdir(place)  # noqa: PTH208 (names only)
    except OSError:
        return []


def _text(path: str, most: int) -> str | None:
    """The beginning of a regular file, or None; links are nobody's files here."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most).decode("utf-8", "replace")
