# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Restart units whose containers run another image than their references name in local storage, and judge them."""

from __future__ import annotations

import contextlib
import enum
import time
import typing as t
from dataclasses import dataclass, replace

from .._pure import names
from .._pure.decisions import Workload
from .._pure.errors import MissingLibraryError, StoreError, UnitError
from .._pure.health import Expected, ExpectedContainer, Failure, job_failure
from .._pure.platforms import Platform
from .._pure.reasons import Reason, Status
from .._pure.records import HostFacts, ImageRecord, Snapshot
from .._pure.registries import RegistriesConf
from .._pure.units import UnitFacts
from .dependents import Dependents
from .discover import workloads_of
from .gate import Gate
from .groups import restarted_by
from .intent import restarting
from .jobs import forget_failures
from .protocols import Definitions, Processes, Remembered, Store, Units
from .report import unchecked_warning


class Condition(str, enum.Enum):
    """Which of the units are restarted, of those that are active."""

    STALE = "stale"
    ALWAYS = "always"


@dataclass(frozen=True)
class RestartRow:
    """What became of one unit. C(moves) are its stale containers: name, image argument, image IDs before and after.

    C(dependents) are the units that were active and that its restart takes along; None where systemd does not tell.
    """

    unit: str
    stale: bool = False
    restarted: bool = False
    reason: Reason | None = None
    error: str | None = None
    failed: bool = False
    job_result: str | None = None
    duration: float | None = None
    facts: UnitFacts | None = None
    moves: tuple[tuple[str, str, str, str], ...] = ()
    dependents: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class _Found:
    """One unit as it was found: its containers, and the image that each one's reference names now."""

    unit: str
    row: RestartRow
    workloads: tuple[Workload, ...]
    wanted: t.Mapping[str, str]

    def expected(self, *, new: bool) -> Expected:
        """What must run in the unit once it was started again: on the images of now, or on those that it had."""
        return Expected(self.unit, tuple(self._container(one, new=new) for one in self.workloads))

    def _container(self, one: Workload, *, new: bool) -> ExpectedContainer:
        # A start that pulls may come up on a newer image than the one that the reference names now.
        image = (None if one.start.pulls_again() else self.wanted.get(one.container_id)) if new else one.image_id
        return ExpectedContainer(one.container_name, one.resolved_name, image, one.container_id, None)

    def stale(self) -> list[Workload]:
        return [one for one in self.workloads if self.wanted.get(one.container_id, one.image_id) != one.image_id]


