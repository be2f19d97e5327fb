# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers, as autoupdate_info tells it: with real files."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import state_folder
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.history import HistoryFile
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.state import StateFile
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.recalling import last_runs, recalled
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Passage, Who
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.holds import ImageHold, UserHold
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.intents import Intent, Piece
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.slots import Slot

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
OLD, NEW = ("sha256:" + digit * 64 for digit in "12")
WEB = "quay.io/team/web:1"
EVENT = Event(
    NOON, "1", Who(0, "root", "anna"), "web.service", "updated", None, None, "done", 2.5,
    (Passage("web", WEB, (OLD, None), (NEW, None)),),
)  # fmt: skip
SYSTEM = {"scope": "system", "user": None}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state_folder, "_default_path", lambda _environment: tmp_path / "state")
    return tmp_path / "state"


def _entries(told: dict[str, t.Any], key: str) -> list[dict[str, t.Any]]:
    assert told[key] is not None
    return list(told[key])


def test_a_host_that_remembers_nothing_says_so_and_nothing_is_made(folder: Path) -> None:
    told, warnings = recalled(None, 5)
    follows = told.pop("follows")
    assert told == {"holds": [], "slots": [], "runs": [], "plan": None, "intents": [], "interruptions": []}
    assert follows in (None, "registry", "plan")
    assert not warnings
    assert not folder.exists()


def test_all_that_is_remembered_is_told_with_whose_it_is(folder: Path) -> None:
    hold = ImageHold(WEB, Platform("linux", "amd64"), NEW, frozenset({OLD}), "web.service", "job_failed", NOON)
    ended = UserHold(unit="db*", until=datetime(2026, 1, 1, tzinfo=timezone.utc))
    person = UserHold(unit="shop*", reason="frozen")
    slot = Slot("web.service", WEB, 1, OLD, frozenset(), NOON)
    amd64 = Platform("linux", "amd64")
    piece = Piece("web", "c" * 64, "web.service", WEB, WEB, WEB, amd64, (OLD, None), (NEW, OLD))
    intent = Intent("f" * 32, 0, NOON, "web.service", ("web.service",), (piece,))
    StateFile(folder).change(
        lambda state: replace(state, holds=(hold, ended, person), slots=(slot,), intents=(intent,))
    )
    HistoryFile(folder).add([EVENT])
    told, warnings = recalled("anna", 5)

    assert not warnings
    anna = {"scope": "user", "user": "anna"}
    by_image, by_person = _entries(told, "holds")
    assert by_image.items() >= {**anna, "by": "image", "reference": WEB, "id": NEW, "reason": "job_failed"}.items()
    assert by_person.items() >= {**anna, "by": "user", "unit": "shop*", "reason": "frozen", "id": None}.items()
    assert set(by_image) == set(by_person)
    (kept,) = _entries(told, "slots")
    assert kept.items() >= {**anna, "unit": "web.service", "number": 1, "id": OLD, "name": slot.name}.items()
    moved = {
        "container": "web",
        "image": WEB,
        "before": {"id": OLD, "digest": None},
        "target": {"id": NEW, "digest": OLD},
    }
    said = {**anna, "unit": "web.service", "run": "f" * 32, "time": "2026-11-21T12:00:00Z", "changes": [moved]}
    assert told["intents"] == [said]
    (run,) = _entries(told, "runs")
    assert run["run"] == "1"
    assert run["by"] == {"uid": 0, "user": "root", "sudo_user": "anna"}


def test_the_last_runs_come_first_with_their_units_in_order() -> None:
    events = [
        replace(EVENT, run=str(number), unit=f"{letter}.service", time=NOON.replace(minute=number))
        for number in range(4)
        for letter in "ab"
    ]
    told = last_runs(events, 2, SYSTEM)
    assert [(run["run"], run["time"]) for run in told] == [("3", "2026-11-21T12:03:00Z"), ("2", "2026-11-21T12:02:00Z")]
    assert [unit["unit"] for unit in told[0]["units"]] == ["a.service", "b.service"]
    assert told[0]["units"][0]["changes"][0]["after"] == {"id": NEW, "digest": None}
    assert last_runs(events, 0, SYSTEM) == []
    assert len(last_runs(events, 9, SYSTEM)) == 4


def test_a_damaged_file_is_null_and_a_warning_and_the_rest_is_told(folder: Path) -> None:
    HistoryFile(folder).add([EVENT])
    (folder / "state.json").write_text('{"schema": 99}')
    told, warnings = recalled(None, 5)
    assert (told["holds"], told["slots"], told["intents"], len(told["runs"])) == (None, None, None, 1)
    (warning,) = warnings
    assert warning.startswith("state_invalid: ")
