# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The names that one transaction moves, and how each of them comes back to where it was."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._pure import names
from .._pure.errors import StoreError
from .._pure.health import Failure
from .._pure.records import Snapshot
from .._pure.slots import occupied, shifted, surplus
from .discover import local_names
from .groups import Change, Member
from .memory import Memory
from .protocols import Store
from .stage import staged_name


@dataclass(frozen=True)
class _Move:
    """A name that was given to another image; C(before) is None where it is new."""

    name: str
    before: str | None
    after: str


class Tags:
    """Moves tags for members, and remembers how to undo it. Units that share a tag must share one of these."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._tags = {name: image.id for name, image in local_names(snapshot.images).items()}
        self._before = dict(self._tags)
        self._moves: dict[str, list[_Move]] = {}
        self._dropped: set[str] = set()

    def resume(self, member: Member, before: t.Mapping[str, str | None], memory: Memory) -> None:
        """Take over what an interrupted run has moved: C(before) is where its names pointed when it began.

        A name that points to neither of the member's two images was moved by somebody else, and stays; so does one that a hold needs.
        """
        for name, image_id in before.items():
            if image_id is None:
                self._before.pop(name, None)
            else:
                self._before[name] = image_id
        given = {change.target.name: (change.target.id, change.workload.image_id, None) for change in member.changes}
        needed = {
            names.rejected(change.target.name, image_id)
            for change in member.changes
            for image_id in (change.workload.image_id, change.target.id)
            if image_id is not None and memory.is_held(change.target.name, image_id)
        }
        self._moves[member.unit] = [
            _Move(name, before[name], now or "")
            for name in before
            if (now := self._tags.get(name)) != before[name]
            and name not in needed
            and (name not in given or now in given[name])
        ]

    def moved(self, member: Member) -> bool:
        """Whether any name was moved for this member and not put back since."""
        return member.unit in self._moves

    def move(self, member: Member) -> None:
        """Keep the running images under names of ours, then let the member's names point to the targets.

        Raises:
            StoreError: podman refused; what was moved until then is undone by C(undo).
        """
        self._moves.setdefault(member.unit, [])
        for change in member.changes:
            workload, target = change.workload, change.target
            old = t.cast("str", workload.image_id)
            if old in self._snapshot.images and target.back:
                self._tag(member, old, names.rejected(target.name, old))
            elif old in self._snapshot.images:
                self._shift(member, *_slot_key(change), old)
            if target.pull is not None or target.back:
                self._tag(member, t.cast("str", target.id), target.name)

    def _shift(self, member: Member, unit: str, reference: str, old: str) -> None:
        """Put the old image into the first slot, and what is there into the next ones, the last first."""
        before = occupied(unit, reference, self._tags)
        for number, image_id in sorted(shifted(before, old).items(), reverse=True):
            if before.get(number) != image_id:
                self._tag(member, image_id, names.slot(unit, reference, number))

    def _tag(self, member: Member, image_id: str, name: str) -> None:
        self._store.tag(image_id, name)
        self._moves.setdefault(member.unit, []).append(_Move(name, self._tags.get(name), image_id))
        self._tags[name] = image_id

    def undo(self, member: Member) -> None:
        """Let every name that was moved for this member point to where it did before, as far as it can be done."""
        for move in reversed(self._moves.pop(member.unit, [])):
            with contextlib.suppress(StoreError):  # A slot keeps an image too long, a tag is looked at by the caller.
                if move.before is not None:
                    self._store.tag(move.before, move.name)
                    self._tags[move.name] = move.before
                else:
                    self._store.untag(move.after, move.name)
                    self._tags.pop(move.name, None)

    def keep_rejected(self, member: Member) -> None:
        """Give the rejected images a name of ours: one that was built here may have no other copy."""
        for change in member.changes:
            if change.target.id is not None and not change.target.back:
                with contextlib.suppress(StoreError):  # The way back matters more.
                    self._store.tag(change.target.id, names.rejected(change.target.name, change.target.id))

    def settle(self, member: Member, memory: Memory) -> None:
        """Let go of what is kept no longer, once the new images work: slots beyond the window, and what is not held."""
        for change in member.changes:
            unit, reference = _slot_key(change)
            held = occupied(unit, reference, self._tags)
            for number in surplus(held, memory.options.keep):
                self._let_go(held[number], names.slot(unit, reference, number), memory)
            memory.kept(unit, reference, occupied(unit, reference, self._tags))
            memory.arrived(reference)
            for name, image_id in list(self._tags.items()):
                if name == names.rejected(reference, image_id) and not memory.is_held(reference, image_id):
                    self._let_go(image_id, name, memory)

    def note_slots(self, member: Member, memory: Memory) -> None:
        """Let the memory know the slots of a member that stays where it failed."""
        for change in member.changes:
            unit, reference = _slot_key(change)
            memory.kept(unit, reference, occupied(unit, reference, self._tags))

    def _let_go(self, image_id: str, name: str, memory: Memory) -> None:
        """Take a name of ours away; it stays where a container uses the image, and is tried again after the next update."""
        with contextlib.suppress(StoreError):
            if memory.options.prune:
                self._store.remove_name(name)
            else:
                self._store.untag(image_id, name)
            self._tags.pop(name, None)

    def waves(self, members: t.Sequence[Member]) -> list[list[Member]]:
        """Put together who can go back side by side: one tag cannot point to two old images at once.

        Whoever ran what the tags point to now comes last, so that they end as they were before the run.
        """
        waves: list[tuple[dict[str, str | None], list[Member]]] = []
        for member in members:
            wanted = {change.target.name: change.workload.image_id for change in member.changes}
            for taken, wave in waves:
                if all(taken.get(name, image_id) == image_id for name, image_id in wanted.items()):
                    taken.update(wanted)
                    wave.append(member)
                    break
            else:
                waves.append((wanted, [member]))
        waves.sort(key=lambda one: sum(self._tags.get(name) == image_id for name, image_id in one[0].items()))
        return [wave for _names, wave in waves]

    def tag_old_images(self, member: Member) -> None:
        """Let the member's names point to the images that it ran, whatever they pointed to before the run.

        Raises:
            StoreError: podman refused.
        """
        for change in member.changes:
            old, name = t.cast("str", change.workload.image_id), change.target.name
            if self._tags.get(name) != old:
                self._store.tag(old, name)
                self._tags[name] = old

    def tag_all_old_images(self, members: t.Sequence[Member]) -> dict[str, Failure]:
        """Do so for every member; by unit, why it could not be done."""
        problems: dict[str, Failure] = {}
        for member in members:
            try:
                self.tag_old_images(member)
            except StoreError as error:
                problems[member.unit] = Failure(error.reason, str(error))
        return problems

    def leave_to_others(self, members: t.Sequence[Member]) -> None:
        """Let a name point to what it did before the run where a unit that was not moved runs just that.

        It was current, so nobody put it back, and its next start must not meet an older image than it runs. The members
        are then as far from the tag as they were before.
        """
        moved = {change.workload.container_id for member in members for change in member.changes}
        for name in sorted({change.target.name for member in members for change in member.changes}):
            before = self._before.get(name)
            if before is None or before == self._tags.get(name):
                continue
            if any(
                one.image_name == name and one.image_id == before and one.state == "running" and one.id not in moved
                for one in self._snapshot.containers
            ):
                with contextlib.suppress(StoreError):  # Nothing that runs is touched by it.
                    self._store.tag(before, name)
                    self._tags[name] = before

    def drop_pulled_names(self, member: Member) -> None:
        """Take away the name that a pull by digest leaves: pruning would never remove it."""
        for change in member.changes:
            name = change.target.pull
            if name is not None and change.target.id is not None and name not in self._dropped:
                self._dropped.add(name)
                self.drop_pulled(change, change.target.id)

    def drop_pulled(self, change: Change, image_id: str) -> None:
        """Take away the names that bringing one image left, whatever is to become of it."""
        target = change.target
        kept = staged_name(change.workload, target, self._snapshot)
        if kept in self._tags:
            return  # It was staged by an earlier run, and nothing was pulled.
        self.drop(image_id, target.pull or "")
        if kept and target.digest and not self._store.takes_unsigned(target.name, target.digest):
            self.drop(image_id, kept)

    def drop(self, image_id: str, name: str) -> None:
        """Take a name away. Whether it is gone already, or stays: neither changes what runs."""
        with contextlib.suppress(StoreError):
            self._store.untag(image_id, name)


def _slot_key(change: Change) -> tuple[str, str]:
    return t.cast("str", change.workload.unit), change.target.name