class Restarting:
    """One run over named units. C(units) connects to systemd."""

    def __init__(
        self,
        store: Store,
        processes: Processes,
        units: t.Callable[[], Units],
        definitions: Definitions | None,
        condition: Condition,
        remembered: Remembered | None = None,
    ) -> None:
        self._store = store
        self._processes = processes
        self._connect = units
        self._definitions = definitions
        self._condition = condition
        self._remembered = remembered
        self._images: dict[str, set[str]] = {}
        self._records: dict[str, ImageRecord] = {}
        self.warnings: list[str] = []

    def check(self, wanted: t.Sequence[str]) -> list[RestartRow]:
        """Say what C(run) would do. Where systemd does not answer, what podman tells decides, and a warning says so."""
        units: Units | None
        facts: dict[str, UnitFacts] | None
        try:
            units = self._connect()
            facts = units.facts(wanted)
        except (UnitError, MissingLibraryError) as error:
            self.warnings.append(unchecked_warning(error))
            units = facts = None
        rows = [one.row for one in self._look(wanted, facts)]
        chosen = [row.unit for row in rows if row.restarted]
        dependents = _dependents(chosen, units) if units else None
        return [
            replace(row, reason=Reason.CHECK_MODE, dependents=dependents.noted(row.unit) if dependents else None)
            if row.restarted
            else row
            for row in rows
        ]

    def run(self, wanted: t.Sequence[str], gate: t.Callable[[Units], Gate]) -> list[RestartRow]:
        """Restart side by side what is to be restarted, and judge it.

        Raises:
            EngineError: The host could not be looked at; nothing was changed.
        """
        units = self._connect()
        found = {one.unit: one for one in self._look(wanted, units.facts(wanted))}
        chosen = [one for one in found.values() if one.row.restarted]
        with self._intending(chosen, units):
            ended = self._restart(chosen, units, gate(units)) if chosen else {}
        facts = units.facts(list(found))
        rows = [ended.get(unit, one.row) for unit, one in found.items()]
        return [replace(row, facts=facts.get(row.unit, row.facts)) for row in rows]

    # What there is to do.

    def _look(self, wanted: t.Sequence[str], facts: t.Mapping[str, UnitFacts] | None) -> list[_Found]:
        # A unit's containers name the unit itself, whatever alias somebody else calls it by.
        own = {unit: (facts or {}).get(unit, UnitFacts("", "", "", job_running=False)).id or unit for unit in wanted}
        workloads, images = workloads_of(self._store, self._processes, set(own.values()), self._definitions)
        self._records = images
        self._images = {image.id: set(image.names) for image in images.values()}
        tagged = {name: image.id for image in images.values() for name in image.names}
        found = []
        for unit in dict.fromkeys(own.values()):
            mine = tuple(one for one in workloads if one.unit == unit)
            target = {
                one.container_id: tagged[one.resolved_name]
                for one in mine
                if one.finding is None and one.resolved_name in tagged
            }
            one = _Found(unit, RestartRow(unit), mine, target)
            state = None if facts is None else next((facts.get(name) for name in wanted if own[name] == unit), None)
            found.append(replace(one, row=self._judged(one, state, asked=facts is not None)))
        return found

    def _judged(self, one: _Found, state: UnitFacts | None, *, asked: bool) -> RestartRow:
        moves = tuple(
            (each.container_name, each.image, each.image_id or "", one.wanted[each.container_id])
            for each in one.stale()
        )
        row = RestartRow(one.unit, stale=bool(moves), facts=state, moves=moves)
        if asked and (state is None or state.load_state != "loaded"):
            said = state.load_state if state else "not-found"
            return replace(
                row, reason=Reason.UNIT_NOT_LOADED, error=f"systemd says that {one.unit} is {said}", failed=True
            )
        if state and state.changing:
            return replace(row, reason=Reason.JOB_RUNNING, error=f"{one.unit} is {state.active_state}")
        if state and state.active_state != "active":
            error = f"{one.unit} is {state.active_state}; only what is active is restarted"
            return replace(row, reason=Reason.NOT_RUNNING, error=error)
        if self._condition is Condition.ALWAYS or moves:
            return replace(row, restarted=True)
        return self._unknown(one, row)

    def _unknown(self, one: _Found, row: RestartRow) -> RestartRow:
        """Why it cannot be told whether a unit is stale, if it cannot."""
        if not one.workloads:
            error = f"no running container names {one.unit} as its unit"
            return replace(row, reason=Reason.NO_UNIT_LABEL, error=error)
        for each in one.workloads:
            if each.finding is not None and each.finding.status is not Status.PINNED:
                return replace(row, reason=each.finding.reason, error=each.finding.error)
            if each.finding is None and each.container_id not in one.wanted:
                error = f"{each.image} names no image in local storage"
                return replace(row, reason=Reason.NO_LOCAL_TAG, error=error)
        return row

    # Doing it.

    def _intending(self, chosen: t.Sequence[_Found], units: Units) -> t.ContextManager[None]:
        """Have it on the disk what a run that is killed would leave behind."""
        if self._remembered is None or not chosen:
            return contextlib.nullcontext()
        # Only what is held needs the host's own platform, and a restart holds nothing.
        host = HostFacts((), Platform("linux", "unknown"), RegistriesConf())
        snapshot = Snapshot((), self._records, host)
        workloads = {one.unit: one.workloads for one in chosen}
        wanted = {key: image_id for one in chosen for key, image_id in one.wanted.items()}
        return restarting(self._remembered, units, workloads, wanted, snapshot)

    def _restart(self, chosen: t.Sequence[_Found], units: Units, gate: Gate) -> dict[str, RestartRow]:
        started = time.monotonic()
        dependents = _dependents([one.unit for one in chosen], units)
        # What another one's restart takes along is restarted by that, and once.
        by = restarted_by((one.unit for one in chosen), units.links([one.unit for one in chosen]))
        ended = units.restart(sorted(set(by.values())))
        jobs = {unit: ended[root] for unit, root in by.items()}
        done = [one for one in chosen if jobs[one.unit].done]
        failures = {one.unit: failure for one in chosen if (failure := job_failure(one.unit, jobs[one.unit]))}
        # What systemd has not started yet, must run before it can be judged: members of a pod, and what else comes along.
        failures.update(dependents.restore([one.unit for one in done]))
        failures.update(gate.judge([one.expected(new=True) for one in done if one.unit not in failures]))
        for one in chosen:
            if jobs[one.unit].cancelled:
                failures[one.unit] = self._start_as_before(one, units, gate, failures[one.unit])
        up = [one.unit for one in chosen if one.unit not in failures or failures[one.unit].reason is Reason.JOB_TIMEOUT]
        for unit, failure in dependents.restore(up).items():
            failures.setdefault(unit, failure)
        duration = time.monotonic() - started
        rows = {}
        for one in chosen:
            job, along = jobs[one.unit], dependents.noted(one.unit)
            row = replace(one.row, job_result=job.result, duration=duration, dependents=along)
            if job.refused:
                row = replace(one.row, restarted=False)
            if one.unit in failures:
                failure = failures[one.unit]
                row = replace(row, failed=True, reason=failure.reason, error=failure.error)
            rows[one.unit] = row
        return rows

    def _start_as_before(self, one: _Found, units: Units, gate: Gate, failure: Failure) -> Failure:
        """Start a unit whose restart was cancelled, which leaves it down, on the images that it had; its names stay."""
        moved: list[tuple[str, str, str]] = []
        try:
            for each in one.stale():
                old, new = t.cast("str", each.image_id), one.wanted[each.container_id]
                if old in self._images and all(name != each.resolved_name for name, _old, _new in moved):
                    self._store.tag(new, names.rejected(each.resolved_name, new))
                    self._store.tag(old, each.resolved_name)
                    moved.append((each.resolved_name, old, new))
            forget_failures([one.unit], units)
            job = units.start([one.unit])[one.unit]
            # systemd was about to start it by itself, and may have counted that.
            counted = next((facts.n_restarts for facts in units.facts([one.unit]).values()), 0)
            expected = replace(one.expected(new=False), restarts=counted)
            problem = job_failure(one.unit, job) or gate.judge([expected]).get(one.unit)
        except (StoreError, UnitError) as error:
            problem = Failure(error.reason, str(error))
        finally:
            self._names_back(moved)
        if problem is None:
            return Failure(failure.reason, f"{failure.error}; it runs as before")
        return Failure(Reason.UNIT_DOWN, f"{failure.error}; then, on its way back: {problem.error}")

    def _names_back(self, moved: t.Sequence[tuple[str, str, str]]) -> None:
        """Only units are this module's to change: each name points again to where it was found."""
        for name, _old, new in moved:
            with contextlib.suppress(StoreError):
                self._store.tag(new, name)
                kept = names.rejected(name, new)
                if kept not in self._images.get(new, ()):
                    self._store.untag(new, kept)


def _dependents(restarted: t.Sequence[str], units: Units) -> Dependents:
    """What goes down with each of the units when it is restarted, as it is now."""
    dependents = Dependents(units)
    dependents.remember({unit: (unit,) for unit in restarted})
    return dependents
