# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout may be told."""

from __future__ import annotations

import typing as t
from datetime import timezone, tzinfo

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_settings import (
    Failures,
    RolloutSettings,
    objections,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.waves import WaveSize
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


def _utc(_name: str) -> tzinfo:
    return timezone.utc


def _read(**variables: t.Any) -> RolloutSettings:
    return RolloutSettings.parse(variables, _utc)


def test_what_is_empty_is_not_given() -> None:
    names = (
        "state", "stage_only", "waves", "soak", "max_failures", "max_failures_total", "on_halt", "window", "lift_holds",
        "ignore_unreachable", "only", "exclude", "scope", "allow_follower", "hosts", "canary", "settle", "wait_healthy",
        "health_command", "timeout", "authfile", "validate_certs", "ca_path",
    )  # fmt: skip
    assert _read(**dict.fromkeys(names, "")) == _read(**dict.fromkeys(names)) == _read() == RolloutSettings()


def test_texts_of_a_survey_are_read() -> None:
    found = _read(
        stage_only="yes", waves="2,50%", soak="5", max_failures="10%", on_halt="rollback_all", only="unit:web*, unit:db"
    )
    assert found == RolloutSettings(
        "staged",
        (WaveSize(2), WaveSize(50, percent=True)),
        5,
        Failures(10, percent=True),
        Failures(10, percent=True),
        "rollback_all",
        only=("unit:web*", "unit:db"),
    )


def test_what_is_handed_on_is_read_and_left_out_where_it_is_not_given() -> None:
    found = _read(
        settle="0", wait_healthy="no", health_command="/bin/true,-x", timeout=5, authfile=" /a b ", ca_path=""
    )
    assert found.handed_on == {
        "settle": 0,
        "wait_healthy": False,
        "health_command": ["/bin/true", "-x"],
        "timeout": 5,
        "authfile": "/a b",
    }


def test_failures_in_all_are_as_many_as_in_a_wave_unless_said_otherwise() -> None:
    assert _read(max_failures=2).max_failures_total == Failures(2)
    assert _read(max_failures=2, max_failures_total=5).max_failures_total == Failures(5)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"state": "latest"}, "rollout_state"),
        ({"stage_only": "maybe"}, "rollout_stage_only"),
        ({"stage_only": True, "state": "rolled_back"}, "rollout_stage_only"),
        ({"waves": "0"}, "rollout_waves"),
        ({"soak": -1}, "rollout_soak"),
        ({"soak": 86_401}, "rollout_soak"),
        ({"soak": True}, "rollout_soak"),
        ({"max_failures": "101%"}, "rollout_max_failures"),
        ({"max_failures_total": "x"}, "rollout_max_failures_total"),
        ({"on_halt": "panic"}, "rollout_on_halt"),
        ({"window": "10:00"}, "rollout_window"),
        ({"lift_holds": "perhaps"}, "rollout_lift_holds"),
        ({"only": {"a": 1}}, "rollout_only"),
        ({"exclude": ["unit:"]}, "rollout_exclude"),
        ({"wave": 1}, "rollout_wave"),
        ({"scope": "user"}, "rollout_scope: the text 'user' is none of system, all"),
        ({"only": "unit:a, unit@kim:*"}, "rollout_only: the text 'unit@kim:\\*' is about a user's units"),
        ({"allow_follower": 3}, "rollout_allow_follower: the number 3 is neither true nor false"),
        ({"settle": 3601}, "rollout_settle: the number 3601 is no whole number from 0 to 3600"),
        ({"settle": True}, "rollout_settle: the boolean True"),
        ({"timeout": 0}, "rollout_timeout: the number 0 is no whole number from 1 to 86400"),
        ({"timeout": [1]}, "rollout_timeout: a list is"),
        ({"wait_healthy": {}}, "rollout_wait_healthy: a dictionary is"),
        ({"health_command": "curl"}, "rollout_health_command: .*absolute path"),
        ({"health_command": ["/bin/a", 1]}, "rollout_health_command: a list is no list of a program"),
        ({"authfile": ["a"]}, "rollout_authfile: a list is not a text of one line"),
        ({"ca_path": "a\nb"}, "rollout_ca_path: the text"),
        ({"validate_certs": "maybe"}, "rollout_validate_certs"),
        ({"hosts": ["a"]}, "rollout_hosts"),
        ({"canary": 1.5}, "rollout_canary: the number 1.5"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(variables: dict[str, t.Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        _read(**variables)


def test_all_that_is_wrong_is_one_error() -> None:
    with pytest.raises(InputError) as refused:
        _read(soak="x", timeout="y", waves="{{ z }}", on_halt="panic", scope="everybody")
    said = str(refused.value)
    assert [one.partition(":")[0] for one in said.split("; ")] == [
        "rollout_waves", "rollout_soak", "rollout_on_halt", "rollout_scope", "rollout_timeout",
    ]  # fmt: skip
    assert "{{" not in said


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"plan": {"a": 1}, "plan_file": "p.json"}, "plan_file: there is also plan"),
        ({"plan": "p.json"}, "plan: the text 'p.json' is no dictionary"),
        ({"podfleet_plan": [1]}, "podfleet_plan: a list is no dictionary"),
        ({"rollout_report": 3}, "rollout_report: the number 3 is no dictionary"),
        ({"plan_file": ["a"]}, "plan_file: a list is not a text"),
        ({"rollout_credentials": "s3cret"}, "rollout_credentials: this is a text"),
        ({"rollout_credentials": {"registry": "r", "password": "s3cret"}}, "rollout_credentials: this is a dictionary"),
        ({"rollout_credentials": ["s3cret"]}, "rollout_credentials: this is a list"),
        ({"rollout_credentials": [{"registry": "r", "password": "s3cret"}]}, "rollout_credentials: entry 1 "),
        ({"rollout_credentials": [{"registry": "r", "username": 1, "password": "s3cret"}]}, "entry 1 "),
        (
            {
                "rollout_credentials": [
                    {"registry": "r", "username": "u", "password": "s3cret", "identity_token": "s3cret"}
                ]
            },
            "entry 1 ",
        ),
    ],
)
def test_what_a_rollout_cannot_begin_with_is_refused_without_secrets(given: dict[str, t.Any], why: str) -> None:
    (said,) = objections(_read(), given)
    assert why in said
    assert "s3cret" not in said


