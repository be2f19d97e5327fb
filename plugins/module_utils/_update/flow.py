# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The one flow: discover, resolve, decide, stage, activate, verify, settle, report."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._pure.decisions import Decision, Finding, Workload
from .._pure.errors import MissingLibraryError, UnitError
from .._pure.health import GateOptions
from .._pure.names import is_staged
from .._pure.policies import Policy
from .._pure.reasons import Reason, Status
from .._pure.records import HostFacts, Snapshot
from .._pure.references import Reference
from .._pure.selection import Selection
from .._pure.texts import printable
from .._pure.units import UnitLinks
from .admission import (
    Failures,
    hold_beyond,
    hold_what_drags,
    hold_what_has_no_way_back,
    pulls_at_boot,
    unit_objection,
)
from .beside import Beside, Nobody
from .discover import Discovery, Trust, discover, local_names, with_all_images
from .memory import Memory, MemoryOptions
from .protocols import Definitions, Others, Processes, Registry, Remembered, Store, Units
from .report import Report, Row, row_warning, unchecked_warning
from .resolve import resolve_all, with_one_image_per_tag

if t.TYPE_CHECKING:
    from .._pure.intents import Repaired
    from .groups import Member
    from .intent import Intents
    from .outcomes import Outcome
    from .planned import Planned

#: Is given a way to the host's facts, references, and how many threads will ask for them.
Begin = t.Callable[[t.Callable[[], HostFacts], t.Collection[Reference], int], None]


@dataclass(frozen=True)
class Options:
    """What a run is asked to do."""

    selection: Selection
    policies: frozenset[Policy]
    rollback: bool
    parallel: int
    registry_parallel: int
    memory: MemoryOptions = field(default_factory=MemoryOptions)
    #: Whether units are to go back to what they ran before, instead of forward.
    back: bool = False
    #: What a plan says of this host; then no registry is asked what to run.
    planned: Planned | None = None
    #: Whether what is to come is only pulled.
    stage: bool = False
    gate: GateOptions = field(default_factory=GateOptions)
    allow_unsafe_rollback: bool = False
    trust_labels: bool = False
    limit: int | None = None
    max_failures: int | None = None

    @property
    def sees_all(self) -> bool:
        """Whether nothing keeps the run from looking at all that takes part (or that a plan names)."""
        selection = self.selection
        return not (selection.only or selection.exclude) and self.policies == frozenset(Policy)


@dataclass(frozen=True)
class World:
    """The edges of a run. Registry and systemd are connected only when there is something to ask them.

    C(registry) is told how many threads will ask it. C(begin) is told earlier what they will most
    likely ask for, while podman is waited for. C(definitions) is asked only for what podman does not tell.
    """

    store: Store
    processes: Processes
    registry: t.Callable[[Discovery, int], Registry]
    units: t.Callable[[], Units]
    begin: Begin
    memory: Remembered
    definitions: Definitions
    others: Others = field(default_factory=Nobody)
    #: Who is about to change the same containers right now, in words; None where nobody is.
    at_work: t.Callable[[], str | None] = lambda: None


