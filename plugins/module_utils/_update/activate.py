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
from dataclasses import dataclass, replace

from .._pure import names
from .._pure.decisions import Finding
from .._pure.errors import StoreError, UnitError
from .._pure.platforms import Platform
from .._pure.reasons import Reason, Status
from .._pure.records import ListedContainer, Snapshot
from .._pure.units import JobOutcome
from .discover import local_names
from .groups import Change, Member
from .protocols import Store, Units
from .resolve import platform_of

#: How long the containers of a unit may take to appear after its job is done. Members of a pod are units of their own,
#: which start after the pod's job; for a single container the first look suffices.
_APPEAR_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.25


@dataclass(frozen=True)
class Outcome:
    """What became of one container.

    C(after) is the image that runs now, as ID and digest; None means the same as before. C(changed) says whether the
    unit was restarted. C(duration) is in seconds, from the start of the group's staging to the verdict.
    """

    finding: Finding
    after: tuple[str | None, str | None] | None = None
    changed: bool = False
    job_result: str | None = None
    duration: float | None = None


@dataclass(frozen=True)
class _Failure:
    reason: Reason
    error: str


@dataclass(frozen=True)
class _Move:
    """A name that was given to another image; C(before) is None where it is new."""

    name: str
    before: str | None
    after: str


