# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The gate: whether units run what they should and go on doing so. Judged by looking, side by side, not by job results."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .._pure.errors import EngineError
from .._pure.health import (
    Expected,
    ExpectedContainer,
    Failure,
    GateOptions,
    Healthcheck,
    health_objection,
    is_healthy,
    placed,
    steady,
    unit_objection,
)
from .._pure.ownership import is_service_name
from .._pure.reasons import Reason
from .._pure.records import ListedContainer
from .._pure.units import UnitFacts
from .protocols import Store, Units
from .together import Together

__all__ = ["Expected", "ExpectedContainer", "Failure", "Gate", "GateOptions"]

#: How long the containers of a unit may take to appear after its job is done. Members of a pod are units of their own,
#: which start after the pod's job; for a single container the first look suffices.
_APPEAR_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.25
#: How often systemd and healthchecks are asked while a unit settles.
_TICK_SECONDS = 1.0
_MOST_COMMANDS = 8
#: podman's database is locked for a moment now and then.
_TRIES = 3


@dataclass
class _Case:
    """One unit on trial."""

    expected: Expected
    containers: tuple[ListedContainer, ...] = ()
    #: What systemd's counter stood at for the units of its containers; that of the unit itself began anew.
    restarts: dict[str, int] = field(default_factory=dict)
    failure: Failure | None = None
    #: Whether looking again could not change the failure.
    final: bool = False

    @property
    def unit(self) -> str:
        return self.expected.unit

    def units(self) -> list[str]:
        """The unit, and the units that its containers say to belong to: members of a pod have their own."""
        labels = {one.unit_label for one in self.containers}
        return [self.unit, *sorted(one for one in labels if one and one != self.unit and is_service_name(one))]


