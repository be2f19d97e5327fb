# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of a rollout: parts of the plan, and waves of what hosts say."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_answers import read_answer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_gate import WaveAnswer, judge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_ledger import Ledger
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_settings import RolloutSettings
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_start import (
    begun,
    left_out,
    nothing,
    only_moved,
    slices,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import plans
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet import rollout_fleet as fleet

_UPDATE, _BACK = RolloutSettings(), RolloutSettings(state="rolled_back")
_ALL_BACK = RolloutSettings(state="rolled_back", scope="all")
_PENDING = fleet.answered(fleet.row("pending", "check_mode"))
_HELD = fleet.answered(fleet.row("held", "bad_digest"))


def test_hosts_get_their_own_part_only() -> None:
    plan = fleet.plan({"a": [fleet.WEB], "b": [fleet.WEB, fleet.DB], "idle": []})
    parts = slices(_UPDATE, plan, ["b", "a", "idle", "stranger"], fleet.NOW)
    assert list(parts) == ["b", "a"]
    for host, part in parts.items():
        assert part == plans.for_host(plan, host)
        assert plans.read_plan(part, fleet.NOW).whole == plan["sha256"]


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (None, "there is no plan"),
        ({**fleet.plan({"a": [fleet.WEB]}), "id": "1" * 32}, "changed"),
        (fleet.plan({"a": [fleet.WEB]}, expires="2026-11-21T11:59:59Z"), "expired"),
        (fleet.plan({}, schema=2), "schema is 2"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_whole(plan: dict[str, t.Any] | None, why: str) -> None:
    with pytest.raises(InputError, match=why):
        slices(_UPDATE, plan, ["a"], fleet.NOW)


def test_a_plan_for_users_is_not_left_undone_in_silence() -> None:
    plan = fleet.plan({"a": [fleet.WEB], "b": [fleet.DB]})
    (entry,) = plan["hosts"]["b"]["units"]["db.service"]
    entry.update(scope="user", user="kim")
    plan = plans.sealed(plan)
    with pytest.raises(InputError, match=r"^rollout_scope: .*db\.service of the user kim on b"):
        slices(_UPDATE, plan, ["a", "b"], fleet.NOW)
    assert list(slices(_UPDATE, plan, ["a"], fleet.NOW)) == ["a"]
    for some in (
        RolloutSettings(scope="all"),
        RolloutSettings(only=("unit@root:*",)),
        RolloutSettings(exclude=("unit:db",)),
    ):
        assert list(slices(some, plan, ["a", "b"], fleet.NOW)) == ["a", "b"]


def test_the_way_back_takes_no_plan() -> None:
    assert slices(_BACK, None, ["a", "b"], fleet.NOW) == {"a": None, "b": None}
    with pytest.raises(InputError, match="needs no plan"):
        slices(_BACK, fleet.plan({}), ["a"], fleet.NOW)


def _begun(
    answers: t.Mapping[str, t.Any],
    references: t.Sequence[str] = (fleet.WEB,),
    settings: RolloutSettings = _UPDATE,
    canaries: t.Collection[str] = (),
) -> tuple[Ledger, dict[str, t.Any]]:
    plan = fleet.plan(dict.fromkeys(answers, references))
    parts = slices(settings, plan, list(answers), fleet.NOW)
    return begun(
        settings, plan, {host: (parts[host], read_answer(answer)) for host, answer in answers.items()}, canaries
    )


def test_only_hosts_with_work_are_in_waves() -> None:
    current = fleet.answered(fleet.row("current"))
    drift = fleet.answered(fleet.row("held", "plan_drift"))
    ledger, work = _begun(
        {"a": current, "b": fleet.UNREACHABLE, "c": _PENDING, "d": fleet.BROKEN, "e": drift, "f": _PENDING, "g": None}
    )
    assert ledger.waves == (("c",), ("f",))
    assert list(work) == ["c", "f"]
    assert {host: record.verdict for host, record in ledger.hosts.items()} == {
        "a": "converged",
        "b": "unreachable",
        "c": "waiting",
        "d": "failed",
        "e": "held",
        "f": "waiting",
        "g": "unreachable",
    }
    assert [ledger.hosts[host].wave for host in "cf"] == [1, 2]


def test_canaries_come_first() -> None:
    ledger, work = _begun(dict.fromkeys("abc", _PENDING), canaries=["c"])
    assert ledger.waves == (("c",), ("a",), ("b",))
    assert list(work) == ["c", "a", "b"]


def test_what_failed_on_one_host_is_held_for_all() -> None:
    ledger, work = _begun({"a": _HELD, "b": _PENDING})
    assert work == {}
    assert ledger.waves == ()
    assert {host: record.verdict for host, record in ledger.hosts.items()} == {"a": "held", "b": "held"}
    assert f"{fleet.WEB} is held on a" in str(ledger.hosts["b"].error)
    (bad,) = ledger.bad
    assert bad.to_entry() == {
        "reference": fleet.WEB,
        "platform": "linux/amd64",
        "id": fleet.NEW,
        "digests": [fleet.NEW_DIGEST],
        "reason": "bad_digest",
    }


def test_the_rest_of_a_host_goes_on_without_what_is_held() -> None:
    both = fleet.answered(fleet.row("pending", "check_mode"), fleet.row("pending", "check_mode", reference=fleet.DB))
    ledger, work = _begun({"a": _HELD, "b": both}, (fleet.WEB, fleet.DB))
    assert ledger.waves == (("b",),)
    left = plans.read_plan(work["b"], fleet.NOW)
    assert [entry.container for entry in left.hosts["b"]] == ["db"]
    assert left.whole == ledger.sha256
    # When its wave has ended well, it is not where the plan wants it all the same.
    done = fleet.answered(fleet.row("updated", reference=fleet.DB))
    after = judge(_UPDATE, ledger, {"b": WaveAnswer(work["b"], read_answer(done))}).hosts["b"]
    assert (after.verdict, after.error) == ("held", f"{fleet.WEB} is held on a")


def test_only_what_concerns_a_host_is_told_of_it() -> None:
    db = fleet.answered(fleet.row("current"), fleet.row("held", "bad_digest", reference=fleet.DB))
    fine = fleet.answered(fleet.row("pending", "check_mode"), fleet.row("current", reference=fleet.DB))
    ledger, work = _begun({"a": db, "b": fine}, (fleet.WEB, fleet.DB))
    assert ledger.hosts["b"].error is None
    both = fleet.answered(fleet.row("held", "bad_digest"), fleet.row("held", "bad_digest", reference=fleet.DB))
    waits = fleet.answered(fleet.row("pending", "check_mode"), fleet.row("current", reference=fleet.DB))
    ledger, work = _begun({"a": both, "b": waits}, (fleet.WEB, fleet.DB))
    assert (work, ledger.hosts["b"].error) == ({}, f"{fleet.WEB} is held on a")


def test_a_host_without_a_container_that_the_plan_names_has_not_arrived() -> None:
    only_web = fleet.answered(fleet.row("current"))
    ledger, _work = _begun({"a": only_web}, (fleet.WEB, fleet.DB))
    assert ledger.hosts["a"].verdict == "held"
    assert "db.service: the plan names its container db, which does not run" in str(ledger.hosts["a"].error)
    for settings in (RolloutSettings(only=("unit:web",)), RolloutSettings(exclude=("image:*/db:1",))):
        ledger, _work = _begun({"a": only_web}, (fleet.WEB, fleet.DB), settings)
        assert ledger.hosts["a"].verdict == "converged"


def test_a_host_with_users_who_could_not_be_looked_at_has_not_arrived() -> None:
    users = [
        {"user": None, "looked_at": True, "reason": None, "error": None},
        {"user": "kim", "looked_at": False, "reason": "no_manager", "error": "none"},
    ]
    fine = {**fleet.answered(fleet.row("current")), "users": users}
    lost = {"user": "kai", "looked_at": False, "reason": "no_answer", "error": "{{ it }} ended"}
    ledger, _work = _begun({"a": fine, "b": {**fine, "users": [*users, lost]}})
    assert [ledger.hosts[host].verdict for host in "ab"] == ["converged", "failed"]
    assert ledger.hosts["b"].error == "kai was not looked at: { { it }} ended"


def test_holds_can_be_lifted_for_all() -> None:
    answers = {"a": fleet.answered(fleet.row("pending", "check_mode")), "b": _HELD}
    ledger, work = _begun(answers, settings=RolloutSettings(lift_holds=True))
    assert list(work) == ["a"]
    assert ledger.bad == ()


def test_what_the_plan_moved_before_is_known() -> None:
    moved = fleet.answered(fleet.row("current"))
    never = fleet.answered(fleet.row("current", after={"id": fleet.OLD}))
    ledger, _work = _begun({"a": moved, "b": never})
    assert ledger.hosts["a"].earlier == ((None, "web.service"),)
    assert ledger.hosts["b"].earlier == ()


def test_staging_works_on_what_is_not_there_yet() -> None:
    there = fleet.answered(fleet.row("pending", "staged", changed=False))
    ledger, work = _begun({"a": there, "b": _PENDING}, settings=RolloutSettings(state="staged"))
    assert list(work) == ["b"]
    assert ledger.hosts["a"].verdict == "staged"


def test_a_ledger_survives_its_travel_between_tasks() -> None:
    ledger, _work = _begun({"a": fleet.answered(fleet.row("current")), "b": _PENDING, "c": fleet.UNREACHABLE})
    stopped = ledger.stopped("failures", "why").stopped("window_closed", "too late")
    assert Ledger.from_dict(stopped.to_dict()) == stopped
    assert (stopped.halted, stopped.halt) == ("failures", "why")
    assert Ledger.from_dict(_begun({"a": _HELD, "b": _PENDING})[0].to_dict()).bad != ()


def test_a_plan_of_nothing_is_a_plan() -> None:
    plan = plans.read_plan(nothing(fleet.NOW), fleet.NOW)
    assert (dict(plan.targets), list(plan.hosts.values())) == ({}, [()])


def test_where_nothing_is_meant_nothing_went_back() -> None:
    some = RolloutSettings(state="rolled_back", only=("unit:typo",))
    answers = {"a": (None, read_answer(fleet.answered())), "b": (None, read_answer(fleet.BROKEN))}
    assert {host: one.verdict for host, one in begun(some, None, answers, ())[0].hosts.items()} == {"b": "failed"}
    # What a rollout moved should run.
    assert {host: one.verdict for host, one in begun(_BACK, None, answers, ())[0].hosts.items()} == {
        "a": "failed",
        "b": "failed",
    }


def test_only_what_a_rollout_moved_goes_back_after_it() -> None:
    report = {"moved": {"a": ["web.service", "kim/web.service"], "gone": ["x.service"], "b": []}}
    with pytest.raises(InputError, match="rollout_scope: "):
        only_moved(_BACK, report, ["a"])
    assert only_moved(_ALL_BACK, report, ["a", "b", "c"]) == {"a": ["unit@root:web.service", "unit@kim:web.service"]}
    for only, left in (("unit:db", {}), ("unit@kim:web", {"a": ["unit@kim:web.service"]}), ("unit:web", None)):
        some = RolloutSettings(state="rolled_back", only=(only,), scope="all")
        assert only_moved(some, report, ["a"]) == (left if left is not None else only_moved(_ALL_BACK, report, ["a"]))
    some = RolloutSettings(state="rolled_back", only=("image:x", "unit:db"), scope="all")
    assert only_moved(some, report, ["a"]) == only_moved(_ALL_BACK, report, ["a"])
    some = RolloutSettings(state="rolled_back", only=("unit:db",))
    assert only_moved(some, None, ["a"]) == {"a": ["unit:db"]}
    assert only_moved(_UPDATE, report, ["c"]) == {"c": []}


@pytest.mark.parametrize(
    "report",
    [
        {"x": 1},
        {"moved": []},
        {"moved": {"a": "web.service"}},
        {"moved": {"a": ["*"]}},
        {"moved": {"a": ["kim/*"]}},
        {"moved": {"a": ["{{ kim }}/web.service"]}},
        {"moved": {"a": [1]}},
    ],
)
def test_what_is_no_report_takes_nothing_back(report: dict[str, t.Any]) -> None:
    with pytest.raises(InputError, match="rollout_report"):
        only_moved(_BACK, report, ["a"])


def test_hosts_that_could_not_be_planned_for_are_told() -> None:
    planned = {
        "unreachable": [{"host": "a", "error": "no route"}, {"host": "elsewhere", "error": ""}],
        "failed": [{"host": "b", "error": None}],
        "plan_drift": ["a", "c"],
    }
    assert {host: verdict for host, (verdict, _why) in left_out(planned, "abcd").items()} == {
        "a": "unreachable",
        "b": "failed",
        "c": "held",
    }
    assert left_out(planned, "c")["c"][1].startswith("plan_drift: ")
    assert left_out(None, "abcd") == left_out({}, "abcd") == {}
