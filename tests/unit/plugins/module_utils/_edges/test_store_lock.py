# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a store: one holder, who is named; it ends with its process, and others see whether somebody held it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import store_lock
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.store_lock import StoreLock
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import BusyError, StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_HOLDER = """
import pathlib, signal, sys, time
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.store_lock import StoreLock
signal.signal(signal.SIGINT, signal.default_int_handler)  # Ignored where the tests run in a shell's background.
with StoreLock("somebody", pathlib.Path(sys.argv[1])).held(5):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "store.lock"


@pytest.fixture
def holder(path: Path) -> t.Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], env=environment, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_it_is_made_for_this_user_alone_and_stays(path: Path) -> None:
    with StoreLock("it", path).held(0):
        record = json.loads(path.read_text())
        assert (record["pid"], record["caller"]) == (os.getpid(), "it")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["since"])
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(json.loads(path.read_text())) == ["free"]


def test_who_comes_too_late_is_told_who_holds_it(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(BusyError) as caught, StoreLock("it", path).held(0.2):
        pass
    assert caught.value.reason is Reason.LOCK_BUSY
    assert re.search(rf"somebody, process {holder.pid}, since 20\d\d-.*Z; waited 0 s", str(caught.value))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_holder_whatever_that_left_in_it(
    path: Path, holder: subprocess.Popen[str], ending: signal.Signals
) -> None:
    started = time.monotonic()
    threading.Timer(0.3, holder.send_signal, (ending,)).start()
    with StoreLock("it", path).held(30):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert 0.2 < time.monotonic() - started < 20


def test_it_is_told_whether_somebody_held_it_since(path: Path) -> None:
    mine, other = StoreLock("it", path), StoreLock("other", path)
    never = mine.glance()
    with mine.held(0, never) as undisturbed:
        assert undisturbed
        assert other.glance() is None
    for disturbed in (never, None, b""):
        with mine.held(0, disturbed) as undisturbed:
            assert not undisturbed
    free = mine.glance()
    assert free is not None
    assert free == other.glance()
    with mine.held(0, free) as undisturbed:
        assert undisturbed
    with other.held(0):
        pass
    with mine.held(0, free) as undisturbed:
        assert not undisturbed


def test_after_a_killed_holder_nobody_relies_on_what_it_saw(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert StoreLock("it", path).glance() is None


def test_a_child_that_outlives_the_holder_keeps_nobody_out(path: Path) -> None:
    reader, writer = os.pipe()
    with StoreLock("it", path).held(0):
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
    with StoreLock("other", path).held(0):
        pass
    os.close(writer)
    os.close(reader)
    os.waitpid(child, 0)


def test_a_file_that_was_taken_away_locks_nobody_in(path: Path) -> None:
    with StoreLock("it", path).held(0):
        path.unlink()
        other, third = StoreLock("other", path).held(0), StoreLock("third", path).held(0)
        with other, pytest.raises(BusyError, match="other, process"), third:
            pass


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"pid": null}', b"[" * 100_000, b'{"pid": "\\u001b[2J", "caller": 1}']
)
def test_whatever_stands_in_it_is_shown_harmlessly(path: Path, body: bytes) -> None:
    first = StoreLock("first", path)
    with first.held(0):
        path.write_bytes(body)
        with pytest.raises(BusyError) as caught, StoreLock("it", path).held(0):
            pass
        assert str(caught.value).isprintable()
        assert first.glance() is None


def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    target = tmp_path / "target"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(StateError, match="cannot be written"), StoreLock("it", path).held(0):
        pass
    assert target.read_text() == "precious"


def test_without_a_runtime_folder_it_lies_beside_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock.os, "geteuid", lambda: 4_000_000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with StoreLock("it").held(0):
        assert (tmp_path / "podfleet-autoupdate" / "store.lock").is_file()


def test_who_holds_it_is_told_without_waiting(path: Path) -> None:
    looks = StoreLock("look", path)
    assert looks.holder() is None
    assert not path.exists()
    with StoreLock("it", path).held(0):
        assert str(looks.holder()).startswith(f"it, process {os.getpid()}, since ")
    assert looks.holder() is None
    with StoreLock("it", path).held(0):
        pass


def test_what_a_killed_process_wrote_there_holds_nothing(path: Path, holder: subprocess.Popen[str]) -> None:
    assert f"process {holder.pid}" in str(StoreLock("look", path).holder())
    holder.kill()
    holder.wait()
    assert "somebody" in path.read_text()
    assert StoreLock("look", path).holder() is None


def test_a_folder_that_others_remove_while_it_is_empty_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir, removed = Path.mkdir, []

    def made_and_removed(folder: Path, *given: t.Any, **options: t.Any) -> None:
        mkdir(folder, *given, **options)
        if folder == path.parent and len(removed) < 3:
            removed.append(folder)
            folder.rmdir()

    monkeypatch.setattr(Path, "mkdir", made_and_removed)
    with StoreLock("it", path).held(0):
        assert len(removed) == 3
