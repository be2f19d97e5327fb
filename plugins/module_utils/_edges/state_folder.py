# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The folder in which this collection remembers: one process at a time, and files that a crash leaves old or new."""

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

_LOCK = "state.lock"
_BESIDE = ".new-"
_LOCK_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.05


class StateFolder:
    """The folder of the user who runs this process; C(path) is another place than theirs."""

    def __init__(self, path: pathlib.Path | None = None) -> None:
        self.path = path or _default_path(os.environ)

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Be the only process that writes here; the folder is made where it is missing.

        Raises:
            StateError: Another process keeps it (C(lock_busy)).
            OSError: It cannot be made, or written.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            until = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise StateError(f"{self.path} is in use by another process", Reason.LOCK_BUSY) from None
                    time.sleep(_LOOK_AGAIN_SECONDS)
            yield

    def tidy(self) -> None:
        """Remove what processes that were killed while they wrote have left.

        Raises:
            StateError: Another process keeps the folder (C(lock_busy)).
            OSError: It cannot be written.
        """
        if any(self.path.glob(f"{_BESIDE}*")):
            with self.alone():
                for left in self.path.glob(f"{_BESIDE}*"):
                    left.unlink(missing_ok=True)

    def replace(self, name: str, body: bytes) -> None:
        """Write beside the file and rename, each on the disk before the next (rename(2), fsync(2))."""
        descriptor, beside_name = tempfile.mkstemp(prefix=f"{_BESIDE}{name}-", dir=self.path)
        beside = pathlib.Path(beside_name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path / name)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _default_path(environment: t.Mapping[str, str]) -> pathlib.Path:
    """Root's place, or the user's own (XDG Base Directory Specification; a relative path there does not count)."""
    if os.geteuid() == 0:
        return pathlib.Path("/var/lib/podfleet-autoupdate")
    given = pathlib.Path(environment.get("XDG_STATE_HOME") or "")
    base = given if given.is_absolute() else pathlib.Path.home() / ".local" / "state"
    return base / "podfleet-autoupdate"
