# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts answer, read with nothing but their shape believed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_answers import (
    Answer,
    fallen,
    read_answer,
    read_looks,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.texts import harmless
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet import rollout_fleet as fleet


def _answer(registered: object) -> Answer:
    answer = read_answer(registered)
    assert answer is not None
    return answer


def _repair(error: str | None) -> dict[str, t.Any]:
    """An entry of what an interrupted run had left."""
    return {"scope": "user", "user": "kim", "unit": "web.service", "did": "undone", "error": error}


@pytest.mark.parametrize("registered", [None, {}, "text", {"skipped": True, "updates": []}])
def test_a_task_that_did_not_run_is_no_answer(registered: object) -> None:
    assert read_answer(registered) is None


@pytest.mark.parametrize(
    ("registered", "state", "verdict"),
    [
        (fleet.UNREACHABLE, "updated", "unreachable"),
        (fleet.BROKEN, "updated", "failed"),
        ({"changed": False}, "updated", "failed"),
        (fleet.answered(), "updated", "converged"),
        (fleet.answered(fleet.row("updated"), fleet.row("current"), fleet.row("pinned")), "updated", "converged"),
        (fleet.answered(fleet.row("updated"), fleet.row("rolled_back", "unhealthy")), "updated", "failed"),
        (fleet.answered(fleet.row("unknown", "tls"), fleet.row("held", "user_hold")), "updated", "failed"),
        (fleet.answered(fleet.row("held", "plan_drift"), fleet.row("pending", "job_running")), "updated", "held"),
        (fleet.answered(fleet.row("pending", "job_running")), "updated", "pending"),
        (fleet.answered(fleet.row("pending")), "staged", "staged"),
        (fleet.answered(fleet.row("rolled_back")), "rolled_back", "rolled_back"),
        (fleet.answered(fleet.row("failed", "slot_missing")), "rolled_back", "failed"),
        # What this release does not know is not taken for good.
        (fleet.answered(fleet.row("updated"), fleet.row("splendid")), "updated", "failed"),
        (fleet.answered(fleet.row("")), "staged", "failed"),
        ({**fleet.answered(fleet.row("updated")), "repaired": [_repair(None)]}, "updated", "converged"),
        ({**fleet.answered(fleet.row("updated")), "repaired": [_repair("it does not run")]}, "updated", "failed"),
        ({**fleet.answered(), "users": [{"user": "kim", "looked_at": False, "error": "no"}]}, "updated", "failed"),
        (
            {**fleet.answered(), "users": [{"user": "kim", "looked_at": False, "reason": "no_manager"}]},
            "updated",
            "converged",
        ),
    ],
)
def test_the_worst_row_decides(registered: object, state: str, verdict: str) -> None:
    answer = _answer(registered)
    assert answer.verdict(state) == verdict
    assert bool(answer.told(state)) == (
        verdict not in ("converged", "staged", "rolled_back") or bool(answer.error)
    ) or (registered == {"changed": False})


def test_only_few_rows_are_told() -> None:
    told = _answer(fleet.answered(*[fleet.row("failed", "tls")] * 5)).told("updated")
    assert told is not None
    assert told.count("because of tls") == 3
    assert told.endswith("; and 2 more")


@pytest.mark.parametrize("text", ["{{ x }}", "{% raw %}", "{# c #}", "{{{{", "a{%b", "\x1b[2J", "{\n{"])
def test_what_hosts_say_is_no_template_and_moves_no_cursor(text: str) -> None:
    shown = harmless(text)
    assert not any(mark in shown for mark in ("{{", "{%", "{#", "\x1b", "\n"))
    assert harmless(shown) == shown


@pytest.mark.parametrize(
    "rows", [["text"], [None], [{}], [{"unit": 3, "before": "x", "status": ["a"]}], [fleet.row("current")] * 10_001]
)
def test_rows_of_another_shape_are_a_failure(rows: list[t.Any]) -> None:
    assert _answer({"updates": rows}).verdict("updated") == "failed"


@pytest.mark.parametrize("odd", ["x", 1, {"a": 1}, [1, None, "x", []], [{"error": None}]])
def test_what_stands_beside_the_rows_may_have_any_shape(odd: object) -> None:
    answer = _answer({**fleet.answered(fleet.row("current")), "repaired": odd, "users": odd})
    assert answer.verdict("updated") == "converged"


def test_what_is_unknown_or_not_repaired_is_told() -> None:
    registered = {**fleet.answered(fleet.row("splendid {{ x }}")), "repaired": [_repair("it does {% not %} run")]}
    told = str(_answer(registered).told("updated"))
    assert "kim/web.service: an interrupted run left it, and its repair failed: it does { % not %} run" in told
    assert "its status 'splendid { { x }}' is none that this release knows" in told


_UPDATED = _answer(fleet.answered(fleet.row("updated")))


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (fleet.looked(), None),
        (fleet.looked(health="healthy"), None),
        (fleet.looked(unit_state=None), None),
        ({"workloads": []}, "not_running"),
        (fleet.looked(unit_state={"active_state": "failed"}), "not_running"),
        (fleet.looked(unit_state={"active_state": "activating"}), "not_running"),
        (fleet.looked("2"), "restarted_again"),
        (fleet.looked(started="2026-11-21T12:00:09Z"), "restarted_again"),
        (fleet.looked(running={"id": fleet.OLD}), "not_running"),
        (fleet.looked(health="unhealthy"), "unhealthy"),
        (fleet.UNREACHABLE, None),
    ],
)
def test_two_looks_tell_what_fell_between_them(last: object, reason: str | None) -> None:
    found = fallen(_UPDATED, "updated", read_looks(fleet.looked()) or {}, read_looks(last))
    assert [one.value for one, _text in found.values()] == ([reason] if reason else [])


def test_what_was_not_moved_is_not_judged() -> None:
    answer = _answer(fleet.answered(fleet.row("current"), fleet.row("rolled_back", "unhealthy")))
    assert fallen(answer, "updated", {}, {}) == {}


def test_what_was_gone_at_the_first_look_was_started_again() -> None:
    found = fallen(_UPDATED, "updated", {}, read_looks(fleet.looked()))
    assert list(found) == [(None, "web.service")]


@pytest.mark.parametrize("registered", [None, {}, fleet.UNREACHABLE, {"msg": "no"}, {"workloads": "x"}])
def test_no_look_is_none(registered: object) -> None:
    assert read_looks(registered) is None
