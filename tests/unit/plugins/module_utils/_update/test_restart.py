# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts of named units: which of them, how often, and what becomes of those that fail."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import UnitError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.health import GateOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome, UnitFacts, UnitLinks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.gate import Gate
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.restart import (
    Condition,
    Restarting,
    RestartRow,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host

UNIT = "app.service"


@pytest.fixture
def stale(host: Host) -> Host:
    """The local name points to version 2 by now, while the unit runs version 1."""
    host.has(V2, APP)
    host.has(V1, "localhost/kept:1")
    return host


def _restarting(host: Host, condition: Condition = Condition.STALE) -> Restarting:
    return Restarting(host, host, host._connect, host, condition)


def _run(host: Host, *units: str, condition: Condition = Condition.STALE) -> dict[str, RestartRow]:
    def gate(manager: t.Any) -> Gate:
        return Gate(host, manager, GateOptions(settle=0.0))

    rows = _restarting(host, condition).run(units or (UNIT,), gate)
    return {row.unit: row for row in rows}


def _told(row: RestartRow) -> tuple[bool, bool, Reason | None]:
    return row.restarted, row.failed, row.reason


def test_what_is_stale_is_restarted_once(stale: Host) -> None:
    row = _run(stale)[UNIT]
    assert _told(row) == (True, False, None)
    assert row.moves == (("app", APP, V1.id, V2.id),)
    assert stale.running("app") == V2.id
    assert _told(_run(stale)[UNIT]) == (False, False, None)
    assert stale.done("restart") == [(UNIT,)]


def test_what_is_not_stale_is_restarted_where_that_is_asked_for(host: Host) -> None:
    assert _told(_run(host)[UNIT]) == (False, False, None)
    assert _told(_run(host, condition=Condition.ALWAYS)[UNIT]) == (True, False, None)


def test_a_check_restarts_nothing_and_says_the_same(stale: Host) -> None:
    before = stale.state()
    assert [_told(row) for row in _restarting(stale).check([UNIT])] == [(True, False, Reason.CHECK_MODE)]
    assert (stale.state(), stale.log) == (before, [])


def test_a_check_without_systemd_says_so_and_a_run_fails(stale: Host) -> None:
    stale.no_dbus = True
    restarting = _restarting(stale)
    assert [(row.restarted, row.dependents) for row in restarting.check([UNIT])] == [(True, None)]
    assert any(Reason.UNITS_NOT_CHECKED.value in warning for warning in restarting.warnings)
    with pytest.raises(UnitError):
        _run(stale)


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("active_state", "inactive", (False, False, Reason.NOT_RUNNING)),
        ("active_state", "activating", (False, False, Reason.JOB_RUNNING)),
        ("job_running", True, (False, False, Reason.JOB_RUNNING)),
        ("load_state", "masked", (False, True, Reason.UNIT_NOT_LOADED)),
    ],
)
def test_only_what_is_active_is_restarted(stale: Host, attribute: str, value: object, expected: object) -> None:
    setattr(stale.services[UNIT], attribute, value)
    assert _told(_run(stale)[UNIT]) == expected
    assert not stale.log


def test_a_unit_that_nobody_knows_fails_and_the_others_are_restarted(stale: Host) -> None:
    rows = _run(stale, "none.service", UNIT)
    assert _told(rows["none.service"]) == (False, True, Reason.UNIT_NOT_LOADED)
    assert _told(rows[UNIT]) == (True, False, None)


def test_a_name_without_an_image_is_told(host: Host) -> None:
    del host.tags[APP]
    row = _run(host)[UNIT]
    assert (row.restarted, row.reason) == (False, Reason.NO_LOCAL_TAG)


def test_a_job_that_fails_is_told_and_nothing_is_undone(stale: Host) -> None:
    stale.services[UNIT].fails_on.add(V2.id)
    row = _run(stale)[UNIT]
    assert (row.failed, row.reason, row.job_result) == (True, Reason.JOB_FAILED, "failed")
    assert stale.tags[APP] == V2.id


