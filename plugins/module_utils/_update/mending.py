# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Mending: the members of one group that an interrupted run had begun to move, brought to one end or to the other.

Every step may itself be interrupted: the next repair looks again, and does what is left.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from .._pure.errors import StoreError
from .._pure.health import Expected, Failure, GateOptions, job_failure
from .._pure.intents import FINISHED, NOTHING, UNDONE, Intent
from .._pure.interruptions import Interruption
from .._pure.reasons import Reason
from .._pure.units import JobOutcome
from .dependents import Dependents
from .gate import Gate
from .groups import Member
from .jobs import counted_restarts, forget_failures, restart
from .memory import Memory
from .protocols import Store, Units
from .sighting import Sight, expected
from .tags import Tags


@dataclass(frozen=True)
class Result:
    """What became of one member; C(failure) is what the new image was left for, or what is wrong now."""

    did: str
    failure: Failure | None = None
    down: str | None = None


def direction(group: t.Sequence[Intent], sight: Sight, interruptions: t.Sequence[Interruption]) -> str:
    """Whether the members of a group are to stay on their new images, or on their old ones.

    C(interruptions) are those of its images: one that was interrupted too often is not tried again where there is a way back.
    """
    if not any(one.moves for one in group):
        return NOTHING if all(sight.is_up(one) for one in group) else FINISHED
    mine = [one for one in group if not sight.is_elsewhere(one)]
    if any(one.too_often for one in interruptions) and _may_go_back(group, mine, sight):
        return UNDONE
    if mine and all(sight.runs_new(one) for one in mine):
        return FINISHED
    lost = [one for one in mine if not sight.runs_old(one)]
    if not lost:
        return UNDONE if any(sight.names_moved(one) for one in group) else NOTHING
    return UNDONE if _may_go_back(group, lost, sight) else FINISHED


def _may_go_back(group: t.Sequence[Intent], members: t.Sequence[Intent], sight: Sight) -> bool:
    return all(one.rollback for one in group) and all(sight.has_old_images(one) for one in members)


