# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history file on a disk: private, bounded, and readable whatever happened to it."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import history as edge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.history import HistoryFile
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Who

EVENT = Event(
    datetime(2026, 11, 21, tzinfo=timezone.utc),
    "1",
    Who(0, "root"),
    "web.service",
    "updated",
    None,
    None,
    "done",
    2.5,
    (),
)


def _numbered(number: int) -> Event:
    return replace(EVENT, run=str(number))


def test_without_a_file_there_is_no_history_and_nothing_is_made(tmp_path: Path) -> None:
    assert HistoryFile(tmp_path / "x").read() == ()
    HistoryFile(tmp_path / "x").add([])
    assert not (tmp_path / "x").exists()


def test_events_are_added_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    for number in range(3):
        HistoryFile(folder).add([_numbered(number)])
    assert HistoryFile(folder).read() == tuple(map(_numbered, range(3)))
    assert (folder / "history.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_crash_cut_costs_only_itself(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)
    file.add([_numbered(1), _numbered(2)])
    path = tmp_path / "history.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    file.add([_numbered(3)])
    assert file.read() == (_numbered(1), _numbered(3))


def test_it_never_grows_beyond_its_bound_and_keeps_the_newer_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "_LONGEST", 4000)
    file, path = HistoryFile(tmp_path), tmp_path / "history.jsonl"
    for number in range(100):
        file.add([_numbered(number)])
        assert path.stat().st_size <= 4000
        assert path.stat().st_mode & 0o777 == 0o600
    kept = [int(one.run) for one in file.read()]
    assert kept == list(range(kept[0], 100))
    assert len(kept) >= 5


def test_a_file_that_somebody_made_huge_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "_LONGEST", 4000)
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"x" * 100_000)
    HistoryFile(tmp_path).add([EVENT])
    assert HistoryFile(tmp_path).read() == (EVENT,)
    assert path.stat().st_size <= 4000


def test_runs_side_by_side_lose_nothing(tmp_path: Path) -> None:
    threads = [threading.Thread(target=HistoryFile(tmp_path).add, args=([_numbered(one)],)) for one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.run for one in HistoryFile(tmp_path).read()) == [str(one) for one in range(8)]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("precious")
    (tmp_path / "history.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(StateError, match="cannot be written"):
        HistoryFile(tmp_path).add([EVENT])
    assert (tmp_path / "other").read_text() == "precious"


def test_who_runs_it_is_told_with_the_user_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna\n")
    assert HistoryFile().who().sudo_user == "anna"
    monkeypatch.delenv("SUDO_USER")
    who = HistoryFile().who()
    assert (who.uid, who.sudo_user) == (os.geteuid(), None)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    assert HistoryFile().who().user == "4000000000"