class Gate:
    """Judges units after their restart. One may serve several threads: their looks are shared."""

    def __init__(self, store: Store, units: Units, options: GateOptions) -> None:
        self._store = store
        self._units = units
        self._options = options
        self._list = Together(lambda _none: store.containers())
        self._checks = Together(store.healthchecks)

    def judge(self, expected: t.Sequence[Expected]) -> dict[str, Failure]:
        """What is wrong, by unit; a unit that runs as it should is missing from the answer."""
        cases = [_Case(one) for one in expected]
        self._await_containers(cases)
        self._watch(_open(cases))
        self._run_commands(_open(cases))
        return {one.unit: one.failure for one in cases if one.failure}

    # That everything runs.

    def _await_containers(self, cases: t.Sequence[_Case]) -> None:
        deadline = time.monotonic() + _APPEAR_SECONDS
        waiting = list(cases)
        while waiting:
            self._look(waiting)
            late = time.monotonic() >= deadline
            waiting = [one for one in waiting if one.failure and not one.final and not late]
            if waiting:
                time.sleep(_LOOK_AGAIN_SECONDS)

    def _look(self, cases: t.Sequence[_Case]) -> None:
        try:
            listed = self._list()
            for one in cases:
                found = placed(one.expected, listed)
                one.failure, one.containers = (found, ()) if isinstance(found, Failure) else (None, found)
            facts = self._units.facts([unit for one in cases for unit in one.units()])
        except EngineError as error:
            for one in cases:
                one.failure = Failure(error.reason, str(error))
            return
        for one in cases:
            one.restarts = one.restarts or {unit: facts[unit].n_restarts for unit in one.units()[1:] if unit in facts}
            one.final = one.failure is not None and one.failure.reason is Reason.UNIT_REUSES_CONTAINER
            if not one.final and (objection := _objection(one, facts)):
                one.failure, one.final = objection, True

    # That it stays so.

    def _watch(self, cases: t.Sequence[_Case]) -> None:
        """Wait until the units have settled and their containers are healthy; each unit that fails is out at once."""
        checks = self._first_checks(cases)
        if self._options.settle <= 0 and not checks:
            return
        begun = time.monotonic()
        while True:
            waited = time.monotonic() - begun
            self._weigh(_open(cases), checks, waited)
            left = self._options.settle - waited
            pending = [one for one in _open(cases) if left > 0 or not _all_healthy(one, checks)]
            if not pending:
                break
            time.sleep(min(_TICK_SECONDS, left) if left > 0 else _TICK_SECONDS)
            checks.update(self._later_checks(_with_checks(pending, checks)))
        self._look_again(_open(cases))

    def _first_checks(self, cases: t.Sequence[_Case]) -> dict[str, Healthcheck]:
        """Which containers have healthchecks, in one call."""
        if not self._options.wait_healthy or not cases:
            return {}
        for attempt in range(_TRIES):
            try:
                return self._read_checks(cases)
            except EngineError as error:
                for one in cases:
                    one.failure = Failure(error.reason, str(error)) if attempt == _TRIES - 1 else None
                time.sleep(_LOOK_AGAIN_SECONDS)
        return {}

    def _read_checks(self, cases: t.Sequence[_Case]) -> dict[str, Healthcheck]:
        ids = {container.id for one in cases for container in one.containers if container.has_healthcheck}
        return {key: one for key, one in self._checks(ids).items() if key in ids} if ids else {}

    def _later_checks(self, cases: t.Sequence[_Case]) -> dict[str, Healthcheck]:
        """The healthchecks as they are by now; those without a timer are run before."""
        try:
            found = self._read_checks(cases)
            by_hand = [key for key, one in found.items() if not one.has_timer and one.status == "starting"]
            for key in by_hand:
                self._store.run_healthcheck(key)
            return self._read_checks(cases) if by_hand else found
        except EngineError:
            return {}  # Asked again with the next tick; the bound holds.

    def _weigh(self, cases: t.Sequence[_Case], checks: t.Mapping[str, Healthcheck], waited: float) -> None:
        try:
            facts = self._units.facts([unit for one in cases for unit in one.units()])
        except EngineError as error:
            if waited >= self._options.settle:  # Until then systemd may come back.
                for one in cases:
                    one.failure = Failure(error.reason, str(error))
            return
        for one in cases:
            objections = (health_objection(each.name, checks.get(each.id), waited) for each in one.containers)
            one.failure = _objection(one, facts) or next(filter(None, objections), None)

    def _look_again(self, cases: t.Sequence[_Case]) -> None:
        before = {one.unit: one.containers for one in cases}
        for _attempt in range(_TRIES if cases else 0):
            self._look(cases)
            if all(one.failure is None or one.failure.reason is not Reason.STORE_FAILED for one in cases):
                break
            time.sleep(_LOOK_AGAIN_SECONDS)
        for one in cases:
            one.failure = one.failure or steady(before[one.unit], one.containers)

    # That its owner is content.

    def _run_commands(self, cases: t.Sequence[_Case]) -> None:
        command = self._options.health_command
        if command is None or not cases:
            return
        with ThreadPoolExecutor(max_workers=min(_MOST_COMMANDS, len(cases))) as pool:
            for one, error in zip(cases, pool.map(command, [one.unit for one in cases])):
                if error is not None:
                    one.failure = Failure(Reason.UNHEALTHY, error)


def _open(cases: t.Sequence[_Case]) -> list[_Case]:
    return [one for one in cases if one.failure is None]


def _objection(case: _Case, facts: t.Mapping[str, UnitFacts]) -> Failure | None:
    own = unit_objection(case.unit, facts.get(case.unit), restarts=case.expected.restarts)
    others = (
        unit_objection(unit, state, restarts=case.restarts.get(unit, state.n_restarts))
        for unit in case.units()[1:]
        if (state := facts.get(unit)) and state.load_state == "loaded"
    )
    return own or next(filter(None, others), None)


def _all_healthy(case: _Case, checks: t.Mapping[str, Healthcheck]) -> bool:
    return all(is_healthy(checks.get(one.id)) for one in case.containers)


def _with_checks(cases: t.Sequence[_Case], checks: t.Mapping[str, Healthcheck]) -> list[_Case]:
    return [one for one in cases if any(each.id in checks for each in one.containers)]
