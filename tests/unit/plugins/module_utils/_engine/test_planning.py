# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as settings: whether a host may follow one, and which one its own timer follows."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine import planning
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.settings import Settings, must_be_usable
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.moments import written
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plan_records import PlanRecord, Verdict
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import State
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.planning import document, entry

NOW = datetime.now(timezone.utc)


def plan(lasts: timedelta = timedelta(hours=1), units: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    given = {"app.service": [entry("app", V1)]} if units is None else units
    return document({APP: V2}, given, expires=written(NOW + lasts))


@dataclass
class Memory:
    """A host that was given a plan before."""

    plan: PlanRecord | None

    def read(self) -> State:
        return State(plan=self.plan)


def record(verdict: Verdict, told: t.Mapping[str, t.Any] | None) -> Memory:
    return Memory(PlanRecord("0f" * 16, "ab" * 32, None, verdict, NOW, told))


def test_without_a_plan_there_is_none() -> None:
    assert planning.planned(Settings()) is None


def test_a_plan_is_read_for_the_user() -> None:
    found = planning.planned(Settings(plan=plan()))
    assert found is not None
    assert [one.container for one in found.entries] == ["app"]
    other = planning.planned(Settings(plan=plan(), user="alice"))
    assert other is not None
    assert other.entries == ()


def test_an_expired_plan_is_refused() -> None:
    with pytest.raises(InputError, match="it expired at"):
        planning.planned(Settings(plan=plan(-timedelta(seconds=1))))


def test_a_host_that_follows_the_registry_takes_no_plan_unless_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for followed in (None, "plan", "registry"):
        monkeypatch.setattr(planning, "followed", lambda _user, said=followed: said)
        if followed == "registry":
            with pytest.raises(InputError, match="own timer follows the registry"):
                planning.planned(Settings(plan=plan()))
        else:
            assert planning.planned(Settings(plan=plan()))
    assert planning.planned(Settings(plan=plan(), allow_follower=True))
    assert planning.planned(Settings(plan=plan(units={}))), "a plan that says nothing of the host cannot be left"


@pytest.mark.parametrize("verdict", [Verdict.CONVERGED, Verdict.HALTED, Verdict.FAILED])
def test_a_timer_follows_the_last_plan(verdict: Verdict) -> None:
    told = plan()
    settings, why = planning.following(Settings(settle=3), record(verdict, told))
    assert settings == replace(Settings(settle=3), plan=told, allow_follower=True)
    assert why == f"following the plan {'0f' * 16}"


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (Memory(None), "no plan was given"),
        (record(Verdict.CONVERGED, None), "too large"),
        (record(Verdict.STAGED, plan()), "only staged"),
        (record(Verdict.HALTED, plan(-timedelta(seconds=1))), "it expired at"),
    ],
)
def test_a_timer_that_has_nothing_to_follow_says_why(memory: Memory, said: str) -> None:
    settings, why = planning.following(Settings(settle=3), memory)
    assert settings == Settings(settle=3, repair_only=True), "an interrupted run is repaired all the same"
    assert said in why


def test_a_plan_that_was_damaged_on_the_host_is_an_error() -> None:
    with pytest.raises(InputError, match="does not match its sha256"):
        planning.following(Settings(), record(Verdict.HALTED, {**plan(), "expires": "2099-01-01T00:00:00Z"}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(plan=plan(), back=True, only=("*",)), "leave it out with state: rolled_back"),
        (Settings(plan_host="web-1"), "there is no plan"),
    ],
)
def test_what_does_not_go_together(settings: Settings, said: str) -> None:
    with pytest.raises(InputError, match=said):
        must_be_usable(settings)
