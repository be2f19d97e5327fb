# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Acting for users: what is theirs is touched by a child process that is them, never by root.

What a child answers may come from its user: they may stop or kill a process that is theirs. So an answer is bounded in size and
time, and whoever reads it believes no more than the user may say.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
import typing as t
from dataclasses import dataclass

from .._pure.errors import EngineError, InputError, MissingLibraryError
from .._pure.reasons import Reason

if t.TYPE_CHECKING:
    from .accounts import Account

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READ = 65536
_MOST_FRAMES = 20
#: What a task sets by C(environment) for registries: it is meant for whoever asks them.
_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "registry_auth_file", "docker_config")
_LOOK_AGAIN_SECONDS = 0.2
#: How long a child that is told to end may take to remove what it must.
_LAST_SECONDS = 10.0
_MOST_BYTES = 64 * 1024 * 1024
#: Three bytes of JSON can become a hundred bytes of Python, so bytes alone bound nothing.
_BYTES_FOR_A_VALUE = 10
_REASONS = {one.value: one for one in Reason}

Body = t.Callable[[], dict[str, t.Any]]


class NoAnswerError(EngineError):
    """The process that acts for a user was stopped, was killed, took too long, or said nothing that can be read."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Reason.NO_ANSWER)


@dataclass(frozen=True)
class Job:
    """What one child does, and for whom: None for the user that this process is. C(most) bounds the answer, in bytes."""

    account: Account | None
    body: Body
    most: int = _MOST_BYTES


#: What the body returned, or what it raised.
Answer = t.Union[dict[str, t.Any], Exception]


def run_as(account: Account, body: Body) -> dict[str, t.Any]:
    """Run C(body) as the user, in a process of its own, and hand on what it returns (JSON) or raises.

    Raises:
        InputError, EngineError, MissingLibraryError: What the body raised.
        NoAnswerError: The process ended without an answer.
        OSError: The body met a defect of ours; the message says where.
    """
    if account.uid == os.geteuid():
        return body()
    (answer,) = act([Job(account, body)], width=1, seconds=None)
    if isinstance(answer, Exception):
        raise answer
    return answer


def act(jobs: t.Sequence[Job], *, width: int, seconds: float | None) -> list[Answer]:
    """Run each job in a child of its own, C(width) at once, each for at most so many seconds; the answers in order."""
    answers: dict[int, Answer] = {}
    running: list[_Child] = []
    waiting = list(enumerate(jobs))
    try:
        while waiting or running:
            while waiting and len(running) < width:
                number, job = waiting.pop(0)
                running.append(_Child(number, job, seconds))
            _wait(running)
            for child in [one for one in running if one.is_over()]:
                running.remove(child)
                answers[child.number] = child.answer()
    finally:
        for child in running:
            child.end()
    return [answers[number] for number in range(len(jobs))]


def _wait(running: t.Sequence[_Child]) -> None:
    poll = select.poll()
    for child in running:
        poll.register(child.reader, select.POLLIN)
    poll.poll(_LOOK_AGAIN_SECONDS * 1000)


class _Child:
    """One process that acts for a user, from its start to its answer."""

    def __init__(self, number: int, job: Job, seconds: float | None) -> None:
        self.number = number
        self._job = job
        self._until = None if seconds is None else time.monotonic() + seconds
        self._said = bytearray()
        self._trouble = ""
        self._ended = False
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self._pid = os.fork()
        if self._pid == 0:  # pragma: no cover - another process
            os.close(self.reader)
            _be(job.account, writer, job.body)
        os.close(writer)

    def is_over(self) -> bool:
        """Whether nothing more is to be expected. It reads what is there, and ends a child that must not go on."""
        if not self._ended:
            # Looked at before the reading: what a child said before it ended is in the pipe then.
            ended, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED)
            self._ended = ended != 0 and not os.WIFSTOPPED(status)
            if ended and not self._ended:
                self._trouble = "it was stopped"
        silent = self._read()
        if len(self._said) > self._job.most:
            self._trouble = f"it said more than {self._job.most} bytes"
        elif self._until is not None and time.monotonic() > self._until and not (self._ended or silent):
            self._trouble = "it took too long"
        return bool(self._trouble) or self._ended or silent

    def answer(self) -> Answer:
        """What the child said; its process is gone afterwards."""
        self.end()
        if self._trouble:
            return NoAnswerError(f"the process that acts for the user gave no answer: {self._trouble}")
        return _understood(bytes(self._said), self._job.most // _BYTES_FOR_A_VALUE)

    def end(self) -> None:
        """See to it that the process is gone: it has answered, or is not waited for any longer."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1
        if self._ended:
            return
        until = time.monotonic() + _LAST_SECONDS
        os.kill(self._pid, signal.SIGTERM)
        os.kill(self._pid, signal.SIGCONT)
        while time.monotonic() < until and not self._ended:
            self._ended = os.waitpid(self._pid, os.WNOHANG)[0] != 0
            time.sleep(0 if self._ended else 0.01)
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._ended = True

    def _read(self) -> bool:
        """Take what is in the pipe; whether the other end is closed."""
        while len(self._said) <= self._job.most:
            try:
                part = os.read(self.reader, _READ)
            except BlockingIOError:
                return False
            if not part:
                return True
            self._said += part
        return False


def _be(account: Account | None, writer: int, body: Body) -> t.NoReturn:  # pragma: no cover
    """The child's whole life. It never returns, whatever happens: the parent's work is not its own."""
    try:
        answer = _answer(account, body)
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            json.dump(answer, pipe)
    finally:  # Also where nobody listens any more.
        os._exit(0)


def _answer(account: Account | None, body: Body) -> dict[str, t.Any]:  # pragma: no cover
    try:
        _close_standard_streams()
        if account is not None:
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


def _close_standard_streams() -> None:  # pragma: no cover
    """What the parent prints is its own: nobody else may add to it, or read what it is given."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)


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
    # What is imported from here on must not come from a folder of theirs: the memory may hold what is the parent's.
    sys.path[:] = [one for one in sys.path if one.startswith("/")]
    os.chdir(account.home if os.access(account.home, os.X_OK) else "/")
    os.umask(0o022)


def _understood(said: bytes, most: int) -> Answer:
    """The answer in a child's words, of at most so many values; whatever is not one is an error."""
    try:
        values = sum(said.count(sign) for sign in (b",", b"[", b"{"))
        told = json.loads(said) if values <= most else None
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        if isinstance(told.get("result"), dict):
            result: dict[str, t.Any] = told["result"]
            return result
        if isinstance(told.get("input"), str):
            return InputError(told["input"])
        if isinstance(told.get("library"), str) and isinstance(told.get("traceback"), str):
            return MissingLibraryError(told["library"], told["traceback"])
        if isinstance(told.get("crash"), str):
            return OSError(told["crash"])
        reason = _REASONS.get(str(told.get("reason")))
        if isinstance(told.get("engine"), str) and reason is not None:
            return EngineError(told["engine"], reason)
    return NoAnswerError("the process that acts for the user ended without an answer")
