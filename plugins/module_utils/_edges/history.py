# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The history file on this host: lines are added, and when it has grown the older half goes."""

from __future__ import annotations

import os
import pwd
import typing as t

from .._pure import history
from .._pure.errors import StateError
from .._pure.history import Event, Who
from .state_folder import StateFolder

if t.TYPE_CHECKING:
    import pathlib

_NAME = "history.jsonl"
#: About two thousand events.
_LONGEST = 1024 * 1024


class HistoryFile:
    """The history of the user who runs this process; C(folder) is another place than theirs."""

    def __init__(self, folder: pathlib.Path | None = None) -> None:
        self._folder = StateFolder(folder)
        self._path = self._folder.path / _NAME

    def read(self) -> tuple[Event, ...]:
        """All events that can be read, oldest first; nothing where there is no file.

        Raises:
            StateError: The file cannot be read.
        """
        try:
            return history.events(self._body())
        except OSError as error:
            raise StateError(f"{self._path} cannot be read: {error.strerror}") from None

    def add(self, events: t.Sequence[Event]) -> None:
        """Add events. A line that a crash left unfinished is closed first, so that it costs only itself.

        Raises:
            StateError: The file cannot be written, or another process keeps it.
        """
        lines = b"".join(map(history.line, events))
        if not lines:
            return
        try:
            with self._folder.alone():
                self._add(lines)
        except OSError as error:
            raise StateError(f"{self._path} cannot be written: {error.strerror}") from None

    def who(self) -> Who:
        """Who runs this: Ansible's C(become) leaves the name of the user who logged in, in SUDO_USER."""
        uid = os.geteuid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        sudo_user = "".join(one for one in os.environ.get("SUDO_USER", "") if one.isprintable())[:64]
        return Who(uid, name, sudo_user or None)

    def _add(self, lines: bytes) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            unfinished = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            if size + len(lines) <= _LONGEST:
                file.write(b"\n" + lines if unfinished else lines)
                os.fsync(file.fileno())
                return
        kept = history.newer_half(self._body())
        kept += b"" if not kept or kept.endswith(b"\n") else b"\n"
        self._folder.replace(_NAME, (kept + lines)[-_LONGEST:].lstrip(b"\n"))

    def _body(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 2 * _LONGEST))
                return file.read(2 * _LONGEST)
        except FileNotFoundError:
            return b""
