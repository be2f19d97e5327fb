# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter rollout: a whole rollout, step by step, with what tasks would have registered."""

from __future__ import annotations

import json
import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

pytest.importorskip("ansible")

import yaml
from ansible.errors import AnsibleFilterError, AnsibleUndefinedVariable

from ansible_collections.podfleet.autoupdate.plugins.filter import rollout as plugin
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.moments import written
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet import rollout_fleet as fleet

_filter = plugin.FilterModule().filters()["rollout"]
_DOCUMENTED = yaml.safe_load(plugin.RETURN)["_value"]["contains"]
_VARIABLES = {"waves": "1, 100%", "soak": "1", "on_halt": "rollback_all"}
_PENDING = fleet.answered(fleet.row("pending", "check_mode"))
_UPDATED = fleet.answered(fleet.row("updated"))


def _step(step: str, **given: t.Any) -> t.Any:
    found = _filter(_VARIABLES, step, **given)
    if isinstance(found, dict):
        assert set(found) <= set(_DOCUMENTED)
        json.dumps(found)
    return found


def _plan() -> dict[str, t.Any]:
    return fleet.plan(
        {host: [fleet.WEB] for host in "abc"}, expires=written(datetime.now(timezone.utc) + timedelta(hours=1))
    )


def _begun(hostvars: dict[str, dict[str, t.Any]], plan: dict[str, t.Any]) -> t.Any:
    for one in _step("parts", plan=plan, hosts=list(hostvars))["parts"]:
        # What a host tells as facts stands before what it was given, and is not believed.
        hostvars[one["host"]].update(podfleet_rollout_part={"x": 1}, podfleet_rollout_asked=_PENDING)
    waves = _step("waves", plan=plan, hosts=list(hostvars), hostvars=hostvars, canaries=["b"])
    assert waves["ledger"]["waves"] == [["b"], ["a"], ["c"]]
    assert [one["host"] for one in waves["parts"]] == ["b", "a", "c"]
    return waves


def test_a_rollout_that_ends_well() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {} for host in "abc"}
    told = _begun(hostvars, _plan())
    parts = told["parts"]
    for host in "bac":
        told = _step("window", ledger=told["ledger"])
        assert told["ledger"]["wave"] == [host]
        hostvars[host].update(
            podfleet_rollout_applied=_UPDATED,
            podfleet_rollout_first=fleet.looked(),
            podfleet_rollout_last=fleet.looked(),
        )
        assert _step("fallen", hosts=[host], hostvars=hostvars) == []
        told = _step("gate", ledger=told["ledger"], hostvars=hostvars, parts=parts)
    end = _step("report", ledger=told["ledger"], hostvars=hostvars)
    assert (end["failed"], end["msg"]) == (False, "3 hosts: 3 converged.")
    assert end["report"]["waves_done"] == 3


def test_a_rollout_that_goes_back() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {} for host in "abc"}
    told = _begun(hostvars, _plan())
    parts = told["parts"]
    hostvars["b"]["podfleet_rollout_applied"] = _UPDATED
    told = _step("gate", ledger=told["ledger"], hostvars=hostvars, parts=parts)
    hostvars["a"].update(
        podfleet_rollout_applied=_UPDATED,
        podfleet_rollout_first=fleet.looked(),
        podfleet_rollout_last=fleet.looked("2"),
    )
    assert _step("fallen", hosts=["a"], hostvars=hostvars) == ["unit@root:web.service"]
    hostvars["a"]["podfleet_rollout_undone"] = fleet.answered(fleet.row("rolled_back"))
    told = _step("gate", ledger=told["ledger"], hostvars=hostvars, parts=parts)
    assert told["back"] == {"b": ["unit@root:web.service"]}
    assert [one["id"] for one in told["bad_images"]] == [fleet.NEW]
    hostvars["b"]["podfleet_rollout_back"] = fleet.answered(fleet.row("rolled_back"))
    end = _step("report", ledger=told["ledger"], hostvars=hostvars)
    assert end["failed"]
    assert end["report"]["summary"] == {"failed": 1, "rolled_back": 1, "waiting": 1}
    # Who could not be told what to hold is named.
    hostvars["a"]["podfleet_rollout_held"] = fleet.answered()
    hostvars["b"]["podfleet_rollout_held"] = fleet.BROKEN
    hostvars["c"]["podfleet_rollout_held"] = {"skipped": True}
    end = _step("report", ledger=told["ledger"], hosts=list(hostvars), hostvars=hostvars)
    assert end["report"]["not_held"] == {"b": "podman is not installed"}
    assert (
        _step("report", ledger=told["ledger"], hosts=[], hostvars=hostvars, check_mode=True)["report"]["not_held"] == {}
    )
    assert "not held on b: podman is not installed" in end["table"]


