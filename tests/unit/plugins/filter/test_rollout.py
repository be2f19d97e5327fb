# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter rollout: a whole rollout, step by step, with what tasks would have registered."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

pytest.importorskip("ansible")

import yaml
from ansible.errors import AnsibleFilterError

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
        hostvars[one["host"]].update(podfleet_rollout_part=one["part"], podfleet_rollout_asked=_PENDING)
    waves = _step("waves", plan=plan, hosts=list(hostvars), hostvars=hostvars, canaries=["b"])
    assert waves["ledger"]["waves"] == [["b"], ["a"], ["c"]]
    assert [one["host"] for one in waves["parts"]] == ["b", "a", "c"]
    return waves


def test_a_rollout_that_ends_well() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {} for host in "abc"}
    told = _begun(hostvars, _plan())
    for host in "bac":
        told = _step("window", ledger=told["ledger"])
        assert told["ledger"]["wave"] == [host]
        hostvars[host].update(
            podfleet_rollout_applied=_UPDATED,
            podfleet_rollout_first=fleet.looked(),
            podfleet_rollout_last=fleet.looked(),
        )
        assert _step("fallen", hosts=[host], hostvars=hostvars) == []
        told = _step("gate", ledger=told["ledger"], hostvars=hostvars)
    end = _step("report", ledger=told["ledger"], hostvars=hostvars)
    assert (end["failed"], end["msg"]) == (False, "3 hosts: 3 converged.")
    assert end["report"]["waves_done"] == 3


def test_a_rollout_that_goes_back() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {} for host in "abc"}
    told = _begun(hostvars, _plan())
    hostvars["b"]["podfleet_rollout_applied"] = _UPDATED
    told = _step("gate", ledger=told["ledger"], hostvars=hostvars)
    hostvars["a"].update(
        podfleet_rollout_applied=_UPDATED,
        podfleet_rollout_first=fleet.looked(),
        podfleet_rollout_last=fleet.looked("2"),
    )
    assert _step("fallen", hosts=["a"], hostvars=hostvars) == ["unit@root:web.service"]
    hostvars["a"]["podfleet_rollout_undone"] = fleet.answered(fleet.row("rolled_back"))
    told = _step("gate", ledger=told["ledger"], hostvars=hostvars)
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


def test_what_an_earlier_rollout_of_the_same_job_left_is_not_this_ones() -> None:
    plan = _plan()
    hostvars: dict[str, dict[str, t.Any]] = {host: {"podfleet_rollout_of": "first"} for host in "abc"}
    hostvars["c"]["podfleet_rollout_left"] = ["failed", "it did not tell"]
    for one in _step("parts", plan=plan, hosts=list("ab"))["parts"]:
        hostvars[one["host"]].update(podfleet_rollout_part=one["part"], podfleet_rollout_asked=_PENDING)
    hostvars["b"]["podfleet_rollout_of"] = "second"
    waves = _step("waves", plan=plan, hosts=list(hostvars), hostvars=hostvars, run="second")
    assert list(waves["ledger"]["hosts"]) == ["b"]


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
    hostvars = {"a": {"podfleet_rollout_part": "", "podfleet_rollout_asked": fleet.answered(fleet.row("pending"))}}
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
        assert _filter({}, "undone", units=["unit@root:web.service"], registered=registered) is gone


def test_a_host_whose_answer_is_absurd_fails_alone() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {host: {} for host in "abc"}
    told = _begun(hostvars, _plan())
    deep: object = []
    for _level in range(3000):
        deep = [deep]
    for odd in (deep, {"updates": deep}, {"updates": [{"unit": deep}]}, {"updates": "x"}, {"updates": [1] * 10}):
        hostvars["b"]["podfleet_rollout_applied"] = odd
        ledger = _step("gate", ledger=told["ledger"], hostvars=hostvars)["ledger"]
        assert ledger["hosts"]["b"]["verdict"] in ("failed", "unreachable")
        assert ledger["hosts"]["a"]["verdict"] == "waiting"