class Mending:
    """The members of one group, and what is done to them."""

    def __init__(
        self,
        store: Store,
        units: Units,
        memory: Memory,
        options: GateOptions,
        group: t.Sequence[Intent],
        sight: Sight,
        interruptions: t.Sequence[Interruption] = (),
    ) -> None:
        self._store = store
        self._units = units
        self._memory = memory
        self._group = group
        self._sight = sight
        self.direction = direction(group, sight, interruptions)
        self._too_often = [one for one in interruptions if one.too_often]
        self._members = {one.unit: sight.member(one) for one in group}
        self._tags = Tags(store, sight.snapshot)
        self._dependents = Dependents(units)
        self._gate = Gate(store, units, options)
        for one in group:
            self._tags.resume(self._members[one.unit], sight.names_before(one), memory)
            self._dependents.note(one.unit, one.dependents)

    def repair(self) -> dict[tuple[str, str], Result]:
        """What became of each, by run and unit."""
        results = self._finish() if self.direction == FINISHED else self._undo(self._interrupted_too_often())
        for member in self._members.values():
            self._tags.drop_pulled_names(member)
            for change in member.changes:
                # Also beside a name that keeps what was staged: the run that pulled it may be the one that was interrupted.
                if change.target.id is not None and change.target.pull is not None:
                    self._tags.drop(change.target.id, change.target.pull)
        return {(one.run, one.unit): results[one.unit] for one in self._group}

    # Forward.

    def _finish(self) -> dict[str, Result]:
        """Stay on the new images; what does not run is started on them."""
        there = [one for one in self._group if not self._sight.is_left_alone(one)]
        down = [one for one in there if not (self._sight.runs_new(one) if one.moves else self._sight.is_up(one))]
        failures: dict[str, Failure] = {}
        if not all(one.moves for one in self._group):
            self._names_back()
        for one in down:
            failures.update(self._to_new(one))
        jobs = self._restart([one.unit for one in down if one.unit not in failures])
        failures.update({unit: failure for unit, job in jobs.items() if (failure := job_failure(unit, job))})
        failures.update(self._judge([one for one in there if one.unit not in failures], new=True))
        if failures and not down and _may_go_back(self._group, self._group, self._sight):
            return self._undo(failures)
        for one in there:
            if one.moves:
                self._settle(self._members[one.unit], failed=one.unit in failures)
        left_alone = {unit: Result(NOTHING) for unit in self._members}
        return left_alone | {
            one.unit: Result(FINISHED, None, failures[one.unit].error if one.unit in failures else None)
            for one in there
        }

    def _names_back(self) -> None:
        for member in self._members.values():
            self._tags.undo(member)

    def _to_new(self, intent: Intent) -> dict[str, Failure]:
        """Let the names of a unit that is to come up on its new images point to them."""
        if not intent.moves:
            return {}
        try:
            for change in self._members[intent.unit].changes:
                if change.target.id is not None and change.target.id in self._sight.snapshot.images:
                    self._store.tag(change.target.id, change.target.name)
        except StoreError as error:
            return {intent.unit: Failure(error.reason, str(error))}
        return {}

    def _settle(self, member: Member, *, failed: bool) -> None:
        """Let go of what is kept no longer, or hold what somebody asked to leave."""
        back = [change for change in member.changes if change.target.back]
        if failed:
            return
        if back:
            self._memory.leave(back, None, self._store, asked=True)
        else:
            self._tags.settle(member, self._memory)

    # Back.

    def _interrupted_too_often(self) -> dict[str, Failure]:
        """What the units did that came up on such an image; the run that judged them never lived to see it."""
        return {
            one.unit: Failure(
                Reason.INTERRUPTED,
                f"{one.times} runs in a row were interrupted while {one.unit} came up on {one.id}, which is held now",
            )
            for one in self._too_often
        }

    def _undo(self, failures: t.Mapping[str, Failure]) -> dict[str, Result]:
        """Let every name and unit be as it was; what failed on its new image is held, first of all."""
        sight, down = self._sight, t.cast("dict[str, str]", {})
        judged = self.direction == FINISHED
        left = [one for one in self._group if (judged or not sight.runs_old(one)) and not sight.is_left_alone(one)]
        for unit in failures and self._members:
            reason = failures[unit].reason if unit in failures else Reason.GROUP_FAILED
            changes = [change for change in self._members[unit].changes if not change.target.back]
            self._memory.leave(changes, reason, self._store)
        touched = {
            one.unit for one in self._group if one in left or (sight.touched(one) and not sight.is_elsewhere(one))
        }
        for one in reversed(self._group):
            self._tags.undo(self._members[one.unit])
            if failures:
                self._tags.keep_rejected(self._members[one.unit])
        for wave in self._tags.waves([self._members[one.unit] for one in left]):
            down.update({unit: failure.error for unit, failure in self._back(wave).items()})
        if failures:
            self._tags.leave_to_others([self._members[one.unit] for one in left])
        else:
            self._as_before([one for one in left if one.unit not in down])
        others = [one for one in self._group if one not in left]
        down.update({unit: one.error for unit, one in self._dependents.restore([one.unit for one in others]).items()})
        worst = failures[min(failures)] if failures else None
        return {
            unit: Result(
                UNDONE if unit in touched or unit in down else NOTHING, failures.get(unit, worst), down.get(unit)
            )
            for unit in self._members
        }

    def _as_before(self, intents: t.Sequence[Intent]) -> None:
        """Nothing failed: a name that pointed elsewhere than to what ran does so again, and is looked at by the next run.

        So does one that somebody else has moved since the run was interrupted: what was built there may have no other name.
        """
        for one in intents:
            before = self._sight.names_before(one)
            for change in self._members[one.unit].changes:
                target, image_id = change.target, before.get(change.target.name)
                now = self._sight.tags.get(target.name)
                if target.id is not None and now not in (None, target.id, change.workload.image_id):
                    image_id = now
                if image_id is not None and image_id != change.workload.image_id:
                    with contextlib.suppress(StoreError):
                        self._store.tag(image_id, change.target.name)

    def _back(self, members: t.Sequence[Member]) -> dict[str, Failure]:
        """Start units on their old images, side by side. What is wrong with them, by unit."""
        problems = self._tags.tag_all_old_images(members)
        ready = [one.unit for one in members if one.unit not in problems]
        jobs = self._restart(ready)
        problems.update({unit: failure for unit, job in jobs.items() if (failure := job_failure(unit, job))})
        problems.update(
            self._judge([one for one in self._group if one.unit in ready and one.unit not in problems], new=False)
        )
        return problems

    # Both.

    def _restart(self, units: t.Sequence[str]) -> dict[str, JobOutcome]:
        taken_along = {other for unit in units for other in (*self._members[unit].roots, *self._members[unit].units)}
        forget_failures(taken_along, self._units)
        return restart([self._members[unit] for unit in units], self._units)

    def _judge(self, intents: t.Sequence[Intent], *, new: bool) -> dict[str, Failure]:
        """Whether units run as they should from now on: how often systemd started them until now does not count."""
        named = [one.unit for one in intents]
        if not named:
            return {}
        failed = self._dependents.restore(named)
        counted = counted_restarts(named, self._units)
        wanted: list[Expected] = [
            replace(expected(self._members[one.unit], one, new=new), restarts=counted.get(one.unit, 0))
            for one in intents
            if one.unit not in failed
        ]
        failed.update(self._gate.judge(wanted))
        failed.update(self._dependents.restore([unit for unit in named if unit not in failed]))
        return failed