def test_what_is_only_staged_is_not_waited_for() -> None:
    for state, soak in (("staged", 0), ("updated", 60)):
        assert t.cast("t.Any", _filter({"state": state}, "settings"))["settings"]["soak"] == soak


def test_who_could_not_be_planned_for_is_in_no_wave() -> None:
    planned = {"plan_drift": ["a"], "unreachable": [{"host": "c", "error": "no route"}]}
    hostvars: dict[str, dict[str, t.Any]] = {
        host: {"podfleet_rollout_asked": _PENDING, "podfleet_rollout_left": "odd"} for host in "abc"
    }
    given: dict[str, t.Any] = {"plan": _plan(), "planned": planned, "hosts": list("abc")}
    assert {one["host"]: one["left"][:1] for one in _step("parts", **given)["parts"]} == {
        "b": [], "a": ["held"], "c": ["unreachable"],
    }  # fmt: skip
    ledger = _step("waves", **given, hostvars=hostvars)["ledger"]
    assert ledger["waves"] == [["b"]]
    assert {host: one["verdict"] for host, one in ledger["hosts"].items()} == {
        "a": "held", "b": "waiting", "c": "unreachable",
    }  # fmt: skip


def test_what_a_rollout_begins_with_is_kept() -> None:
    report = {"moved": {"a": ["web.service"]}, "msg": "x"}
    found = t.cast(
        "t.Any", _filter({"state": "rolled_back"}, "settings", given={"plan": {"x": 1}, "rollout_report": report})
    )
    assert (found["source"], found["report"]) == ("none", {"moved": report["moved"]})
    plan = _plan()
    for given, source in (
        ({"plan": plan, "podfleet_plan": {"a": 1}}, "plan"),
        ({"plan_file": "p"}, "plan_file"),
        ({}, "made"),
    ):
        begin = t.cast("t.Any", _filter(_VARIABLES, "settings", given=given))
        assert (begin["source"], begin["variables"], begin["report"]) == (source, _VARIABLES, {})
        assert begin["plan_file"] == (str(pathlib.Path("p").absolute()) if source == "plan_file" else "")
        assert begin["sha256"] == (plan["sha256"] if source == "plan" else None)
    with pytest.raises(AnsibleFilterError, match="it is another one than when this began"):
        _filter({}, "parts", plan=plan, hosts=["a"], sha256="0" * 64)


class _Unreadable(dict[str, t.Any]):
    """As Ansible's variables of a host that answered what Ansible could not register."""

    def get(self, key: str, default: object = None) -> t.Any:
        if key == "podfleet_rollout_asked":
            raise AnsibleUndefinedVariable("Recursive loop detected in template")
        return super().get(key, default)


def test_a_host_of_which_nothing_can_be_read_fails_alone() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {"podfleet_rollout_asked": _PENDING} for host in "abc"}
    hostvars["b"] = _Unreadable()
    ledger = _step("waves", plan=_plan(), hosts=list("abc"), hostvars=hostvars)["ledger"]
    assert (ledger["waves"], ledger["hosts"]["b"]["verdict"]) == ([["a"], ["c"]], "failed")


def test_a_closed_window_lets_nothing_begin() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {} for host in "abc"}
    told = _begun(hostvars, _plan())
    yesterday = (datetime.now(timezone.utc) - timedelta(days=2)).strftime("%a")
    told = t.cast("t.Any", _filter({"window": f"{yesterday} 00:00-24:00 UTC"}, "window", ledger=told["ledger"]))
    assert told["ledger"]["halted"] == "window_closed"
    end = _step("report", ledger=told["ledger"], hostvars=hostvars)
    assert end["failed"]
    assert "the window is closed until" in end["msg"]


@pytest.mark.parametrize(
    ("variables", "step", "given", "why"),
    [
        ({"waves": "x"}, "parts", {"hosts": []}, "rollout_waves"),
        ({"window": "No/Zone"}, "parts", {"hosts": []}, "no time zone"),
        ({}, "parts", {"hosts": ["a"]}, "there is no plan"),
        ({}, "parts", {"hosts": ["a"], "plan": {"schema": 7}}, "schema is 7"),
        ({}, "unheard-of", {}, "is no step"),
        ({"state": "rolled_back"}, "settings", {}, "rollout_only: it is not given"),
        ({}, "settings", {"names": ["rollout_wave"]}, "rollout_wave: there is no such variable"),
        ({}, "settings", {"canaries": []}, "rollout_canary"),
        ({"timeout": "x"}, "gate", {}, "rollout_timeout: the text 'x' is no whole number from 1 to 86400"),
    ],
)
def test_what_cannot_be_meant_is_an_error(
    variables: dict[str, t.Any], step: str, given: dict[str, t.Any], why: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=why):
        _filter(variables, step, **given)


