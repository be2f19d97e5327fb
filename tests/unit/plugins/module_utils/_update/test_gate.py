# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate between a good job and an accepted unit: settling, healthchecks, the operator's command, dependents."""

from __future__ import annotations

import itertools
import time
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError, UnitError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.health import GateOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import UnitFacts, UnitLinks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update import gate
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask often: a second between two questions is no parameter."""
    monkeypatch.setattr(gate, "_TICK_SECONDS", 0.02)
    monkeypatch.setattr(gate, "_LOOK_AGAIN_SECONDS", 0.01)


@pytest.fixture
def host() -> Host:
    """A host that runs version 1 in one unit, while the registry has version 2; units settle for a moment."""
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    host.gate = GateOptions(settle=0.1)
    return host


def _is_back(host: Host, reason: str) -> None:
    assert told(host.update().run()) == {"app": ("rolled_back", reason)}
    assert host.running("app") == host.tags[APP] == V1.id
    assert host.tags[names.rejected(APP, V2.id)] == V2.id


def _facts_are(host: Host, monkeypatch: pytest.MonkeyPatch, change: t.Callable[[str, UnitFacts], UnitFacts]) -> None:
    works = host.facts

    def facts(units: t.Collection[str]) -> dict[str, UnitFacts]:
        return {unit: change(unit, one) for unit, one in works(units).items()}

    monkeypatch.setattr(host, "facts", facts)


# Settling.


def test_a_unit_that_goes_on_running_is_updated_when_it_has_settled(host: Host) -> None:
    host.gate = GateOptions(settle=0.3)
    began = time.monotonic()
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("looks", [1, 3])
def test_what_systemd_restarts_by_itself_is_put_back(host: Host, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    seen = itertools.count(1)

    def restarted(_unit: str, facts: UnitFacts) -> UnitFacts:
        on_new = host.running("app") == V2.id
        return replace(facts, n_restarts=1) if on_new and next(seen) >= looks else facts

    _facts_are(host, monkeypatch, restarted)
    _is_back(host, "restarted_again")


@pytest.mark.parametrize("steady", [True, False])
def test_what_systemd_counted_before_the_way_back_is_not_held_against_the_old_image(
    host: Host, monkeypatch: pytest.MonkeyPatch, steady: bool
) -> None:
    """It was about to start the failed unit by itself; what it counts from then on is another matter."""
    host.services["app.service"].fails_on = {V2.id}
    looks = itertools.count(3)

    def counted(_unit: str, facts: UnitFacts) -> UnitFacts:
        return replace(facts, n_restarts=3 if steady else next(looks)) if len(host.done("restart")) > 1 else facts

    _facts_are(host, monkeypatch, counted)
    if steady:
        _is_back(host, "job_failed")
    else:
        report = host.update().run()
        assert told(report) == {"app": ("failed", "unit_down")}
        assert "systemd restarted it" in str(row(report, "app").finding.error)


@pytest.mark.parametrize("change", [{"n_restarts": 1}, {"active_state": "failed"}])
def test_a_pods_member_whose_own_unit_fails_while_it_settles_is_put_back(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, t.Any]
) -> None:
    """The pod's unit stays as it is, and the container runs whenever somebody looks."""
    host = Host()
    host.has(V1, APP)
    host.service("pod.service", Recipe("app", APP), pod=True)
    host.service("app.service")
    host.registry.publish(V2)
    host.gate = GateOptions(settle=0.1)
    seen = itertools.count(1)

    def fails(unit: str, facts: UnitFacts) -> UnitFacts:
        is_late = unit == "app.service" and host.running("app") == V2.id and next(seen) > 2
        return replace(facts, **change) if is_late else facts

    _facts_are(host, monkeypatch, fails)
    _is_back(host, "restarted_again" if "n_restarts" in change else "not_running")


def test_what_ends_while_it_settles_is_put_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = itertools.count(1)

    def ended(_unit: str, facts: UnitFacts) -> UnitFacts:
        return replace(facts, active_state="failed") if host.running("app") == V2.id and next(seen) > 2 else facts

    _facts_are(host, monkeypatch, ended)
    _is_back(host, "not_running")


