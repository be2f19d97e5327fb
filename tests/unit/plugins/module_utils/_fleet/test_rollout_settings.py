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
        "ignore_unreachable", "only", "exclude",
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
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(variables: dict[str, t.Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        _read(**variables)


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
