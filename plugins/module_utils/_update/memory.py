# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.
"""Memory: what earlier runs and people forbid, and what this run leaves for the next one.

It is read before anything is decided; if it cannot be read, nothing is decided. What is written afterwards only warns where
it fails, because by then the units are what they are.
"""

from __future__ import annotations

import threading
import typing as t
import uuid
from dataclasses import dataclass, replace

from .._pure import names
from .._pure.decisions import Decision, Finding, Workload
from .._pure.errors import EngineError, StoreError
from .._pure.history import Event, Passage
from .._pure.holds import BadImage, is_normal
from .._pure.policies import Policy
from .._pure.reasons import Reason, Status
from .._pure.records import Snapshot
from .._pure.slots import MOST, Slot, occupied
from .._pure.state import ImageHold, State, UserHold
from .._pure.texts import printable
from .discover import Discovery, local_names
from .resolve import platform_of, with_one_image_per_tag

if t.TYPE_CHECKING:
    from datetime import datetime

    from .._pure.plan_records import PlanRecord
    from .groups import Change
    from .protocols import Remembered, Store
    from .report import Row

#: From bad to good: a unit's verdict is the first that one of its rows has.
_VERDICTS = (Status.FAILED, Status.ROLLED_BACK, Status.UPDATED)


@dataclass(frozen=True)
class MemoryOptions:
    """How many replaced images are kept for each unit and reference, and what is done about holds.

    C(holds) are the holds of people from now on, None where those of earlier runs stay. C(lift) forgets all holds of what
    the run looks at. C(prune) removes images that leave the window, where nobody else names or uses them.
    """

    keep: int = 1
    prune: bool = True
    holds: tuple[UserHold, ...] | None = None
    lift: bool = False
    #: Images that failed elsewhere, and the plan that the run follows, for the history.
    bad_images: tuple[BadImage, ...] = ()
    plan: str | None = None