def test_a_container_that_is_made_anew_while_it_settles_is_put_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd sees nothing of it: podman's own restart policy."""
    works, starts = host.containers, itertools.count(1)

    def containers() -> t.Any:
        listed = works()
        return tuple(
            replace(one, started_at=next(starts)) if one.image_id == V2.id and host.done("restart") else one
            for one in listed
        )

    monkeypatch.setattr(host, "containers", containers)
    _is_back(host, "restarted_again")


def test_a_list_that_fails_once_at_the_end_is_read_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    works, looks = host.containers, itertools.count(1)

    def containers() -> t.Any:
        if host.done("restart") and next(looks) == 2:
            raise StoreError("podman ps: the database is locked")
        return works()

    monkeypatch.setattr(host, "containers", containers)
    assert told(host.update().run()) == {"app": ("updated", None)}


def test_a_systemd_that_does_not_answer_any_more_is_no_proof(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    works = host.facts

    def facts(units: t.Collection[str]) -> dict[str, UnitFacts]:
        if host.running("app") == V2.id:
            raise UnitError("systemd did not answer over D-Bus")
        return works(units)

    monkeypatch.setattr(host, "facts", facts)
    monkeypatch.setattr(gate, "_APPEAR_SECONDS", 0.1)
    assert told(host.update().run())["app"][0] == "rolled_back"
    assert host.running("app") == V1.id


def test_members_of_a_group_settle_side_by_side(host: Host) -> None:
    for number in range(6):
        host.service(f"more{number}.service", Recipe(f"more{number}", APP))
    host.gate = GateOptions(settle=0.4)
    began = time.monotonic()
    assert set(told(host.update().run()).values()) == {("updated", None)}
    # Twice: the first one alone, then the six others.
    assert time.monotonic() - began < 0.4 * 4


# Healthchecks.


def test_a_healthy_container_is_waited_for(host: Host) -> None:
    host.health[f"app {V2.id}"] = ["starting", "starting", "starting", "healthy"]
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert host.health[f"app {V2.id}"] == ["healthy"]
    assert host.done("healthcheck") == []


@pytest.mark.parametrize("settle", [0.0, 0.1])
def test_an_unhealthy_one_is_put_back(host: Host, settle: float) -> None:
    host.gate = GateOptions(settle=settle)
    host.health[f"app {V2.id}"] = ["starting", "unhealthy"]
    _is_back(host, "unhealthy")


def test_one_that_is_never_healthy_is_put_back_when_its_time_is_over(host: Host) -> None:
    host.health[f"app {V2.id}"] = ["starting"]
    host.health_bound = 0.2
    _is_back(host, "unhealthy")


def test_one_that_flaps_is_put_back(host: Host) -> None:
    host.health[f"app {V2.id}"] = ["starting", "healthy", "healthy", "unhealthy"]
    host.gate = GateOptions(settle=1.0)
    _is_back(host, "unhealthy")


def test_one_without_a_timer_is_run_by_us_until_it_tells(host: Host) -> None:
    host.health[f"app {V2.id}"] = [*["by hand starting"] * 4, "by hand healthy"]
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert 1 <= len(host.done("healthcheck")) <= 3


def test_health_is_not_asked_where_nobody_wants_to_know(host: Host) -> None:
    host.health[f"app {V2.id}"] = ["unhealthy"]
    host.gate = GateOptions(settle=0.1, wait_healthy=False)
    assert told(host.update().run()) == {"app": ("updated", None)}


def test_the_old_image_must_be_healthy_again_too(host: Host) -> None:
    host.health = {f"app {V2.id}": ["unhealthy"], f"app {V1.id}": ["unhealthy"]}
    assert told(host.update().run()) == {"app": ("failed", "unit_down")}


def test_health_that_cannot_be_read_is_no_proof(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.health[f"app {V2.id}"] = ["healthy"]

    def broken(_ids: t.Sequence[str]) -> t.Any:
        if host.running("app") == V2.id:
            raise StoreError("podman inspect: the database is locked")
        return {}

    monkeypatch.setattr(host, "healthchecks", broken)
    _is_back(host, "store_failed")


# The operator's command.


def test_the_command_decides(host: Host) -> None:
    asked: list[tuple[str, str | None]] = []

    def command(unit: str) -> str | None:
        asked.append((unit, host.running("app")))
        return "the site is down" if host.running("app") == V2.id else None

    host.gate = GateOptions(settle=0.0, health_command=command)
    report = host.update().run()
    assert told(report) == {"app": ("rolled_back", "unhealthy")}
    assert row(report, "app").finding.error == "the site is down"
    assert asked == [("app.service", V2.id), ("app.service", V1.id)]


def test_the_command_is_not_asked_about_what_failed_already(host: Host) -> None:
    asked: list[str | None] = []

    def command(_unit: str) -> str | None:
        asked.append(host.running("app"))
        return None

    host.services["app.service"].fails_on = {V2.id}
    host.gate = GateOptions(settle=0.0, health_command=command)
    _is_back(host, "job_failed")
    assert asked == [V1.id]


# Dependents.


@pytest.mark.parametrize("fails", [True, False])
def test_dependents_that_were_active_are_active_again(host: Host, fails: bool) -> None:
    child = host.service("child.service")
    idle = host.service("idle.service", active_state="inactive")
    host.tied = {"app.service": UnitLinks(dependents=frozenset({"child.service", "idle.service"}))}
    host.services["app.service"].fails_on = {V2.id} if fails else set()
    works = host.restart

    def restart(units: t.Collection[str]) -> t.Any:
        if "app.service" in units:
            child.active_state = "inactive"  # As systemd stops it along, and leaves it where the start fails.
        return works(units)

    host.restart = restart  # type: ignore[method-assign]
    assert told(host.update().run())["app"][0] == ("rolled_back" if fails else "updated")
    assert (child.active_state, idle.active_state) == ("active", "inactive")
    assert host.done("start") == [("child.service",)]


def test_a_dependent_that_goes_down_while_the_unit_settles_is_started_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = host.service("child.service")
    host.tied = {"app.service": UnitLinks(dependents=frozenset({"child.service"}))}
    works = host.containers

    def containers() -> t.Any:
        if host.running("app") == V2.id and not host.done("start"):
            child.active_state = "inactive"
        return works()

    monkeypatch.setattr(host, "containers", containers)
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert (child.active_state, host.done("start")) == ("active", [("child.service",)])


def test_failures_of_dependents_are_forgotten_before_the_way_back(host: Host) -> None:
    """A pod starts its members; one of them may have hit its start limit on the new image."""
    host.service("child.service").failures = 1
    host.tied = {"app.service": UnitLinks(dependents=frozenset({"child.service"}))}
    host.services["app.service"].fails_on = {V2.id}
    assert told(host.update().run()) == {"app": ("rolled_back", "job_failed")}
    assert host.done("reset_failed") == [("app.service",), ("child.service",)]


def test_a_dependent_that_will_not_come_back_is_told(host: Host) -> None:
    child = host.service("child.service", Recipe("child", "quay.io/team/gone:1", policy=None))
    host.tied = {"app.service": UnitLinks(dependents=frozenset({"child.service"}))}
    works = host.restart

    def restart(units: t.Collection[str]) -> t.Any:
        child.active_state = "inactive"
        return works(units)

    host.restart = restart  # type: ignore[method-assign]
    report = host.update().run()
    assert told(report) == {"app": ("failed", "unit_down")}
    assert "child.service, which depends on app.service" in str(row(report, "app").finding.error)
    assert host.running("app") == V1.id


# Members that ran different images of one tag.


def test_a_tag_ends_where_it_was_before_the_run(host: Host) -> None:
    """One unit ran what the tag pointed to, the other an older image: both run theirs again."""
    host.has(V2, APP)
    host.service("b.service", Recipe("b", APP))
    host.has(V1, APP)
    host.gate = GateOptions(settle=0.0)
    host.registry.publish(replace(V2, label="3"))
    third = replace(V2, label="3").id
    host.services["b.service"].fails_on = {third}
    assert {status for status, _reason in told(host.update().run()).values()} == {"rolled_back"}
    assert (host.running("app"), host.running("b"), host.tags[APP]) == (V1.id, V2.id, V1.id)


def test_a_current_unit_does_not_part_from_its_tag(host: Host) -> None:
    """Somebody pulled and restarted it; another unit on the reference then fails on that image."""
    host.has(V2, APP)
    host.service("current.service", Recipe("current", APP))
    host.gate = GateOptions(settle=0.0)
    host.services["app.service"].fails_on = {V2.id}
    report = host.update().run()
    assert told(report) == {"app": ("rolled_back", "job_failed"), "current": ("current", None)}
    assert (host.running("app"), host.running("current"), host.tags[APP]) == (V1.id, V2.id, V2.id)
