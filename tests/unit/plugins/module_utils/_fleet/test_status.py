# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a fleet is, by what the registries told and by a plan."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.status import FleetStatus, Meant, status
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet.fleet import (
    AMD64,
    BROKEN,
    DB,
    NEW,
    NEW_DIGEST,
    UNREACHABLE,
    WEB,
    answer,
    host,
    new_row,
    result,
    row,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet.test_planning import planned

_WORDS = ("converged", "pending", "unknown", "held", "failed", "unreachable")
_HOLD = {"by": "image", "reference": WEB, "platform": AMD64, "id": NEW, "digests": []}


def _by_answers(told: t.Mapping[str, object], *results: object) -> FleetStatus:
    return status(read_reports(told), NOTHING_TOLD.with_results(results or [result("a", answer())]))


def _where(found: FleetStatus, reference: str = WEB) -> dict[str, list[str]]:
    """The words that have hosts, for one reference."""
    (one,) = (entry for entry in found.to_result()["references"] if entry["reference"] == reference)
    return {word: one[word] for word in _WORDS if one[word]}


def test_a_fleet_on_its_targets_is_converged() -> None:
    found = _by_answers({"a": host(new_row()), "b": host(new_row(), row("p", pinned=True))})
    assert (found.converged, _where(found)) == (True, {"converged": ["a", "b"]})
    assert found.to_result()["references"][0]["digest"] == NEW_DIGEST
    assert found.to_result()["msg"] == "2 hosts: 2 converged. The fleet is converged."


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (host(row()), "pending"),
        (host(row(), holds=[_HOLD]), "held"),
        (host(row(unit_state={"active_state": "failed"})), "failed"),
        (host(new_row(unit_state={"active_state": "failed"})), "failed"),
        (host(new_row(), row("two")), "pending"),
        (host(row("two"), row(unit_state={"active_state": "failed"}), holds=[_HOLD]), "failed"),
    ],
)
def test_a_host_that_is_not_there_yet_has_the_worst_of_its_containers(told: dict[str, t.Any], word: str) -> None:
    found = _by_answers({"a": told, "b": host(new_row())})
    assert (found.converged, _where(found)) == (False, {"converged": ["b"], word: ["a"]})
    assert {one: count for one, count in found.to_result()["summary"].items() if count} == {"converged": 1, word: 1}
    assert f"{WEB}: {word}: a" in found.to_result()["table"]


def test_what_no_registry_told_is_unknown() -> None:
    found = _by_answers({"a": host(new_row())}, result("a", answer(remote=None, reason="tls")))
    assert (found.converged, _where(found)) == (False, {"unknown": ["a"]})


@pytest.mark.parametrize(("answered", "word"), [(UNREACHABLE, "unreachable"), (BROKEN, "failed"), (None, "failed")])
def test_a_host_that_tells_nothing_is_not_converged(answered: object, word: str) -> None:
    found = _by_answers({"a": host(new_row()), "b": answered})
    assert (found.converged, found.to_result()[word][0]["host"]) == (False, "b")
    assert found.to_result()["summary"][word] == 1


def test_a_container_that_would_be_refused_is_not_converged() -> None:
    found = _by_answers({"a": host(new_row(), row("odd", reason="unit_mismatch", error="not its unit"))})
    assert (found.converged, found.to_result()["refused"][0]["container"]) == (False, "odd")
    assert "a: odd: unit_mismatch: not its unit" in found.to_result()["table"]
    assert found.to_result()["summary"]["failed"] == 1


def test_no_host_at_all_is_no_success_and_a_host_without_containers_is() -> None:
    assert not status((), NOTHING_TOLD).converged
    assert status(read_reports({"a": host()}), NOTHING_TOLD).converged


def test_a_plan_judges_without_any_registry() -> None:
    plan = planned({"a": host(row()), "b": host(new_row())}, result("a", answer())).document
    found = status(read_reports({"a": host(new_row()), "b": host(new_row())}), NOTHING_TOLD, plan)
    assert (found.converged, found.to_result()["plan"]) == (True, plan["id"])
    found = status(read_reports({"a": host(row(), row("db", DB)), "b": host(new_row())}), NOTHING_TOLD, plan)
    assert (_where(found), _where(found, DB)) == ({"converged": ["b"], "pending": ["a"]}, {"unknown": ["a"]})


def test_what_a_plan_names_and_nobody_tells_of_any_more_is_not_forgotten() -> None:
    both = host(row(), row("two"))
    plan = planned({"a": both, "b": both, "c": both}, result("a", answer())).document
    found = status(read_reports({"a": host(new_row()), "b": UNREACHABLE, "c": BROKEN}), NOTHING_TOLD, plan)
    assert _where(found) == {"failed": ["a", "c"], "unreachable": ["b"]}


def test_what_was_not_to_be_looked_at_is_not_gone() -> None:
    both = host(row(), row("db", DB), row("own", user="kim", scope="user"))
    plan = planned({"a": both}, result("a", answer(), answer(DB))).document
    reports = read_reports({"a": host(new_row())})
    for meant, left in (
        (Meant("all"), {WEB: "failed", DB: "failed"}),
        (Meant("system"), {WEB: "converged", DB: "failed"}),
        (Meant("system", only=("unit:web",)), {WEB: "converged"}),
        (Meant("system", exclude=("image:*/postgres:*",)), {WEB: "converged"}),
        (Meant("all", exclude=("container:db", "unit@kim:*")), {WEB: "converged"}),
    ):
        told = status(reports, NOTHING_TOLD, plan, meant).to_result()["references"]
        assert {one["reference"]: word for one in told for word in _WORDS if one[word]} == left


def test_a_host_with_users_who_could_not_be_looked_at_is_not_converged() -> None:
    users = [
        {"user": None, "looked_at": True, "reason": None, "error": None},
        {"user": "kim", "looked_at": False, "reason": "no_manager", "error": "none"},
    ]
    assert _by_answers({"a": host(new_row(), users=users)}).converged
    lost = {"user": "kai", "looked_at": False, "reason": "no_answer", "error": "it ended"}
    found = _by_answers({"a": host(new_row(), users=[*users, lost])})
    assert not found.converged
    assert "a: all of kai: no_answer: it ended" in found.to_result()["table"]


def test_a_host_on_which_the_plan_failed_says_so() -> None:
    plan = planned({"a": host(row())}, result("a", answer())).document
    for verdict, identity, word in (
        ("failed", plan["id"], "failed"),
        ("failed", "x", "pending"),
        ("halted", plan["id"], "pending"),
    ):
        told = host(row(), plan={"id": identity, "verdict": verdict})
        assert _where(status(read_reports({"a": told}), NOTHING_TOLD, plan)) == {word: ["a"]}


def test_many_hosts_are_counted_and_few_named() -> None:
    table = _by_answers({f"h{number}": host(row()) for number in range(8)}).to_result()["table"]
    assert f"{WEB}: pending: h0, h1, h2, h3, h4 and 3 more" in table