@pytest.mark.usefixtures("impatient")
def test_a_container_that_is_gone_after_its_start_is_told(stale: Host) -> None:
    stale.services[UNIT].crashes_on.add(V2.id)
    row = _run(stale)[UNIT]
    assert (row.failed, row.job_result) == (True, "done")


class _Late(Host):
    """A host on which a restart is cancelled because it hangs, which leaves the unit down."""

    def restart(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        outcomes = super().restart(units)
        for unit, outcome in outcomes.items():
            if outcome.result == "timeout":
                outcomes[unit] = JobOutcome("timeout", 9.0, f"the job of {unit} did not end", cancelled=True)
        return outcomes


@pytest.fixture
def late() -> Host:
    host = _Late()
    host.has(V1, APP)
    host.service(UNIT, Recipe("app", APP), late_on={V2.id})
    host.has(V2, APP)
    host.has(V1, "localhost/kept:1")
    return host


def test_a_restart_that_hangs_ends_on_the_old_image_and_the_name_stays(late: Host) -> None:
    row = _run(late)[UNIT]
    assert (row.failed, row.reason, row.job_result) == (True, Reason.JOB_TIMEOUT, "timeout")
    assert "runs as before" in str(row.error)
    assert late.running("app") == V1.id
    assert late.tags == {APP: V2.id, "localhost/kept:1": V1.id}
    assert late.done("reset_failed") == [(UNIT,)]


def test_what_systemd_counted_while_it_hung_is_not_held_against_the_old_image(
    late: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = late.facts

    def facts(units: t.Collection[str]) -> dict[str, UnitFacts]:
        count = 2 if late.done("start") else 0
        return {unit: replace(one, n_restarts=count) for unit, one in works(units).items()}

    monkeypatch.setattr(late, "facts", facts)
    row = _run(late)[UNIT]
    assert (row.reason, "runs as before" in str(row.error)) == (Reason.JOB_TIMEOUT, True)


def test_a_restart_that_hangs_without_a_way_back_leaves_the_unit_down(late: Host) -> None:
    late.drop(V1)
    row = _run(late)[UNIT]
    assert (row.failed, row.reason) == (True, Reason.UNIT_DOWN)
    assert late.tags == {APP: V2.id}


def test_what_a_restart_takes_along_is_named_where_it_was_active(stale: Host) -> None:
    stale.service("other.service", Recipe("other", APP, policy=None))
    for name in ("child.service", "idle.service"):
        stale.service(name)
    stale.services["idle.service"].active_state = "inactive"
    stale.tied[UNIT] = UnitLinks(dependents=frozenset({"idle.service", "child.service", "gone.service"}))
    checked = {row.unit: row.dependents for row in _restarting(stale, Condition.ALWAYS).check([UNIT, "other.service"])}
    assert checked == {UNIT: ("child.service",), "other.service": ()}
    rows = _run(stale, UNIT, "other.service", condition=Condition.ALWAYS)
    assert {unit: row.dependents for unit, row in rows.items()} == checked
    assert _run(stale)[UNIT].dependents == ()


def test_what_a_restart_takes_along_is_not_known_where_systemd_does_not_tell(
    stale: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def links(_units: t.Collection[str]) -> dict[str, UnitLinks]:
        raise UnitError("systemd did not answer over D-Bus")

    monkeypatch.setattr(stale, "links", links)
    assert [(row.restarted, row.dependents) for row in _restarting(stale).check([UNIT])] == [(True, None)]


def test_what_another_ones_restart_takes_along_is_restarted_once(stale: Host) -> None:
    other = "quay.io/team/child:1"
    stale.has(V1, other)
    stale.service("child.service", Recipe("child", other))
    stale.has(V2, other, APP)
    stale.tied[UNIT] = UnitLinks(dependents=frozenset({"child.service"}))
    stale.takes_along[UNIT] = "child.service"
    rows = _run(stale, UNIT, "child.service")
    assert {unit: _told(row) for unit, row in rows.items()} == dict.fromkeys(
        (UNIT, "child.service"), (True, False, None)
    )
    assert stale.done("restart") == [(UNIT,), ("child.service",)]
    assert (stale.running("app"), stale.running("child")) == (V2.id, V2.id)
