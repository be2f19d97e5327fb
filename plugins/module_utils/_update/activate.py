# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Stage, activate, verify, settle: the transaction that moves one group of units to new images, or puts it back.

Staging pulls by digest and moves no tag. Activating keeps the running image under a slot tag, then moves the tag, then
restarts. A group's first unit is judged before the others are started.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import replace

from .._pure.decisions import Decision, Finding
from .._pure.errors import EngineError, StoreError
from .._pure.health import Expected, Failure, job_failure, placed
from .._pure.reasons import Reason, Status
from .._pure.records import Snapshot
from .._pure.units import JobOutcome, UnitLinks
from .beside import Beside
from .dependents import Dependents
from .gate import Gate
from .groups import Change, Member, form_groups
from .jobs import STAYS_STOPPED, counted_restarts, forget_failures, restart, stopped_by_others
from .memory import Memory
from .outcomes import Outcome
from .protocols import Store, Units
from .stage import stage
from .tags import Tags

_PENDING = Finding(Status.PENDING)


class Transaction:
    """Moves one group: C(stage), then C(activate). Not reused; afterwards the outcomes are complete, whatever happened."""

    def __init__(
        self,
        store: Store,
        units: Units,
        snapshot: Snapshot,
        memory: Memory,
        *,
        gate: Gate,
        beside: Beside,
        rollback: bool,
        links: t.Mapping[str, UnitLinks] | None = None,
    ) -> None:
        self._store = store
        self._units = units
        self._snapshot = snapshot
        self._memory = memory
        self._rollback = rollback
        self._links = links or {}
        self._tags = Tags(store, snapshot)
        self._gate = gate
        self._beside = beside
        self._dependents = Dependents(units)
        #: What stages that are over took, and when the one that is not began.
        self._seconds = 0.0
        self._begun = time.monotonic()
        self._members: list[Member] = []
        self._jobs: dict[str, JobOutcome] = {}
        #: The unit that was restarted for each container, by container ID.
        self._roots: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}

    def stage(self, group: t.Sequence[Member]) -> None:
        """Have the targets in local storage. Nothing that runs, and nothing that a start would run, is changed."""
        with self._timed(group):
            self._members = self._stage(group)

    def activate(self) -> dict[str, Outcome]:
        """Bring every container of the group to its target, or leave each on the image that it ran."""
        members = self._members
        with self._timed(members):
            if ready := self._undisturbed(members):
                self._activate_in_turn(ready)
        for member in members:
            self._tags.drop_pulled_names(member)
        return self._outcomes

    def leave(self, group: t.Sequence[Member], finding: Finding) -> dict[str, Outcome]:
        """Give up the group, staged or not, because nothing more is to be changed."""
        for member in group:
            for change in member.changes:
                if change.workload.container_id not in self._outcomes:
                    self._end(change, finding)
        for member in self._members:
            self._tags.drop_pulled_names(member)
        return self._outcomes

    @contextlib.contextmanager
    def _timed(self, members: t.Sequence[Member]) -> t.Iterator[None]:
        """Count the time, but not that between stages; a defect of ours must not leave a unit half moved, nor hide rows."""
        self._begun = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 (see above)
            self._recover(members, error)
        self._seconds += time.monotonic() - self._begun

    def _recover(self, members: t.Sequence[Member], error: Exception) -> None:
        """Bring whatever has no outcome yet back to where it was."""
        failure = Failure(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        if isinstance(error, EngineError):  # podman did not answer when it was looked who else is at work.
            failure = Failure(error.reason, str(error))
        left = [
            one for one in members if any(change.workload.container_id not in self._outcomes for change in one.changes)
        ]
        moved = [one for one in left if self._rollback and self._tags.moved(one)]
        try:
            self._put_back({one.unit: failure for one in moved}, moved)
        except Exception as second:  # noqa: BLE001 (as above)
            both = f"{failure.error}; then, on the way back: {second}"
            for member in moved:
                self._end_member(member, Finding(Status.FAILED, Reason.UNIT_DOWN, both))
        for member in left:
            if member not in moved:
                self._end_member(member, Finding(Status.FAILED, failure.reason, failure.error))

    # Stage.

    def _stage(self, group: t.Sequence[Member]) -> list[Member]:
        """The members with what is left to do; where a unit has nothing left, others may be restarted without it."""
        wanted = [change for member in group for change in member.changes]
        left = list(filter(None, map(self._stage_change, wanted)))
        if len(left) == len(wanted):
            staged = {change.workload.container_id: change for change in left}
            return [
                replace(one, changes=tuple(staged[change.workload.container_id] for change in one.changes))
                for one in group
            ]
        return [member for members in form_groups(left, self._snapshot.containers, self._links) for member in members]

    def _stage_change(self, change: Change) -> Change | None:
        staged = stage(change, self._store, self._snapshot)
        if isinstance(staged, Change) and change.target.id is None:
            # Only the pull told which image it is.
            objection = self._memory.objection(staged.workload, Decision(_PENDING, None, staged.target))
            if objection:
                self._end(change, objection)
                self._tags.drop_pulled(staged, t.cast("str", staged.target.id))
                return None
        if isinstance(staged, Change):
            return staged
        self._end(change, staged)
        if staged.reason is Reason.SAME_CONTENT:
            self._tags.drop_pulled(change, t.cast("str", change.workload.image_id))
        return None

    def _undisturbed(self, members: t.Sequence[Member]) -> list[Member]:
        """The members that nobody else has moved meanwhile; what became of the others is noted."""
        outcomes = self._beside.outcomes(members) if members else {}
        self._outcomes.update(outcomes)
        return [one for one in members if not any(each.workload.container_id in outcomes for each in one.changes)]

    # Activate.

    def _activate_in_turn(self, members: t.Sequence[Member]) -> None:
        first, rest = members[:1], members[1:]
        failures = self._activate(first)
        if failures:
            for member in rest:
                self._end_member(member, Finding(Status.FAILED, Reason.GROUP_FAILED, f"{first[0].unit} failed first"))
            self._settle(first, failures)
            return
        if rest:
            failures = self._activate(rest)
        self._settle(members, failures)

    def _activate(self, members: t.Sequence[Member]) -> dict[str, Failure]:
        """Move the members' tags, restart them side by side, verify each. What failed, by unit."""
        failures: dict[str, Failure] = {}
        for member in members:
            try:
                self._tags.move(member)
            except StoreError as error:
                failures[member.unit] = Failure(error.reason, str(error))
            else:
                self._tags.drop_pulled_names(member)  # Here it costs nothing: the unit may have to wait for its turn.
        started = [member for member in members if member.unit not in failures]
        self._dependents.remember({member.unit: member.roots for member in started})
        jobs = restart(started, self._units)
        for member in started:
            job = jobs[member.unit]
            if job.refused and (failure := job_failure(member.unit, job)):
                failures[member.unit] = failure  # Its processes were not touched: there is nothing to judge.
        started = [member for member in started if member.unit not in failures]
        self._jobs.update({member.unit: jobs[member.unit] for member in started})
        self._roots.update({change.workload.container_id: one.unit for one in started for change in one.changes})
        failures.update(self._judge({one.unit: one.expected(new=True) for one in started}, jobs))
        return failures

    def _judge(self, expected: t.Mapping[str, Expected], jobs: t.Mapping[str, JobOutcome]) -> dict[str, Failure]:
        """What the jobs say, of those that are done what the gate says, and what is left down; by unit."""
        failed = {unit: failure for unit in expected if (failure := job_failure(unit, jobs[unit]))}
        # What systemd does not start by itself, or has not started yet, must run before it can be judged.
        failed.update(self._dependents.restore([unit for unit in expected if unit not in failed]))
        failed.update(self._gate.judge([one for unit, one in expected.items() if unit not in failed]))
        failed.update(self._dependents.restore([unit for unit in expected if unit not in failed]))
        return failed

    # Settle.

    def _settle(self, members: t.Sequence[Member], failures: t.Mapping[str, Failure]) -> None:
        """Keep what works if nothing failed, or put back every member that was started."""
        back: list[Member] = []
        for member in members:
            failure = failures.get(member.unit)
            if not failures:
                self._succeed(member)
            elif failure is not None and member.unit not in self._jobs:
                # Its tags could not all be moved, or systemd refused: it was never restarted, and a reboot must not do it.
                self._tags.undo(member)
                self._end_member(member, Finding(Status.FAILED, failure.reason, failure.error))
            elif self._rollback:
                back.append(member)
            elif failure is None:
                self._succeed(member)
            else:
                finding = Finding(Status.FAILED, failure.reason, failure.error)
                self._end_member(member, finding, moved=self._runs_new(member) or None)
                self._tags.note_slots(member, self._memory)
        others = Failure(Reason.GROUP_FAILED, f"{min(failures, default='')} failed")
        self._put_back({member.unit: failures.get(member.unit, others) for member in back}, back)

    def _runs_new(self, member: Member) -> bool:
        """Whether a member that failed runs on its new images all the same: it is only unhealthy."""
        with contextlib.suppress(StoreError):
            return not isinstance(placed(member.expected(new=True), self._store.containers()), Failure)
        return False

    def _succeed(self, member: Member) -> None:
        for change in member.changes:
            self._end(change, Finding(Status.ROLLED_BACK if change.target.back else Status.UPDATED), moved=True)
        left = [change for change in member.changes if change.target.back]
        if left:
            self._memory.leave(left, None, self._store, asked=True)
        else:
            self._tags.settle(member, self._memory)

    def _put_back(self, why: t.Mapping[str, Failure], members: t.Sequence[Member]) -> None:
        """Tag the old images back, restart on them side by side; the old state is verified like a new one."""
        for member in reversed(members):  # What was moved last goes back first: members may share a name.
            self._tags.keep_rejected(member)
            self._tags.undo(member)
        stopped = stopped_by_others(self._jobs, [member.unit for member in members], self._units)
        # Where nothing else went wrong, nobody has seen the new images fail.
        hold = not stopped or any(
            one.reason is not Reason.GROUP_FAILED for unit, one in why.items() if unit not in stopped
        )
        still = [member for member in members if member.unit in stopped]
        problems = self._tags.tag_all_old_images(still) if hold else {}
        for member in still:
            failure = problems.get(member.unit) or why[member.unit]
            self._end_member(member, Finding(Status.FAILED, failure.reason, f"{failure.error}; {STAYS_STOPPED}"))
        for wave in self._tags.waves([member for member in members if member.unit not in stopped]):
            self._put_back_wave(why, wave, hold=hold)
        self._tags.leave_to_others(members)

    def _put_back_wave(self, why: t.Mapping[str, Failure], members: t.Sequence[Member], *, hold: bool) -> None:
        problems = self._tags.tag_all_old_images(members)
        ready = [member for member in members if member.unit not in problems]
        along = {unit for one in ready for unit in (*one.roots, *one.units, *self._dependents.of(one.unit))}
        forget_failures(along, self._units)
        jobs = restart(ready, self._units)
        counted = counted_restarts([member.unit for member in ready], self._units)
        expected = {one.unit: replace(one.expected(new=False), restarts=counted.get(one.unit, 0)) for one in ready}
        problems.update(self._judge(expected, jobs))
        for member in members:
            failure, problem = why[member.unit], problems.get(member.unit)
            asked = any(change.target.back for change in member.changes)
            if hold and not asked:
                self._memory.leave(member.changes, failure.reason, self._store)
            if problem is None:
                # Where somebody asked to go back, what the unit is on again is not what was asked for.
                status = Status.FAILED if asked else Status.ROLLED_BACK
                self._end_member(member, Finding(status, failure.reason, failure.error), moved=False)
            else:
                both = f"{failure.error}; then, on the old image: {problem.error}"
                self._end_member(member, Finding(Status.FAILED, Reason.UNIT_DOWN, both))

    # Report.

    def _end_member(self, member: Member, finding: Finding, *, moved: bool | None = None) -> None:
        for change in member.changes:
            self._end(change, finding, moved=moved)

    def _end(self, change: Change, finding: Finding, *, moved: bool | None = None) -> None:
        """Note what became of a container; C(moved) says whether it runs its target or what it ran before, if either."""
        job = self._jobs.get(self._roots.get(change.workload.container_id, ""))
        after: tuple[str | None, str | None] | None = None
        if moved:
            after = (change.target.id, change.target.digest)
        elif moved is None and finding.status is Status.FAILED and job is not None:
            after = (None, None)  # It was restarted and came up on neither image.
        self._outcomes[change.workload.container_id] = Outcome(
            finding,
            after,
            changed=job is not None,
            job_result=job.result if job else None,
            duration=self._seconds + time.monotonic() - self._begun,
        )