def test_a_way_back_has_parts_for_all_hosts() -> None:
    found = t.cast("t.Any", _filter({"state": "rolled_back"}, "parts", hosts=["a", "b"], plan=""))
    assert found["parts"] == [{"host": host, "part": {}, "left": [], "only": []} for host in "ab"]
    hostvars = {"a": {"podfleet_rollout_asked": fleet.answered(fleet.row("pending"))}}
    waves = t.cast(
        "t.Any", _filter({"state": "rolled_back"}, "waves", hosts=["a"], hostvars=hostvars, plan=None, canaries=[])
    )
    assert waves["ledger"]["waves"] == [["a"]]


def test_tasks_are_handed_what_was_checked_and_no_secret() -> None:
    given = {"rollout_credentials": [{"registry": "r", "username": "u", "password": "s3cret"}]}
    found = _filter(
        {"settle": "0", "wait_healthy": "no", "scope": "all"}, "settings", given=given, names=["rollout_settle"]
    )
    settings = t.cast("t.Any", found)["settings"]
    assert {key: settings[key] for key in ("settle", "wait_healthy", "scope", "allow_follower")} == {
        "settle": 0,
        "wait_healthy": False,
        "scope": "all",
        "allow_follower": False,
    }
    assert "timeout" not in settings
    assert "s3cret" not in json.dumps(found)


def test_all_that_is_wrong_is_one_error() -> None:
    given = {"rollout_credentials": "x", "plan": {"a": 1}, "plan_file": "p"}
    with pytest.raises(AnsibleFilterError) as refused:
        _filter({"soak": "x", "only": "unit:", "state": "rolled_back"}, "settings", given=given, names=["rollout_wave"])
    said = str(refused.value)
    assert [one.partition(":")[0] for one in said.split("; ") if one.startswith("rollout_")] == [
        "rollout_soak", "rollout_only", "rollout_wave", "rollout_credentials",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("applied", "waits"), [(None, False), ("odd", False), (fleet.UNREACHABLE, False), ({"changed": True}, True)]
)
def test_a_wave_is_waited_for_where_a_host_was_changed(applied: object, waits: bool) -> None:
    hostvars: dict[str, dict[str, t.Any]] = {"a": {}, "b": {"podfleet_rollout_applied": applied}}
    assert _filter({"soak": 5}, "soak", hosts=["a", "b"], hostvars=hostvars) is waits
    assert _filter({"soak": 0}, "soak", hosts=["a", "b"], hostvars=hostvars) is False
    assert _filter({"stage_only": True}, "soak", hosts=["a", "b"], hostvars=hostvars) is False


def test_what_goes_back_is_waited_for() -> None:
    pending = fleet.answered(fleet.row("pending", "job_running"))
    for registered, gone in ((pending, False), (fleet.answered(fleet.row("rolled_back")), True)):
        assert (
            _filter(
                {},
                "undone",
                units=["unit@root:web.service"],
                hosts=["a"],
                hostvars={"a": {"podfleet_rollout_undone": registered}},
            )
            is gone
        )


def test_a_host_whose_answer_is_absurd_fails_alone() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {} for host in "abc"}
    told = _begun(hostvars, _plan())
    deep: object = []
    for _level in range(3000):
        deep = [deep]
    for odd in (deep, {"updates": deep}, {"updates": [{"unit": deep}]}, {"updates": "x"}, {"updates": [1] * 10}):
        hostvars["b"]["podfleet_rollout_applied"] = odd
        ledger = _step("gate", ledger=told["ledger"], hostvars=hostvars, parts=told["parts"])["ledger"]
        assert ledger["hosts"]["b"]["verdict"] in ("failed", "unreachable")
        assert ledger["hosts"]["a"]["verdict"] == "waiting"


def test_a_plan_may_be_the_text_of_a_file() -> None:
    plan = _plan()
    assert _step("parts", plan=json.dumps(plan), hosts=["a"]) == _step("parts", plan=plan, hosts=["a"])
    for text in ("{broken", "["):
        with pytest.raises(AnsibleFilterError, match="the plan is refused: it is no JSON"):
            _step("parts", plan=text, hosts=["a"])
