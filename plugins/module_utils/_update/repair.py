# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Repair: what an interrupted run had begun is finished or undone, by what runs and what names say now.

Nothing is guessed from how far the run may have come.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

from .._pure.errors import EngineError
from .._pure.health import GateOptions
from .._pure.history import Event, Passage
from .._pure.intents import FINISHED, NOTHING, UNDONE, Intent, Repaired
from .._pure.interruptions import Interruption
from .._pure.reasons import Reason, Status
from .memory import Memory
from .mending import Mending, Result, direction
from .protocols import Processes, Remembered, Store, Units
from .sighting import Sight, look
from .tags import Tags

if t.TYPE_CHECKING:
    from .._pure.state import State

#: How long jobs that systemd still works on, and pulls that outlived the run, are waited for, in seconds.
_LONGEST_WAIT = 300.0
_LOOK_AGAIN_SECONDS = 0.25


class Repair:
    """One look at what interrupted runs had begun. Nothing else that tags or restarts may run beside it."""

    def __init__(
        self,
        store: Store,
        processes: Processes,
        units: t.Callable[[], Units],
        memory: Memory,
        remembered: Remembered,
        gate: GateOptions,
    ) -> None:
        self._store = store
        self._processes = processes
        self._connect = units
        self._memory = memory
        self._remembered = remembered
        self._options = gate

    def foresee(self, state: State) -> tuple[Repaired, ...]:
        """Say what C(run) would do, as things are now.

        Raises:
            EngineError: The host could not be looked at.
        """
        open_ = [one for one in state.intents if one.ended is None]
        sight = look(open_, self._store, self._connect())
        told = []
        for group in _groups(open_):
            way = direction(group, sight, self._interruptions(group, sight, state))
            for one in group:
                alone = sight.is_left_alone(one)
                is_left = not alone if way == FINISHED else sight.touched(one) or not (sight.runs_old(one) or alone)
                is_left = is_left and not sight.is_elsewhere(one)
                told.append(Repaired(one.unit, (FINISHED if way == FINISHED else UNDONE) if is_left else NOTHING))
        return tuple(sorted(told, key=lambda one: one.unit))

    def run(self, state: State) -> tuple[Repaired, ...]:
        """Finish or undo everything.

        Raises:
            EngineError: The host could not be looked at; what was not repaired yet is left for the next run.
        """
        units = self._connect()
        open_ = [one for one in state.intents if one.ended is None]
        self._wait(open_, units)
        sight = look(state.intents, self._store, units)
        self._memory.resume(state, sight.snapshot)
        results: dict[tuple[str, str], Result] = {}
        for group in _groups(open_):
            interruptions = self._interruptions(group, sight, state)
            mending = Mending(self._store, units, self._memory, self._options, group, sight, interruptions)
            self._count(group, interruptions, tried_again=mending.direction == FINISHED)
            results.update(mending.repair())
        self._tell(state, results, sight)
        tags = Tags(self._store, replace(sight.snapshot, images=self._store.images()))
        for intent in state.intents:
            tags.note_slots(sight.member(intent), self._memory)
        self._memory.close({one.run for one in state.intents})
        told = [Repaired(unit, one.did, one.down) for (_run, unit), one in results.items()]
        return tuple(sorted(told, key=lambda one: one.unit))

    def _interruptions(self, group: t.Sequence[Intent], sight: Sight, state: State) -> list[Interruption]:
        now = self._remembered.now()
        return [each for one in group for each in sight.interruptions(one, state, now)]

    def _count(self, group: t.Sequence[Intent], interruptions: t.Sequence[Interruption], *, tried_again: bool) -> None:
        """Have it on the disk before the images may do once more whatever they did: this repair may not see its end either.

        Raises:
            StateError: It cannot be written, so nothing is repaired.
        """
        if not interruptions:
            return
        known = [replace(one, counted=not tried_again) for one in group]
        self._remembered.change(lambda state: state.counting(interruptions).intending(known))
        if not tried_again:
            self._memory.warnings += [
                f"{Reason.INTERRUPTED.value}: a run was interrupted while {one.unit} came up on {one.id}; the image is"
                " tried again by the next run, and held if that is interrupted too"
                for one in interruptions
                if not one.too_often
            ]

    def _wait(self, intents: t.Sequence[Intent], units: Units) -> None:
        """Wait for what the interrupted run had asked for, and what goes on without it."""
        self._store.containers()  # What was asked before the wait is of no use after it.
        pulls = {piece.pull for one in intents for piece in one.pieces if piece.pull}
        named = {unit for one in intents for unit in (one.unit, *one.units, *(piece.unit for piece in one.pieces))}
        until = time.monotonic() + _LONGEST_WAIT
        while time.monotonic() < until:
            facts = units.facts(sorted(named)) if named else {}
            busy = any(one.changing and one.sub_state != "auto-restart" for one in facts.values())
            if not busy and not self._processes.pulling(pulls):
                return
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _tell(self, state: State, results: t.Mapping[tuple[str, str], Result], sight: Sight) -> None:
        """Let the history have what it does not have yet: the run may have been interrupted after it wrote its lines."""
        there: set[tuple[str, str]] = set()
        try:
            there = {(one.run, one.unit) for one in self._remembered.events()}
        except EngineError as error:  # It decides nothing, so it must not keep the host from its next run.
            self._memory.warnings.append(f"{error.reason.value}: {error}")
        events = [event for one in state.intents for event in one.ended or ()]
        for intent in state.intents:
            result = results.get((intent.run, intent.unit))
            # What only pulled has moved no unit, even where its tag had to go back (a pull that wants a signature).
            if result is not None and result.did != NOTHING and intent.moves and intent.units:
                events += self._events(intent, result, sight)
        missing = [one for one in events if (one.run, one.unit) not in there]
        self._memory.tell(missing)

    def _events(self, intent: Intent, result: Result, sight: Sight) -> t.Iterator[Event]:
        now, who = self._remembered.now(), self._remembered.who()
        error = "; then, ".join(filter(None, (result.failure.error if result.failure else None, result.down))) or None
        status, reason = _verdict(intent, result)
        for unit in sorted({piece.unit for piece in intent.pieces}):
            passages = []
            for change in sight.member(intent).changes:
                one = change.workload
                before, after = (one.image_id, one.image_digest), (change.target.id, change.target.digest)
                after = (None, None) if result.down else after if result.did == FINISHED else before
                if one.unit == unit:
                    passages.append(Passage(one.container_name, one.image, before, after))
            yield Event(now, intent.run, who, unit, status.value, reason.value, error, None, None, tuple(passages))


def _verdict(intent: Intent, result: Result) -> tuple[Status, Reason]:
    """As a run that was not interrupted says it of its rows."""
    if result.down:
        return Status.FAILED, Reason.UNIT_DOWN
    asked_back = any(piece.back for piece in intent.pieces)
    if result.did == FINISHED:
        return Status.ROLLED_BACK if asked_back else Status.UPDATED, Reason.INTERRUPTED
    reason = result.failure.reason if result.failure else Reason.INTERRUPTED
    return Status.FAILED if asked_back else Status.ROLLED_BACK, reason


def _groups(intents: t.Sequence[Intent]) -> list[list[Intent]]:
    groups: dict[tuple[str, int], list[Intent]] = {}
    for one in intents:
        groups.setdefault((one.run, one.group), []).append(one)
    return list(groups.values())
