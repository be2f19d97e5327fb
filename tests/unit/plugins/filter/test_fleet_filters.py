# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the fleet's playbooks: what is documented is what is returned, and misuse is an error that names the filter."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

pytest.importorskip("ansible")

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.filter import (
    fleet_calls,
    fleet_plan,
    fleet_status,
    fleet_variables,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet.fleet import (
    AMD64,
    NEW_DIGEST,
    OLD_DIGEST,
    WEB,
    answer,
    host,
    new_row,
    result,
    row,
)

_calls = t.cast("t.Callable[..., t.Any]", fleet_calls.FilterModule().filters()["fleet_calls"])
_plan = t.cast("t.Callable[..., t.Any]", fleet_plan.FilterModule().filters()["fleet_plan"])
_status = t.cast("t.Callable[..., t.Any]", fleet_status.FilterModule().filters()["fleet_status"])
_variables = t.cast("t.Callable[..., t.Any]", fleet_variables.FilterModule().filters()["fleet_variables"])
_TOLD = {"a": host(row()), "b": host(new_row())}


def _documented(plugin: t.Any) -> set[str]:
    return set(yaml.safe_load(plugin.RETURN)["_value"]["contains"])


def test_calls_are_as_documented() -> None:
    (one,) = _calls(_TOLD)
    assert one == {"host": "a", "names": [WEB], "platform": None, "of": AMD64}
    (other,) = _calls(_TOLD, resolver="controller")
    assert set(other) == _documented(fleet_calls)
    assert other["known"] == {WEB: [OLD_DIGEST, NEW_DIGEST]}
    assert _calls(_TOLD, [result("a", answer())]) == []


def test_a_plan_is_as_documented_and_never_the_same_twice() -> None:
    one, two = (_plan(_TOLD, [result("a", answer())], 60) for _number in range(2))
    assert set(one) == _documented(fleet_plan)
    assert (list(one["plan"]["hosts"]), one["empty"]) == (["a"], False)
    assert one["plan"]["id"] != two["plan"]["id"]
    assert one["artifact"]["hosts"] == two["artifact"]["hosts"]


def test_a_status_is_as_documented_and_takes_plans_as_text_too() -> None:
    made = _plan(_TOLD, [result("a", answer())])["plan"]
    assert set(_status(_TOLD)) == _documented(fleet_status)
    for plan in (made, json.dumps(made)):
        told = _status(_TOLD, [], plan)
        assert (told["plan"], told["converged"], told["summary"]["pending"]) == (made["id"], False, 1)


def test_a_status_takes_a_plan_that_has_expired_but_none_that_was_changed() -> None:
    made = _plan(_TOLD, [result("a", answer())], -3600)["plan"]
    assert _status(_TOLD, [], made)["plan"] == made["id"]
    for odd in ({**made, "hosts": {}}, "{", "[]", {"schema": 2}):
        with pytest.raises(AnsibleFilterError, match=r"^fleet_status: "):
            _status(_TOLD, [], odd)


def test_files_are_from_the_folder_in_which_ansible_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task of a playbook that is in the installed collection would look for them in there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    read = _variables({"plan_file": "plan.json", "status_file": "~/status.json"}, "status")
    assert (read["plan_file"], read["status_file"]) == (str(tmp_path / "plan.json"), "/home/ada/status.json")
    assert _variables({"plan_file": "/srv/plan.json"}, "plan")["plan_file"] == "/srv/plan.json"


def test_variables_come_without_secrets() -> None:
    read = _variables({"plan_file": "", "rollout_credentials": [{"registry": "r", "identity_token": "s3cret"}]}, "plan")
    assert (read["plan_file"], read["plan_expires"]) == (None, 86_400)
    assert "s3cret" not in str(read)
    with pytest.raises(AnsibleFilterError, match=r"^fleet_variables: plan_expires: the text 'x'"):
        _variables({"plan_expires": "x"}, "plan")


def test_misuse_is_named() -> None:
    for misuse in (
        lambda: _calls([]),
        lambda: _calls({}, resolver="me"),
        lambda: _plan(1),
        lambda: _plan({}, None),
        lambda: _status(None),
        lambda: _variables([], "plan"),
        lambda: _variables({}, "party"),
    ):
        with pytest.raises(AnsibleFilterError, match=r"^fleet_[a-z]+: give "):
            misuse()
