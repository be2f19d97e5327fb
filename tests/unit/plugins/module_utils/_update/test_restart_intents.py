# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts of named units that are killed: what a crash would cost is on the disk before, and is given back."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.intents import FINISHED, NOTHING, UNDONE
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome, UnitLinks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.gate import Gate
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.protocols import Units
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.restart import (
    Condition,
    Restarting,
    RestartRow,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host

LOG = "quay.io/team/log:1"


class KilledError(BaseException):
    """As if the process were gone."""


@pytest.fixture
def host() -> Host:
    """A unit that is stale, and another one that depends on it."""
    host = Host()
    host.has(V1, APP, LOG)
    host.service("app.service", Recipe("app", APP, policy=None))
    host.service("log.service", Recipe("log", LOG, policy=None))
    host.tied["app.service"] = UnitLinks(frozenset(), frozenset({"log.service"}))
    host.has(V2, APP)
    return host


def _restart(host: Host, condition: Condition = Condition.STALE) -> list[RestartRow]:
    def gate(units: Units) -> Gate:
        return Gate(host, units, host.gate)

    run = Restarting(host, host, lambda: host, host, condition, host.memory)
    return run.run(["app.service"], gate)


def _killed(host: Host, name: str, instead: t.Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(host, name, instead)
        with contextlib.suppress(KilledError):
            _restart(host)
    assert [one.unit for one in host.memory.state.intents] == ["app.service"]


def _repair(host: Host) -> list[tuple[str, str, str | None]]:
    return [(one.unit, one.did, one.error) for one in host.update().repair().repaired]


def test_a_restart_that_ends_leaves_no_intent(host: Host) -> None:
    (row,) = _restart(host)
    assert (row.restarted, row.failed) == (True, False)
    assert host.running("app") == V2.id
    assert (host.memory.state.intents, host.memory.writes) == ((), 2)


def test_what_a_crash_would_cost_nothing_is_not_written(host: Host) -> None:
    host.tied.clear()
    host.has(V1, APP)
    _restart(host, Condition.ALWAYS)
    assert host.memory.writes == 0


def test_nothing_is_restarted_where_it_cannot_be_written(host: Host) -> None:
    host.memory.broken = True
    with pytest.raises(StateError):
        _restart(host)
    assert host.log == []


def test_dependents_come_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    restart = host.restart

    def killed(units: t.Collection[str]) -> t.NoReturn:
        restart(units)
        host.services["log.service"].active_state = "inactive"
        raise KilledError

    _killed(host, "restart", killed, monkeypatch)
    assert _repair(host) == [("app.service", NOTHING, None)]
    assert host.services["log.service"].active_state == "active"
    assert (host.running("app"), host.tags[APP]) == (V2.id, V2.id)
    assert (host.memory.state.intents, host.memory.history) == ((), [])


def test_a_unit_that_is_down_is_started(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_units: t.Collection[str]) -> t.NoReturn:
        host.services["app.service"].active_state = "inactive"
        host.containers_ = [one for one in host.containers_ if one.listed.name != "app"]
        raise KilledError

    _killed(host, "restart", killed, monkeypatch)
    assert _repair(host) == [("app.service", FINISHED, None)]
    assert host.running("app") == V2.id


def test_names_that_were_moved_for_the_way_back_are_where_they_were(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(units: t.Collection[str]) -> dict[str, JobOutcome]:
        host.services["app.service"].active_state = "inactive"
        host.containers_ = [one for one in host.containers_ if one.listed.name != "app"]
        return {unit: JobOutcome("timeout", 1.0, cancelled=True) for unit in units}

    start = host.start

    def dead(*_given: object) -> t.NoReturn:
        raise KilledError

    def killed(units: t.Collection[str]) -> t.NoReturn:
        start(units)
        monkeypatch.setattr(host, "tag", dead)
        monkeypatch.setattr(host, "untag", dead)
        raise KilledError

    monkeypatch.setattr(host, "restart", late)
    _killed(host, "start", killed, monkeypatch)
    monkeypatch.undo()
    assert (host.running("app"), host.tags[APP]) == (V1.id, V1.id)
    assert len(host.tags) == 3
    assert _repair(host) == [("app.service", UNDONE, None)]
    assert host.tags == {APP: V2.id, LOG: V1.id}
    assert host.running("app") == V1.id


def test_a_unit_that_is_gone_by_then_is_not_started(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_units: t.Collection[str]) -> t.NoReturn:
        raise KilledError

    _killed(host, "restart", killed, monkeypatch)
    del host.services["app.service"]
    host.containers_ = [one for one in host.containers_ if one.listed.name != "app"]
    assert _repair(host) == [("app.service", NOTHING, None)]
    assert host.log == []