class Transaction:
    """Moves one group. Not reused; the outcomes are complete when C(run) returns, whatever happened."""

    def __init__(self, store: Store, units: Units, snapshot: Snapshot, *, rollback: bool) -> None:
        self._store = store
        self._units = units
        self._snapshot = snapshot
        self._rollback = rollback
        self._tags = {name: image.id for name, image in local_names(snapshot.images).items()}
        self._moves: dict[str, list[_Move]] = {}
        self._started = time.monotonic()
        self._jobs: dict[str, JobOutcome] = {}
        self._outcomes: dict[str, Outcome] = {}

    def run(self, group: t.Sequence[Member]) -> dict[str, Outcome]:
        """Bring every container of the group to its target, or leave each on the image that it ran."""
        members: list[Member] = []
        try:
            members += [staged for staged in map(self._stage, group) if staged.changes]
            if members:
                self._activate_in_turn(members)
        except Exception as error:  # noqa: BLE001 (a defect of ours must not leave a unit half moved, nor hide other rows)
            self._recover(members or group, error)
        finally:
            for member in members:
                self._drop_pulled_names(member)
        return self._outcomes

    def _recover(self, members: t.Sequence[Member], error: Exception) -> None:
        """Bring whatever has no outcome yet back to where it was."""
        failure = _Failure(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        for member in members:
            if all(change.workload.container_id in self._outcomes for change in member.changes):
                continue
            try:
                if self._rollback and member.unit in self._moves:
                    self._put_back(member, failure)
                else:
                    self._end_member(member, Finding(Status.FAILED, failure.reason, failure.error))
            except Exception as second:  # noqa: BLE001 (as above)
                both = f"{failure.error}; then, on the way back: {second}"
                self._end_member(member, Finding(Status.FAILED, Reason.UNIT_DOWN, both))

    # Stage.

    def _stage(self, member: Member) -> Member:
        return replace(member, changes=tuple(filter(None, map(self._stage_change, member.changes))))

    def _stage_change(self, change: Change) -> Change | None:
        """Have the target in local storage; None where there is nothing (more) to do for this container."""
        workload, target = change.workload, change.target
        if target.pull is None:
            return change
        platform = platform_of(workload, self._snapshot)
        foreign = _base(platform) != _base(self._snapshot.host.platform)
        try:
            image_id = self._store.pull(target.pull, platform if foreign else None, target.authfile)
        except StoreError as error:
            self._end(change, Finding(Status.FAILED, error.reason, str(error)))
            return None
        staged = replace(change, target=replace(target, id=image_id))
        if image_id == workload.image_id:
            self._end(change, Finding(Status.CURRENT, Reason.SAME_CONTENT))
            self._untag(image_id, target.pull)
            return None
        return staged

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

    def _activate(self, members: t.Sequence[Member]) -> dict[str, _Failure]:
        """Move the members' tags, restart them side by side, verify each. What failed, by unit."""
        failures: dict[str, _Failure] = {}
        for member in members:
            try:
                self._move_tags(member)
            except StoreError as error:
                failures[member.unit] = _Failure(error.reason, str(error))
        started = [member for member in members if member.unit not in failures]
        jobs = self._restart([member.unit for member in started])
        self._jobs.update(jobs)
        for member in started:
            failure = _job_failure(member.unit, jobs[member.unit])
            failure = failure or self._verify(member, [change.target.id for change in member.changes])
            if failure:
                failures[member.unit] = failure
        return failures

    def _move_tags(self, member: Member) -> None:
        for change in member.changes:
            workload, target = change.workload, change.target
            if workload.image_id in self._snapshot.images:
                self._tag(member, t.cast("str", workload.image_id), names.slot(member.unit, target.name))
            if target.pull is not None:
                self._tag(member, t.cast("str", target.id), target.name)

    def _tag(self, member: Member, image_id: str, name: str) -> None:
        self._store.tag(image_id, name)
        self._moves.setdefault(member.unit, []).append(_Move(name, self._tags.get(name), image_id))
        self._tags[name] = image_id

    def _undo_moves(self, member: Member) -> None:
        """Let every name that was moved for this member point to where it did before, as far as it can be done."""
        for move in reversed(self._moves.pop(member.unit, [])):
            with contextlib.suppress(StoreError):  # A slot keeps an image too long, a tag is looked at by the caller.
                if move.before is not None:
                    self._store.tag(move.before, move.name)
                    self._tags[move.name] = move.before
                else:
                    self._store.untag(move.after, move.name)
                    self._tags.pop(move.name, None)

    def _restart(self, units: t.Sequence[str]) -> dict[str, JobOutcome]:
        try:
            return self._units.restart(units) if units else {}
        except UnitError as error:
            return {unit: JobOutcome("failed", 0.0, str(error)) for unit in units}

    # Verify.

    def _verify(self, member: Member, wanted: t.Sequence[str | None]) -> _Failure | None:
        """Whether each container of the member runs the image that it should, C(wanted) in the order of its changes."""
        deadline = time.monotonic() + _APPEAR_SECONDS
        while True:
            try:
                failure = self._look(member, wanted)
            except StoreError as error:
                failure = _Failure(error.reason, str(error))
            final = failure is None or failure.reason is Reason.UNIT_REUSES_CONTAINER
            if final or time.monotonic() >= deadline:
                return failure
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _look(self, member: Member, wanted: t.Sequence[str | None]) -> _Failure | None:
        containers = self._store.containers()
        for change, image_id in zip(member.changes, wanted):
            old = change.workload
            running = _running(containers, member.unit, old.container_name, old.resolved_name)
            if not running:
                return _Failure(Reason.NOT_RUNNING, f"container {old.container_name} does not run after the restart")
            if any(one.image_id == image_id for one in running):
                continue
            if any(one.id == old.container_id for one in running):
                return _Failure(
                    Reason.UNIT_REUSES_CONTAINER, f"{member.unit} restarted its old container {old.container_name}"
                )
            return _Failure(
                Reason.NOT_RUNNING, f"container {old.container_name} runs {running[0].image_id}, not {image_id}"
            )
        for beside in member.beside:
            if not _running(containers, member.unit, beside.name, beside.image_name):
                return _Failure(Reason.NOT_RUNNING, f"container {beside.name} does not run after the restart")
        return None

    # Settle.

    def _settle(self, members: t.Sequence[Member], failures: t.Mapping[str, _Failure]) -> None:
        """Keep what works if nothing failed, or put back every member that was started."""
        for member in members:
            failure = failures.get(member.unit)
            if not failures:
                self._end_member(member, Finding(Status.UPDATED))
                self._forget_rejected(member)
            elif failure is not None and member.unit not in self._jobs:
                # Its tags could not all be moved, so it was never restarted; a reboot must not activate the others.
                self._undo_moves(member)
                self._end_member(member, Finding(Status.FAILED, failure.reason, failure.error))
            elif self._rollback:
                self._put_back(member, failure or _Failure(Reason.GROUP_FAILED, f"{min(failures)} failed"))
            elif failure is None:
                self._end_member(member, Finding(Status.UPDATED))
            else:
                self._end_member(member, Finding(Status.FAILED, failure.reason, failure.error))

    def _put_back(self, member: Member, failure: _Failure) -> None:
        """Tag the old images back and restart on them; the old state is verified like a new one."""
        problem: _Failure | None = None
        try:
            self._keep_rejected(member)
            self._undo_moves(member)
            self._tag_old_images(member)
            self._units.reset_failed([member.unit])
        except StoreError as error:
            problem = _Failure(error.reason, str(error))
        except UnitError:
            pass  # The restart below says what is wrong; a failure counter that stays is no reason to give up.
        if problem is None:
            problem = _job_failure(member.unit, self._restart([member.unit])[member.unit])
        problem = problem or self._verify(member, [change.workload.image_id for change in member.changes])
        if problem is None:
            self._end_member(member, Finding(Status.ROLLED_BACK, failure.reason, failure.error))
        else:
            both = f"{failure.error}; then, on the old image: {problem.error}"
            self._end_member(member, Finding(Status.FAILED, Reason.UNIT_DOWN, both))

    def _keep_rejected(self, member: Member) -> None:
        """Give the rejected images a name of ours: one that was built here may have no other copy."""
        for change in member.changes:
            if change.target.id is not None:
                with contextlib.suppress(StoreError):  # The way back matters more.
                    self._store.tag(change.target.id, names.rejected(member.unit, change.target.name))

    def _forget_rejected(self, member: Member) -> None:
        """What an earlier run rejected is no longer in question once a newer image works."""
        for change in member.changes:
            name = names.rejected(member.unit, change.target.name)
            if name in self._tags:
                self._untag(self._tags[name], name)

    def _tag_old_images(self, member: Member) -> None:
        for change in member.changes:
            old, name = t.cast("str", change.workload.image_id), change.target.name
            if self._tags.get(name) != old:
                self._store.tag(old, name)
                self._tags[name] = old

    # Report.

    def _end_member(self, member: Member, finding: Finding) -> None:
        for change in member.changes:
            self._end(change, finding)

    def _end(self, change: Change, finding: Finding) -> None:
        job = self._jobs.get(t.cast("str", change.workload.unit))
        after: tuple[str | None, str | None] | None = None
        if finding.status is Status.UPDATED:
            after = (change.target.id, change.target.digest)
        elif finding.status is Status.FAILED and job is not None:
            after = (None, None)  # It was restarted and came up on neither image.
        self._outcomes[change.workload.container_id] = Outcome(
            finding,
            after,
            changed=job is not None,
            job_result=job.result if job else None,
            duration=time.monotonic() - self._started,
        )

    def _drop_pulled_names(self, member: Member) -> None:
        """Take away the name that a pull by digest leaves: pruning would never remove it."""
        for change in member.changes:
            if change.target.pull is not None and change.target.id is not None:
                self._untag(change.target.id, change.target.pull)

    def _untag(self, image_id: str, name: str) -> None:
        # Whether the name is gone already, or stays: neither changes what runs.
        with contextlib.suppress(StoreError):
            self._store.untag(image_id, name)


def _running(containers: t.Sequence[ListedContainer], unit: str, name: str, image_name: str) -> list[ListedContainer]:
    """The running containers that came in the place of an old one.

    A unit that gives its container no name makes a new one at each start; its label and image tell it.
    """
    named = [one for one in containers if one.name == name] or [
        one for one in containers if one.unit_label == unit and one.image_name == image_name
    ]
    return [one for one in named if one.state == "running"]


def _job_failure(unit: str, job: JobOutcome) -> _Failure | None:
    if job.done:
        return None
    if job.result == "timeout":
        return _Failure(Reason.JOB_TIMEOUT, job.error or f"the restart of {unit} did not end in time")
    message = f"the restart of {unit} ended as {job.result!r}; journalctl --unit={unit} says why"
    return _Failure(Reason.JOB_FAILED, job.error or message)


def _base(platform: Platform) -> tuple[str, str]:
    return platform.os, platform.architecture
