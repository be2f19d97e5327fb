# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children that act for a user, who may be hostile to them: with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import accounts, acting
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.acting import Answer, Job, NoAnswerError, act
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import EngineError, InputError, UnitError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def _one(body: acting.Body, *, seconds: float | None = 20, most: int = 10_000) -> Answer:
    (answer,) = act([Job(None, body, most)], width=1, seconds=seconds)
    return answer


def _said(raw: bytes) -> Answer:
    """What comes of a child whose pipe holds these bytes, whoever wrote them."""
    return acting._understood(raw, 1000)


def test_answers_come_in_order_whoever_is_first_and_only_so_many_run_at_once() -> None:
    def body(number: int) -> acting.Body:
        def work() -> dict[str, t.Any]:
            begun = time.monotonic()
            time.sleep(0.3 if number % 2 else 0.1)
            return {"number": number, "begun": begun, "ended": time.monotonic(), "pid": os.getpid()}

        return work

    answers = act([Job(None, body(number)) for number in range(6)], width=3, seconds=20)
    told = [one for one in answers if isinstance(one, dict)]
    assert [one["number"] for one in told] == list(range(6))
    assert len({one["pid"] for one in told} | {os.getpid()}) == 7
    at_once = [sum(two["begun"] <= one["begun"] < two["ended"] for two in told) for one in told]
    assert max(at_once) in (2, 3)


def test_no_jobs_no_answers() -> None:
    assert act([], width=4, seconds=1) == []


def test_a_long_answer_is_read_while_the_child_writes_it() -> None:
    assert _one(lambda: {"text": "x" * 3_000_000}, most=4_000_000) == {"text": "x" * 3_000_000}


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (lambda: {"text": "x" * 100_000}, "said more"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "without an answer"),
        (lambda: os.kill(os.getpid(), signal.SIGSTOP), "stopped"),
        (lambda: time.sleep(60), "too long"),
    ],
)
def test_a_child_that_gives_no_answer_is_gone_and_does_not_hold_up_others(
    hostile: t.Callable[[], t.Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "_LAST_SECONDS", 0.5)
    begun = time.monotonic()
    bad, good = act([Job(None, hostile, 10_000), Job(None, lambda: {"pid": os.getpid()})], width=2, seconds=2)
    assert isinstance(good, dict)
    assert isinstance(bad, NoAnswerError)
    assert why in str(bad)
    assert time.monotonic() - begun < 5
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_child_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "_LAST_SECONDS", 0.3)

    def stubborn() -> dict[str, t.Any]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
        return {}

    assert isinstance(_one(stubborn, seconds=0.5), NoAnswerError)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_child_that_is_told_to_end_removes_what_it_must(tmp_path: t.Any) -> None:
    file = tmp_path / "secret"

    def work() -> dict[str, t.Any]:
        signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(1))
        file.write_text("x")
        try:
            time.sleep(60)
        finally:
            file.unlink()
        return {}

    assert isinstance(_one(work, seconds=1), NoAnswerError)
    assert not file.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b'{"result": 1}', b'{"result": {}', b'{"engine": "x", "reason": "made_up"}', b"\xff\xfe",
        b'{"engine": "x"}', b'{"engine": [], "reason": "tls"}', b'{"input": {}}', b'{"library": "dbus"}', b"[" * 100_000,
        b'{"result": {"a": [' + b"0," * 5000 + b"0]}}", b'{"crash": 1}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_an_error(raw: bytes) -> None:
    said = _said(raw)
    assert isinstance(said, NoAnswerError)
    assert said.reason is Reason.NO_ANSWER


def test_errors_come_as_what_they_are() -> None:
    error = _said(json.dumps({"engine": "down", "reason": "tls"}).encode())
    assert isinstance(error, EngineError)
    assert error.reason.value == "tls"
    assert isinstance(_said(b'{"input": "no"}'), InputError)

    def fail() -> dict[str, t.Any]:
        raise UnitError("down")

    assert isinstance(_one(fail), EngineError)


def test_what_a_child_prints_is_not_what_this_process_says() -> None:
    script = """
import os, sys
sys.path[:0] = sys.argv[1:]
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.acting import Job, act

def body():
    os.write(1, b'{"changed": true}')
    os.write(2, b"noise")
    return {"read": os.read(0, 100).decode()}

print(act([Job(None, body)], width=1, seconds=9))
"""
    paths = [one for one in sys.path if one]
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], input="secret", capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout, done.stderr) == ("[{'read': ''}]\n", "")


@_as_root
def test_nothing_is_imported_from_a_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = accounts.find("daemon")
    assert daemon is not None
    monkeypatch.setattr(sys, "path", ["", ".", *sys.path])
    (answer,) = act([Job(daemon, lambda: {"path": sys.path, "uid": os.geteuid()})], width=1, seconds=9)
    assert isinstance(answer, dict)
    assert answer["uid"] == daemon.uid
    assert all(one.startswith("/") for one in answer["path"])