def test_a_rollout_begins_with_what_can_be_meant() -> None:
    secrets = [{"registry": "r", "username": "u", "password": "p"}, {"registry": "q", "identity_token": "t"}]
    given = {"plan": {}, "plan_file": "p.json", "podfleet_plan": {"a": 1}, "rollout_credentials": secrets}
    names = ["rollout_settle", "rollout_report", "rollout_resolver", "rollout_state", "rollout_credentials"]
    assert objections(_read(), given, names, ["a"]) == []
    assert objections(_read(), dict.fromkeys(given, "")) == []
    wrong = objections(_read(), {}, [*names, "rollout_windw", "rollout_user"], [])
    assert [one.partition(":")[0] for one in wrong] == ["rollout_user", "rollout_windw", "rollout_canary"]


@pytest.mark.parametrize("nothing", ["", [], None, " , "])
def test_a_way_back_says_of_what(nothing: object) -> None:
    back = _read(state="rolled_back", only=nothing)
    for report in (None, "", {}):
        (said,) = objections(back, {"rollout_report": report})
        assert said.startswith("rollout_only: it is not given")
    assert objections(back, {"rollout_report": {"moved": {}}}) == []
    assert objections(_read(state="rolled_back", only="*"), {}) == []


@pytest.mark.parametrize(
    ("allowed", "failed", "of", "too_many"),
    [
        (Failures(0), 0, 5, False),
        (Failures(0), 1, 5, True),
        (Failures(2), 2, 5, False),
        (Failures(2), 3, 5, True),
        (Failures(20, percent=True), 1, 5, False),
        (Failures(20, percent=True), 2, 5, True),
        (Failures(0, percent=True), 0, 0, False),
    ],
)
def test_failures_are_counted(allowed: Failures, failed: int, of: int, too_many: bool) -> None:
    assert allowed.exceeded(failed, of) == too_many
