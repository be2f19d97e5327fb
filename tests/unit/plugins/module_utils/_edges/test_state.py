# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state file on a disk: absent, damaged, changed by several at once, and never half written."""

from __future__ import annotations

import fcntl
import os
import threading
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import state_folder
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.state import StateFile
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import ImageHold, State, UserHold

HOLD = UserHold("quay.io/team/web:1")


def _hold(state: State) -> State:
    return replace(state, holds=(*state.holds, HOLD))


def test_without_a_file_nothing_is_remembered_and_reading_makes_none(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert StateFile(folder).read() == State()
    assert not folder.exists()


def test_what_was_changed_is_there_for_the_next_one_and_for_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    assert StateFile(folder).change(_hold) == State((HOLD,))
    assert StateFile(folder).read() == State((HOLD,))
    assert sorted(path.name for path in folder.iterdir()) == ["state.json", "state.lock"]
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_no_change_writes_nothing(tmp_path: Path) -> None:
    StateFile(tmp_path).change(lambda state: state)
    assert not (tmp_path / "state.json").exists()


@pytest.mark.parametrize("body", [b"", b'{"schema": 1, "ho', b'{"schema": 2}', b"x" * (4 * 1024 * 1024 + 1)])
def test_a_file_that_cannot_be_used_is_never_rewritten(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(body)
    for use in (StateFile(tmp_path).read, lambda: StateFile(tmp_path).change(_hold)):
        with pytest.raises(StateError, match=r"state\.json cannot be used") as caught:
            use()
        assert caught.value.reason is Reason.STATE_INVALID
    assert path.read_bytes() == body


@pytest.mark.parametrize(
    "strange",
    [
        ImageHold("quay.io/team/web:1", Platform("linux", "a/b/c"), f"sha256:{'1' * 64}"),
        UserHold("", "x" * 301),
        *[tuple(UserHold(f"quay.io/team/{number}:1", reason="x" * 300) for number in range(11_000))],
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, strange: t.Any) -> None:
    StateFile(tmp_path).change(_hold)
    more = strange if isinstance(strange, tuple) else (strange,)
    with pytest.raises(StateError, match=r"state\.json stays as it is") as caught:
        StateFile(tmp_path).change(lambda state: replace(state, holds=(*state.holds, *more)))
    assert caught.value.reason is Reason.STATE_INVALID
    assert StateFile(tmp_path).read() == State((HOLD,))


def test_a_folder_in_the_place_of_the_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(StateError, match="cannot be read: Is a directory"):
        StateFile(tmp_path).read()
    (tmp_path / "other").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        StateFile(tmp_path / "other").change(_hold)


def test_a_write_that_dies_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = StateFile(tmp_path)
    file.change(_hold)

    def die(_descriptor: int) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(StateError, match="No space left on device"):
        file.change(_hold)
    assert file.read() == State((HOLD,))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json", "state.lock"]


def test_changes_side_by_side_lose_nothing(tmp_path: Path) -> None:
    threads = [threading.Thread(target=StateFile(tmp_path).change, args=(_hold,)) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(StateFile(tmp_path).read().holds) == len(threads)


def test_who_waits_too_long_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_folder, "_LOCK_SECONDS", 0.1)
    with (tmp_path / "state.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="in use by another process") as caught:
            StateFile(tmp_path).change(_hold)
    assert caught.value.reason is Reason.LOCK_BUSY


@pytest.mark.parametrize(
    ("given", "place"), [("/srv/state", "/srv/state"), ("state", ".local/state"), ("", ".local/state")]
)
def test_a_users_state_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, given: str, place: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_STATE_HOME", given)
    assert StateFile()._path == Path("/home/somebody", place, "podfleet-autoupdate", "state.json")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert StateFile()._path == Path("/var/lib/podfleet-autoupdate/state.json")


def test_what_a_killed_process_left_unfinished_is_tidied_away(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state")
    file.tidy()
    assert not (tmp_path / "state").exists()
    file.change(_hold)
    (tmp_path / "state" / ".new-state.json-x").write_bytes(b"half")
    (tmp_path / "state" / ".new-history.jsonl-y").write_bytes(b"half")
    file.tidy()
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["state.json", "state.lock"]
    assert file.read() == State((HOLD,))
