# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts that never were, because systemd refuses them, or that give way to somebody's stop: no image failed there."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.health import GateOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import UnitFacts, UnitLinks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update import jobs
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.gate import Gate
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.restart import Condition, Restarting
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

UNIT = "app.service"


def _second(host: Host) -> None:
    host.has(V1, APP)
    host.service("b.service", Recipe("b", APP))


def test_what_systemd_refuses_to_restart_runs_on_and_nothing_is_held(host: Host) -> None:
    host.services[UNIT].declined = True
    before = host.container("app").listed
    report = host.update().run()
    found = row(report, "app")
    assert told(report) == {"app": ("failed", "job_failed")}
    assert (found.changed, found.before, found.job_result) == (False, found.after, None)
    assert "app.service: systemd refused" in str(found.finding.error)
    assert (host.container("app").listed, host.tags) == (before, {APP: V1.id})
    assert host.memory.state.holds == ()
    assert host.done("declined") == [(UNIT,)]
    host.services[UNIT].declined = False
    assert told(host.update().run()) == {"app": ("updated", None)}


def test_a_second_unit_that_systemd_refuses_to_restart_takes_the_first_back(host: Host) -> None:
    """Its name would point to an image that it does not run. What was taken back is held, or it would be so every night."""
    _second(host)
    host.services["b.service"].declined = True
    report = host.update().run()
    assert told(report) == {"app": ("rolled_back", "group_failed"), "b": ("failed", "job_failed")}
    assert (host.running("app"), host.running("b"), host.tags[APP]) == (V1.id, V1.id, V1.id)
    assert [one.id for one in host.memory.state.holds] == [V2.id]  # type: ignore[union-attr]


@pytest.mark.parametrize("states", [["inactive"], ["activating", "deactivating", "failed"], ["deactivating"] * 9])
def test_a_unit_that_somebody_stops_meanwhile_stays_stopped(
    host: Host, monkeypatch: pytest.MonkeyPatch, states: list[str]
) -> None:
    """Its start gives way before its stop has begun; a start that was killed counts as failed."""
    host.services[UNIT].stopped_on = {V2.id}
    works, looks = host.facts, iter(states)

    def facts(units: t.Collection[str]) -> dict[str, UnitFacts]:
        if not host.done("restart"):
            return works(units)
        return {unit: replace(one, active_state=next(looks)) for unit, one in works(units).items()}

    monkeypatch.setattr(host, "facts", facts)
    monkeypatch.setattr(jobs, "_NOTICED_SECONDS", 0.5)
    report = host.update().run()
    assert told(report) == {"app": ("failed", "job_failed")}
    assert "stays stopped" in str(row(report, "app").finding.error)
    assert row(report, "app").after == (None, None)
    assert (host.running("app"), host.tags[APP]) == (None, V1.id)
    assert host.done("restart") == [(UNIT,)]
    assert host.memory.state.holds == ()


def test_if_somebody_has_started_it_again_by_then_it_is_put_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.services[UNIT].stopped_on = {V2.id}
    works = host.facts

    def facts(units: t.Collection[str]) -> dict[str, UnitFacts]:
        return {unit: UnitFacts("loaded", "active", "running", job_running=False) for unit in works(units)}

    monkeypatch.setattr(host, "facts", facts)
    assert told(host.update().run()) == {"app": ("rolled_back", "job_failed")}
    assert (host.running("app"), host.tags[APP]) == (V1.id, V1.id)


def test_a_build_whose_unit_somebody_stops_meanwhile_keeps_its_name() -> None:
    host = Host()
    host.has(V1, APP)
    host.service(UNIT, Recipe("app", APP, policy="local"), stopped_on={V2.id})
    host.has(V1, "localhost/kept:1")
    host.has(V2, APP)
    assert told(host.update().run()) == {"app": ("failed", "job_failed")}
    assert (host.running("app"), host.tags[APP]) == (None, V2.id)


def test_what_fails_again_and_again_is_put_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries it looks as if somebody stopped it."""
    host.services[UNIT].stopped_on = {V2.id}
    monkeypatch.setattr(jobs, "_NOTICED_SECONDS", 0.3)
    works, looks = host.facts, itertools.count()

    def facts(units: t.Collection[str]) -> dict[str, UnitFacts]:
        if host.running("app") == V1.id:
            return works(units)
        state = ("deactivating", "activating")[min(1, next(looks))]
        return {unit: replace(one, active_state=state) for unit, one in works(units).items()}

    monkeypatch.setattr(host, "facts", facts)
    assert told(host.update().run()) == {"app": ("rolled_back", "job_failed")}
    assert host.running("app") == V1.id


@pytest.mark.parametrize(("other_fails", "held"), [(False, []), (True, [V2.id])])
def test_the_others_of_its_group_go_back_and_the_image_is_held_if_it_failed_there(
    host: Host, other_fails: bool, held: list[str]
) -> None:
    for name in ("b", "c"):
        host.has(V1, APP)
        host.service(f"{name}.service", Recipe(name, APP))
    host.services["b.service"].stopped_on = {V2.id}
    host.services["c.service"].fails_on = {V2.id} if other_fails else set()
    assert told(host.update().run()) == {
        "app": ("rolled_back", "group_failed"),
        "b": ("failed", "job_failed"),
        "c": ("rolled_back", "job_failed" if other_fails else "group_failed"),
    }
    assert [host.running(name) for name in ("app", "b", "c")] == [V1.id, None, V1.id]
    assert host.tags[APP] == V1.id
    assert [one.id for one in host.memory.state.holds] == held  # type: ignore[union-attr]


# By name.


def _restarted(host: Host, unit: str = UNIT) -> tuple[bool, bool, str | None]:
    host.has(V2, APP)
    host.has(V1, "localhost/kept:1")
    restarting = Restarting(host, host, host._connect, host, Condition.STALE)
    (one,) = restarting.run([unit], lambda manager: Gate(host, manager, GateOptions(settle=0.0)))
    return one.restarted, one.failed, one.reason and one.reason.value


def test_a_named_unit_that_systemd_refuses_to_restart_was_not_restarted(host: Host) -> None:
    host.services[UNIT].declined = True
    assert _restarted(host) == (False, True, "job_failed")
    assert host.running("app") == V1.id


def test_a_member_that_takes_its_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod's job is done before the member's unit is active, although its container runs: it waits for a word of it."""
    host = Host()
    host.has(V1, APP)
    host.service("pod.service", Recipe("app", APP), pod=True)
    member = host.service(UNIT)
    host.tied = {"pod.service": UnitLinks(dependents=frozenset({UNIT}))}
    works = host.restart

    def restart(units: t.Collection[str]) -> t.Any:
        member.active_state = "activating"
        return works(units)

    monkeypatch.setattr(host, "restart", restart)
    assert _restarted(host, "pod.service") == (True, False, None)
    assert host.done("start") == [(UNIT,)]