class Memory:
    """What one run remembers. C(changed) says whether it changes (in check mode: would change) what is held."""

    def __init__(self, remembered: Remembered, options: MemoryOptions) -> None:
        self.options = options
        #: What all that this run leaves in the history has in common.
        self.run = uuid.uuid4().hex
        self.changed = False
        self.warnings: list[str] = []
        self._remembered = remembered
        self._state = State()
        self._snapshot: Snapshot | None = None
        self._kept: dict[tuple[str, str], tuple[Slot, ...]] = {}
        self._arrived: set[str] = set()
        self._lock = threading.Lock()

    def resume(self, state: State, snapshot: Snapshot) -> None:
        """Remember for a repair, which decides nothing that holds could forbid. C(snapshot) has all images."""
        self._state, self._snapshot = state, snapshot

    def begin(self, discovery: Discovery, *, write: bool) -> None:
        """Read what is remembered and apply what the caller says of holds; only C(write) writes it.

        Raises:
            StateError: It cannot be read or written.
        """
        self._snapshot = discovery.snapshot
        now = self._remembered.now()
        before = self._remembered.read().at(now)
        self._state = self._asked(before, discovery).at(now)
        self.changed = self._state.holds != before.holds
        # It is left out above, and would else look as if it held.
        over = [one for one in self.options.holds or () if one.is_over(now)]
        self.warnings += [
            f"holds: this one has ended already, so it holds nothing: {one}" for one in dict.fromkeys(over)
        ]
        if self._state != before and write:
            self._state = self._remembered.change(lambda state: self._asked(state, discovery).at(now))

    def _asked(self, state: State, discovery: Discovery) -> State:
        if self.options.lift:
            for one in discovery.workloads:
                name = name_of(one)
                for unit in units_of(one, discovery.snapshot) if name is not None else ():
                    state = state.lifted(t.cast("str", name), platform_of(one, discovery.snapshot), unit)
        platform, now = discovery.snapshot.host.platform, self._remembered.now()
        for bad in self.options.bad_images:
            state = state.knowing(bad.hold(platform, now))
        return state if self.options.holds is None else state.held_by_user(self.options.holds)

    @property
    def state(self) -> State:
        """What is remembered now."""
        return self._state

    # What is forbidden.

    def with_holds(self, discovery: Discovery, decisions: t.Mapping[str, Decision]) -> dict[str, Decision]:
        """Take back what a hold forbids. Whoever then follows a local name instead is asked again."""
        if not self._state.holds:
            return dict(decisions)
        blocked = self._blocked_names(discovery.snapshot)
        left = dict(decisions)
        for policies in (
            (Policy.REGISTRY,),
            tuple(Policy),
        ):  # What a tag will be decides for whoever follows it locally.
            for one in discovery.workloads:
                finding = self.objection(one, left[one.container_id], blocked)
                if finding and one.policy in policies:
                    left[one.container_id] = Decision(finding, left[one.container_id].digest)
            left = with_one_image_per_tag(discovery.workloads, left, discovery.snapshot)
        return left

    def objection(
        self, workload: Workload, decision: Decision, blocked: t.Mapping[str, UserHold] | None = None
    ) -> Finding | None:
        """Why the workload must not get its target, if anything forbids it."""
        target, snapshot = decision.target, self._snapshot
        if target is None or snapshot is None:
            return None
        digests = {target.digest} if target.digest else set()
        platform = platform_of(workload, snapshot)
        holds = (
            self._state.hold_against(target.name, platform, target.id, digests, unit)
            for unit in units_of(workload, snapshot)
        )
        hold = min(filter(None, holds), key=lambda one: isinstance(one, ImageHold), default=None)
        if isinstance(hold, UserHold):
            return Finding(Status.HELD, Reason.USER_HOLD, f"held by a person: {hold}")
        if blocked and target.name in blocked:
            # Its tag would move, and the unit that is held would meet it at its next start.
            message = f"another container on {target.name} is held by a person: {blocked[target.name]}"
            return Finding(Status.HELD, Reason.USER_HOLD, printable(message))
        if isinstance(hold, ImageHold):
            return Finding(Status.HELD, Reason.BAD_DIGEST, _said(hold))
        return None

    def _blocked_names(self, snapshot: Snapshot) -> dict[str, UserHold]:
        """The names that must not move because a held unit has a container on them."""
        holds = [one for one in self._state.holds if isinstance(one, UserHold) and one.unit]
        if not holds:
            return {}
        infra = {one.pod: one.unit_label for one in snapshot.containers if one.is_infra and one.pod}
        blocked: dict[str, UserHold] = {}
        for container in snapshot.containers:
            units = {container.unit_label, infra.get(container.pod) if container.pod else None} - {None}
            for hold in holds if not container.is_infra else ():
                if any(hold.concerns(container.image_name, snapshot.host.platform, unit) for unit in units):
                    blocked.setdefault(container.image_name, hold)
        return blocked

    # What is left for the next run.

    def leave(self, changes: t.Iterable[Change], reason: Reason | None, store: Store, *, asked: bool = False) -> None:
        """Hold the images that units were taken off: the targets that failed or, where that was asked for, what ran."""
        now = self._remembered.now()
        holds = [hold for change in changes if (hold := self._hold(change, reason, store, now, asked=asked))]

        def holding(state: State) -> State:
            for hold in holds:
                state = state.holding(hold)
            return state

        with self._lock:
            self._state = holding(self._state)
            if holds:
                self._write(lambda: self._remembered.change(holding))

    def _hold(
        self, change: Change, reason: Reason | None, store: Store, now: t.Any, *, asked: bool
    ) -> ImageHold | None:
        workload, target = change.workload, change.target
        image_id = workload.image_id if asked else target.id
        if image_id is None or self._snapshot is None or not is_normal(target.name):
            return None
        digests = set(workload.digests) if asked else {target.digest} - {None}
        try:
            _containers, images = store.details((), (image_id,))
            digests |= images[image_id].digests if image_id in images else set()
        except StoreError:
            pass  # What the tag answered with is known in any case.
        said = reason.value if reason else "rolled_back"
        platform, unit = platform_of(workload, self._snapshot), workload.unit or ""
        return ImageHold(target.name, platform, image_id, frozenset(t.cast("set[str]", digests)), unit, said, now)

    def is_held(self, reference: str, image_id: str) -> bool:
        """Whether an image is held for a reference, on any platform."""
        holds = (one for one in self._state.holds if isinstance(one, ImageHold))
        return any((one.reference, one.id) == (reference, image_id) for one in holds)

    def kept(self, unit: str, reference: str, held: t.Mapping[int, str]) -> None:
        """Note which slots a unit and reference have now."""
        now = self._remembered.now()
        with self._lock:
            known = {(one.unit, one.reference, one.id): one.kept for one in self._state.slots}
            images = self._snapshot.images if self._snapshot else {}
            self._kept[(unit, reference)] = tuple(
                Slot(
                    unit,
                    reference,
                    number,
                    image_id,
                    images[image_id].digests if image_id in images else frozenset(),
                    known.get((unit, reference, image_id)) or now,
                )
                for number, image_id in sorted(held.items())
                if number <= MOST and is_normal(reference)
            )

    def arrived(self, reference: str) -> None:
        """Note that an image of the reference works: what runs were interrupted with before does not count any more."""
        with self._lock:
            self._arrived.add(reference)

    def learn(self, workloads: t.Iterable[Workload], snapshot: Snapshot) -> None:
        """Note the slots that only names tell of: the state file was lost. C(snapshot) has all images."""
        self._snapshot = snapshot
        tags = {name: image.id for name, image in local_names(snapshot.images).items() if names.is_ours(name)}
        if not tags:
            return
        known = {(one.unit, one.reference) for one in self._state.slots}
        for one in workloads:
            name = name_of(one)
            if one.unit and name and (one.unit, name) not in known and (held := occupied(one.unit, name, tags)):
                self.kept(one.unit, name, held)

    def record(self, rows: t.Sequence[Row], *, intended: bool = False) -> None:
        """Write a line of history for each unit that was changed or failed, then the slots; C(intended) says that intents stand.

        In this order, because an intent that is left says which lines there must be, and lines say nothing of intents.
        """
        self.tell(self.events(rows))
        if self._kept or intended:
            self.close([self.run])

    def tell(self, events: t.Sequence[Event]) -> None:
        """Add to the history."""
        if events:
            self._write(lambda: self._remembered.add(events))

    def close(self, runs: t.Collection[str]) -> None:
        """Write the slots as they are now, and forget what these runs intended."""

        def closed(state: State) -> State:
            for (unit, reference), slots in self._kept.items():
                state = state.keeping(unit, reference, slots)
            return state.arrived(self._arrived).without_intents(runs)

        self._write(lambda: self._remembered.change(closed))

    def events(self, rows: t.Sequence[Row]) -> list[Event]:
        """What the history is to tell of these rows."""
        by_unit: dict[str, list[Row]] = {}
        for row in rows:
            if row.changed or row.finding.status in _VERDICTS:
                by_unit.setdefault(row.workload.unit or "", []).append(row)
        run, now, who = self.run, self._remembered.now(), self._remembered.who()
        events = []
        for unit, its in by_unit.items():
            worst = min(its, key=_badness)
            finding = worst.finding
            reason = finding.reason.value if finding.reason else None
            passages = tuple(
                Passage(one.workload.container_name, one.workload.image, one.before, one.after) for one in its
            )
            verdict, job, plan = finding.status.value, worst.job_result, self.options.plan
            events.append(
                Event(now, run, who, unit, verdict, reason, finding.error, job, worst.duration, passages, plan)
            )
        return events

    def note_plan(self, record: PlanRecord) -> None:
        """Remember how a plan ended here; what is known already is not written again."""
        known = self._state.plan
        if known is None or replace(known, at=record.at) != record:
            self._write(lambda: self._remembered.change(lambda state: replace(state, plan=record)))

    def now(self) -> datetime:
        """The time, as files hold it."""
        return self._remembered.now()

    def _write(self, write: t.Callable[[], object]) -> None:
        try:
            write()
        except EngineError as error:
            self.warnings.append(f"{error.reason.value}: {error}")


def units_of(workload: Workload, snapshot: Snapshot) -> tuple[str | None, ...]:
    """The units that a hold may name: the one that restarts the container and, for a pod's member, its own."""
    own = next((one.unit_label for one in snapshot.containers if one.id == workload.container_id), None)
    return tuple(dict.fromkeys([workload.unit, own or workload.unit]))


def name_of(workload: Workload) -> str | None:
    """The name whose image the workload follows, as holds and slots know it."""
    if workload.policy is Policy.REGISTRY and workload.reference is not None:
        return workload.reference.name
    return workload.resolved_name or None


def _badness(row: Row) -> int:
    status = row.finding.status
    return _VERDICTS.index(status) if status in _VERDICTS else len(_VERDICTS)


def _said(hold: ImageHold) -> str:
    since = f" on {hold.since:%Y-%m-%d}" if hold.since else ""
    if not hold.unit and hold.reason:
        return printable(f"the image {hold.id} was said to be bad{since}: {hold.reason}")
    why = f" in {hold.unit}: {hold.reason}" if hold.unit else ""
    return printable(f"the image {hold.id} was left here{since}{why}")
