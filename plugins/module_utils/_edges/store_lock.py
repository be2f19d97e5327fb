# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The lock of one podman store: whoever tags, restarts or prunes holds it. It ends with the process that holds it.

It lies where nothing outlives the boot, so it needs neither the store's disk nor the folder of the state. Its content tells
who holds it; the lock itself is flock(2)'s, so that what a killed process wrote there keeps nobody out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import time
import typing as t
import uuid
from datetime import datetime, timezone

from .._pure import moments
from .._pure.errors import BusyError, StateError
from .._pure.reasons import Reason
from .._pure.texts import printable
from .state_folder import StateFolder

_FOLDER = "podfleet-autoupdate"
_NAME = "store.lock"
_LONGEST = 4096
_LOOK_AGAIN_SECONDS = 0.1
_MOST_TRIES = 100


class StoreLock:
    """The lock of the store of the user who runs this process, for C(caller); C(path) is another file than theirs."""

    def __init__(self, caller: str, path: pathlib.Path | None = None) -> None:
        self._caller = caller
        self._path = path or _default_path()

    def glance(self) -> bytes | None:
        """What tells L(held) whether somebody held it since; None where somebody may hold it now."""
        try:
            with self._path.open("rb") as file:
                body = file.read(_LONGEST)
        except FileNotFoundError:
            return b""
        except OSError:
            return None
        return body if _field(body, "free") else None

    def holder(self) -> str | None:
        """Who holds it now, in words for people; None where nobody does. It is let go of at once."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except BlockingIOError:
            return _holder(os.pread(descriptor, _LONGEST, 0))
        finally:
            os.close(descriptor)
        return None

    @contextlib.contextmanager
    def held(self, seconds: float, glanced: bytes | None = None) -> t.Iterator[bool]:
        """Hold it, waiting C(seconds) at most. Gives whether nobody did since C(glanced) was seen.

        Raises:
            BusyError: Somebody else holds it (C(lock_busy)); the message says who.
            StateError: There is no place for it.
        """
        descriptor = self._taken(seconds)
        try:
            before = os.pread(descriptor, _LONGEST, 0)
            since = moments.written(datetime.now(timezone.utc))
            _write(descriptor, {"pid": os.getpid(), "caller": self._caller, "since": since})
            yield glanced is not None and before == glanced
        finally:
            _write(descriptor, {"free": uuid.uuid4().hex})
            # By itself closing does not do, should a child have been forked meanwhile (flock(2)).
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _taken(self, seconds: float) -> int:
        started = time.monotonic()
        while True:
            descriptor = self._opened()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_still(descriptor):
                    return descriptor
            except BlockingIOError:
                if time.monotonic() - started >= seconds:
                    holder = _holder(os.pread(descriptor, _LONGEST, 0))
                    os.close(descriptor)
                    raise BusyError(
                        f"another run of this collection works on the same containers: {holder}; waited {seconds:.0f} s",
                        Reason.LOCK_BUSY,
                    ) from None
                time.sleep(_LOOK_AGAIN_SECONDS)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        tries = _MOST_TRIES
        while True:
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                return os.open(self._path, flags, 0o600)
            except OSError as error:
                tries -= 1
                # While the folder is empty, whoever had the last private file there removes it.
                if tries == 0 or not isinstance(error, FileNotFoundError):
                    raise StateError(f"{self._path} cannot be written: {error.strerror}") from None

    def _is_still(self, descriptor: int) -> bool:
        """Whether the file that is locked is the one that others will open: somebody may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False


def _default_path() -> pathlib.Path:
    """In the runtime folder, whatever the environment says of it: all of one user's processes must meet here."""
    uid = os.geteuid()
    if uid == 0:
        return pathlib.Path("/run", _FOLDER, _NAME)
    runtime = pathlib.Path("/run/user", str(uid))
    try:
        if runtime.stat().st_uid == uid:
            return runtime / _FOLDER / _NAME
    except OSError:
        pass  # A user who is not logged in and does not linger has none.
    return StateFolder().path / _NAME


def _write(descriptor: int, record: t.Mapping[str, object]) -> None:
    """Say something in the file. Where there is no room, it says nothing, and so does whoever reads it."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)


def _field(body: bytes, name: str) -> str:
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return printable(str(record.get(name, "")))[:80] if isinstance(record, dict) else ""


def _holder(body: bytes) -> str:
    caller, pid, since = (_field(body, name) for name in ("caller", "pid", "since"))
    return f"{caller}, process {pid}, since {since}" if pid else "it does not say which"
