# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Other users: what is theirs is touched by a child process that is them, never by root."""

from __future__ import annotations

import json
import os
import pwd
import signal
import traceback
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._pure.errors import EngineError, InputError, MissingLibraryError
from .._pure.reasons import Reason

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READ = 65536
_MOST_FRAMES = 20
#: What a task sets by C(environment) for registries: it is meant for whoever asks them.
_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "registry_auth_file", "docker_config")


@dataclass(frozen=True)
class Account:
    """A user of the host."""

    name: str
    uid: int
    gid: int
    home: str

    @property
    def manager(self) -> str:
        """The system's unit that is this user's own service manager."""
        return f"user@{self.uid}.service"

    @property
    def runtime_folder(self) -> str:
        """Where logind puts what lives as long as the user is there."""
        return f"/run/user/{self.uid}"


def find(name: str) -> Account | None:
    """The user of that name, or None."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def current() -> Account:
    """The user that this process is."""
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def has_subordinate_ids(account: Account) -> bool:
    """Whether the host's files give the user other IDs to run containers with (subuid(5), subgid(5))."""
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return False
        if not any(line.startswith((f"{account.name}:", f"{account.uid}:")) for line in lines):
            return False
    return True


def run_as(account: Account, body: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Run C(body) as the user, in a process of its own, and hand on what it returns (JSON) or raises.

    Raises:
        InputError, EngineError, MissingLibraryError: What the body raised.
        OSError: The process ended without an answer.
    """
    if account.uid == os.geteuid():
        return body()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.close(reader)
        _be(account, writer, body)
    os.close(writer)
    try:
        answer = _read(reader)
    finally:
        os.close(reader)
        _end(child)
    return _opened(answer)


def _be(account: Account, writer: int, body: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:  # pragma: no cover
    """The child's whole life. It never returns, whatever happens: the parent's work is not its own."""
    try:
        answer = _answer(account, body)
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            json.dump(answer, pipe)
    finally:  # Also where nobody listens any more.
        os._exit(0)


def _answer(account: Account, body: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:  # pragma: no cover
    try:
        _become(account)
        return {"result": body()}
    except InputError as error:
        return {"input": str(error)}
    except EngineError as error:
        return {"engine": str(error), "reason": error.reason.value}
    except MissingLibraryError as error:
        return {"library": error.library, "traceback": error.traceback}
    except BaseException as error:  # noqa: BLE001 (the parent reports it)
        # Without the lines of source: they are root's, and trying to read them may fail in its own ways.
        frames = list(traceback.walk_tb(error.__traceback__))[-_MOST_FRAMES:]
        places = [f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in frames]
        return {"crash": "\n".join([*places, repr(error)])}


def _become(account: Account) -> None:  # pragma: no cover
    os.initgroups(account.name, account.gid)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    passed_on = {name: value for name, value in os.environ.items() if name.lower() in _PASSED_ON}
    os.environ.clear()
    os.environ.update(
        passed_on,
        HOME=account.home,
        USER=account.name,
        LOGNAME=account.name,
        PATH=_PATH,
        XDG_RUNTIME_DIR=account.runtime_folder,
    )
    os.chdir(account.home if os.access(account.home, os.X_OK) else "/")
    os.umask(0o022)


def _read(descriptor: int) -> bytes:
    parts: list[bytes] = []
    while True:
        part = os.read(descriptor, _READ)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _end(child: int) -> None:
    """The child has answered, or is not waited for any longer."""
    ended, _status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def _opened(answer: bytes) -> dict[str, t.Any]:
    try:
        told: dict[str, t.Any] = json.loads(answer)
    except ValueError:
        raise OSError("the process that acts for the user ended without an answer") from None
    if "result" in told:
        result: dict[str, t.Any] = told["result"]
        return result
    if "input" in told:
        raise InputError(told["input"])
    if "engine" in told:
        raise EngineError(told["engine"], next(one for one in Reason if one.value == told["reason"]))
    if "library" in told:
        raise MissingLibraryError(told["library"], told["traceback"])
    raise OSError(told["crash"])