class Update:
    """One run over one host."""

    def __init__(self, world: World, options: Options) -> None:
        self._world = world
        self._options = options
        self._memory = Memory(world.memory, options.memory)
        self._registry: Registry | None = None
        self._links: dict[str, UnitLinks] = {}
        self._warnings: list[str] = []
        self._repaired: tuple[Repaired, ...] = ()
        self._intents: Intents | None = None
        #: All images, where they were looked at.
        self._snapshot: Snapshot | None = None

    def check(self) -> Report:
        """Say what C(run) would do. Nothing is pulled, tagged, restarted or repaired."""
        self._repaired = self._repair(write=False)
        discovery, decisions = self._decide(write=False)
        if self._options.stage:
            return self._report(self._staged(discovery, decisions, write=False), check_mode=True)
        decisions = self._with_unit_states(discovery, decisions, must_answer=False)
        rows = [_predicted(one, decisions[one.container_id]) for one in discovery.workloads]
        return self._report(rows, check_mode=True)

    def run(self) -> Report:
        """Repair what an earlier run was interrupted in, then bring every pending workload to its target."""
        self._repaired = self._repair(write=True)
        discovery, decisions = self._decide(write=True)
        if self._options.stage:
            return self._ending(discovery, self._staged(discovery, decisions, write=True))
        decisions = self._with_unit_states(discovery, decisions, must_answer=True)
        outcomes = self._activate(discovery, decisions)
        # What a unit runs beside the containers that were changed went down with it.
        down = {
            one.unit: outcomes[one.container_id]
            for one in discovery.workloads
            if one.container_id in outcomes and outcomes[one.container_id].after == (None, None)
        }
        rows = []
        for one in discovery.workloads:
            outcome = outcomes.get(one.container_id, down.get(one.unit))
            decision = decisions[one.container_id]
            rows.append(_ended(one, decision, outcome) if outcome else _unmoved(one, decision))
        return self._ending(discovery, rows)

    def _ending(self, discovery: Discovery, rows: t.Sequence[Row]) -> Report:
        """Leave for the next run what it must know, and let go of what nobody needs any more."""
        options, planned = self._options, self._options.planned
        told = [row for row in rows if row.finding.reason is not Reason.STAGED]
        self._memory.record(told, intended=self._intents is not None)
        if planned is not None and (record := planned.record(rows, self._memory.now())):
            self._memory.note_plan(record)
        snapshot = self._snapshot or discovery.snapshot
        if not options.back and any(map(is_staged, local_names(snapshot.images))):
            from .staging import tidy  # noqa: PLC0415 (rarely asked for)

            everything = options.sees_all and planned is None and self._snapshot is not None
            tidy(rows, snapshot, self._world.store, self._memory, everything=everything)
        return self._report(rows, check_mode=False)

    def repair(self, *, check_mode: bool = False) -> Report:
        """Repair what an earlier run was interrupted in, and nothing else."""
        self._repaired = self._repair(write=not check_mode)
        return replace(self._report((), check_mode=check_mode), repair_only=True)

    def _repair(self, *, write: bool) -> tuple[Repaired, ...]:
        world = self._world
        state = world.memory.read()
        if state.intents and not write:
            if who := world.at_work():
                said = f"another run of this collection works on the same containers now ({who}), so nothing is to be repaired"
                self._warnings.append(f"{Reason.LOCK_BUSY.value}: {said}")
                return ()
            state = world.memory.read()  # It may have ended in between.
        if not state.intents:
            return ()
        # Hardly any run finds something to repair.
        from .repair import Repair  # noqa: PLC0415

        repair = Repair(world.store, world.processes, world.units, self._memory, world.memory, self._options.gate)
        if write:
            return repair.run(state)
        try:
            return repair.foresee(state)
        except (UnitError, MissingLibraryError) as error:
            self._warnings.append(unchecked_warning(error))
            return ()

    def _decide(self, *, write: bool) -> tuple[Discovery, dict[str, Decision]]:
        options, world = self._options, self._world

        def begin(host: t.Callable[[], HostFacts], references: t.Collection[Reference]) -> None:
            world.begin(host, references, min(options.registry_parallel, len(references)))

        planned = options.planned
        begin_ = None if options.back or planned else begin
        trust = Trust(world.definitions, options.trust_labels)
        selection = planned.selection(options.selection) if planned else options.selection
        discovery = discover(world.store, world.processes, selection, options.policies, begin_, trust)
        self._warnings += discovery.pattern_warnings()
        self._memory.begin(discovery, write=write)
        decide = self._as_planned if planned else self._backward if options.back else self._forward
        discovery, decisions = decide(discovery)
        decisions = self._memory.with_holds(discovery, decisions)
        if options.rollback and not options.allow_unsafe_rollback:
            decisions = hold_what_has_no_way_back(discovery, decisions, world.definitions)
        return discovery, planned.kept_to(discovery, decisions) if planned else decisions

    def _forward(self, discovery: Discovery) -> tuple[Discovery, dict[str, Decision]]:
        """What the registries and local names say that each workload should run."""

        def registry(width: int) -> Registry:
            self._registry = self._world.registry(discovery, width)
            return self._registry

        width = self._options.registry_parallel
        return discovery, resolve_all(discovery.workloads, discovery.snapshot, registry, width)

    def _backward(self, discovery: Discovery) -> tuple[Discovery, dict[str, Decision]]:
        """What each workload ran before; no registry is asked."""
        from .back import decide_back, with_open_ways  # noqa: PLC0415 (rarely asked for)

        snapshot = with_all_images(discovery.snapshot, self._world.store)
        discovery = replace(with_open_ways(discovery), snapshot=snapshot)
        return discovery, decide_back(discovery, self._memory.state)

    def _as_planned(self, discovery: Discovery) -> tuple[Discovery, dict[str, Decision]]:
        """What a plan says; no registry is asked."""
        planned = t.cast("Planned", self._options.planned)
        if self._options.sees_all:
            self._warnings += planned.warnings(discovery.workloads)
        discovery = replace(discovery, snapshot=with_all_images(discovery.snapshot, self._world.store))
        return discovery, planned.decide(discovery)

    def _staged(self, discovery: Discovery, decisions: dict[str, Decision], *, write: bool) -> list[Row]:
        """Have in local storage what is to come, or say what that would do."""
        from .staging import foreseen, stage_all  # noqa: PLC0415 (rarely asked for)

        snapshot = self._snapshot = with_all_images(discovery.snapshot, self._world.store)
        found = replace(discovery, snapshot=snapshot)
        if write:
            store, width = self._world.store, self._options.parallel
            outcomes = stage_all(found, decisions, store, self._memory, width, self._intend)
        else:
            outcomes = foreseen(found, decisions)
        return [
            _ended(one, decisions[one.container_id], outcomes[one.container_id])
            if one.container_id in outcomes
            else _unmoved(one, decisions[one.container_id])
            for one in discovery.workloads
        ]

    def _with_unit_states(
        self, discovery: Discovery, decisions: dict[str, Decision], *, must_answer: bool
    ) -> dict[str, Decision]:
        """Take back the decisions for units that cannot be restarted now, or that systemd says are not the owners."""
        pending = [one for one in discovery.workloads if decisions[one.container_id].target]
        if not pending:
            return decisions
        try:
            units = self._world.units()
            names = {t.cast("str", one.unit) for one in pending}
            facts = units.facts(names)
            self._links = units.links([name for name in sorted(names) if name in facts])
            trusted = self._options.trust_labels
            findings = {one.container_id: unit_objection(one, facts, units, trusted=trusted) for one in pending}
        except (UnitError, MissingLibraryError) as error:
            findings = {}
            if not must_answer:
                self._warnings.append(unchecked_warning(error))
            elif isinstance(error, MissingLibraryError):
                raise
            else:
                refused = Finding(Status.FAILED, error.reason, str(error))
                findings = {one.container_id: refused for one in pending}
        left = {
            key: Decision(finding, decision.digest) if (finding := findings.get(key)) else decision
            for key, decision in decisions.items()
        }
        left = with_one_image_per_tag(discovery.workloads, left, discovery.snapshot)
        if self._options.planned:
            left = self._options.planned.kept_to(discovery, left)
        if not self._options.allow_unsafe_rollback:
            left = hold_what_drags(discovery, left, self._links)
        if self._options.limit is None:
            return left
        return hold_beyond(discovery, left, self._groups(discovery, left), self._options.limit)

    def _groups(self, discovery: Discovery, decisions: t.Mapping[str, Decision]) -> tuple[tuple[Member, ...], ...]:
        # Most runs find nothing to move.
        from .groups import Change, form_groups  # noqa: PLC0415

        changes = [Change(one, target) for one in discovery.workloads if (target := decisions[one.container_id].target)]
        return form_groups(changes, discovery.snapshot.containers, self._links)

    def _activate(self, discovery: Discovery, decisions: t.Mapping[str, Decision]) -> dict[str, Outcome]:
        # A check moves nothing, and most runs find nothing to move.
        from .activate import Transaction  # noqa: PLC0415
        from .gate import Gate  # noqa: PLC0415
        from .side_by_side import move_all  # noqa: PLC0415

        groups = self._groups(discovery, decisions)
        if not groups:
            return {}
        units, store = self._world.units(), self._world.store
        snapshot = self._snapshot = with_all_images(discovery.snapshot, store)
        self._memory.learn(discovery.workloads, snapshot)
        gate = Gate(store, units, self._options.gate)
        beside = Beside(self._world.others, self._world.processes, store)

        rollback = self._options.rollback
        intents = self._intend(groups, units)

        def begin() -> Transaction:
            return Transaction(
                store, units, snapshot, self._memory, gate=gate, beside=beside, rollback=rollback, links=self._links
            )

        def ended(group: t.Sequence[Member], outcomes: t.Mapping[str, Outcome]) -> None:
            rows = [
                _ended(one, decisions[one.container_id], outcomes[one.container_id])
                for one in discovery.workloads
                if one.container_id in outcomes
            ]
            intents.ended(group, self._memory.events(rows))

        return move_all(groups, self._options.parallel, Failures(self._options.max_failures), begin, ended)

    def _intend(self, groups: t.Sequence[t.Sequence[Member]], units: Units | None = None) -> Intents:
        """Have it on the disk what is about to be moved. All images were looked at before."""
        from .intent import Intents  # noqa: PLC0415

        self._intents = Intents(self._world.memory, self._memory.run)
        snapshot = t.cast("Snapshot", self._snapshot)
        self._intents.begin(groups, snapshot, units, self._links, rollback=self._options.rollback)
        return self._intents

    def _report(self, rows: t.Sequence[Row], *, check_mode: bool) -> Report:
        self._warnings += self._memory.warnings
        for row in rows:
            if row.finding.status in (Status.UNKNOWN, Status.HELD):
                reason = row.finding.reason.value if row.finding.reason else "no reason"
                said = f": {row.finding.error}" if row.finding.error else ""
                self._warnings.append(printable(f"{row.workload.image}: {row.finding.status.value}: {reason}{said}"))
            if row.changed:
                self._warnings += [row_warning(row.workload, reason) for reason in row.workload.warnings]
                if pulls_at_boot(row.workload.unit, self._links):
                    self._warnings.append(row_warning(row.workload, Reason.BOOT_PULLS))
        usage, planned = self._registry.usage() if self._registry else (), self._options.planned
        return Report(
            tuple(rows),
            tuple((None, one) for one in usage),
            tuple(dict.fromkeys(self._warnings)),
            check_mode,
            self._memory.changed,
            repaired=self._repaired,
            plan=planned.plan.id if planned else None,
            plan_verdict=planned.verdict(rows).value if planned and not check_mode else None,
        )


def _unmoved(workload: Workload, decision: Decision) -> Row:
    content = (workload.image_id, decision.digest)
    return Row(workload, decision.finding, content, content, changed=False)


def _predicted(workload: Workload, decision: Decision) -> Row:
    if decision.target is None:
        return _unmoved(workload, decision)
    before = (workload.image_id, decision.digest)
    after = (decision.target.id, decision.target.digest)
    return Row(workload, Finding(Status.PENDING, Reason.CHECK_MODE), before, after, changed=True)


def _ended(workload: Workload, decision: Decision, outcome: Outcome) -> Row:
    before = (workload.image_id, decision.digest)
    return Row(
        workload,
        outcome.finding,
        before,
        outcome.after or before,
        outcome.changed,
        outcome.job_result,
        outcome.duration,
    )
