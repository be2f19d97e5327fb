# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The state file on this host: read strictly, written so that a crash leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import tempfile
import time
import typing as t

from .._pure.errors import StateError
from .._pure.reasons import Reason
from .._pure.state import State, parse_state, render_state

_NAME = "state.json"
_LOCK = "state.lock"
#: No state that this collection writes comes near.
_LONGEST = 4 * 1024 * 1024
_LOCK_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.05


class StateFile:
    """The state of the user who runs this process; C(folder) is another place than theirs."""

    def __init__(self, folder: pathlib.Path | None = None) -> None:
        self._folder = folder or _default_folder(os.environ)
        self._path = self._folder / _NAME

    def read(self) -> State:
        """What is remembered; nothing where there is no file.

        Raises:
            StateError: The file cannot be read or used (C(state_invalid)).
        """
        try:
            with self._path.open("rb") as file:
                body = file.read(_LONGEST + 1)
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise StateError(f"{self._path} cannot be read: {error.strerror}") from None
        return parse_state(body, str(self._path))

    def change(self, change: t.Callable[[State], State]) -> State:
        """Replace what is remembered by what C(change) makes of it; one process at a time.

        Raises:
            StateError: The file cannot be read, used or written (C(state_invalid)), or another process keeps it
                (C(lock_busy)).
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                before = self.read()
                after = change(before)
                if after != before:
                    self._write(render_state(after))
                return after
        except OSError as error:
            raise StateError(f"{self._path} cannot be written: {error.strerror}") from None

    @contextlib.contextmanager
    def _alone(self) -> t.Iterator[None]:
        with (self._folder / _LOCK).open("w") as lock:
            until = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise StateError(f"{self._path} is in use by another process", Reason.LOCK_BUSY) from None
                    time.sleep(_LOOK_AGAIN_SECONDS)
            yield

    def _write(self, body: bytes) -> None:
        """Write beside the file and rename, each on the disk before the next (rename(2), fsync(2))."""
        descriptor, name = tempfile.mkstemp(prefix=f".{_NAME}-", dir=self._folder)
        beside = pathlib.Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _default_folder(environment: t.Mapping[str, str]) -> pathlib.Path:
    """Root's place, or the user's own (XDG Base Directory Specification; a relative path there does not count)."""
    if os.geteuid() == 0:
        return pathlib.Path("/var/lib/podfleet-autoupdate")
    given = pathlib.Path(environment.get("XDG_STATE_HOME") or "")
    base = given if given.is_absolute() else pathlib.Path.home() / ".local" / "state"
    return base / "podfleet-autoupdate"
