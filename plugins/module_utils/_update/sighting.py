# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What is there of the things that an interrupted run was about to move: one look, for a repair to decide by."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._pure import names
from .._pure.decisions import Target, Workload
from .._pure.health import Expected, Failure, placed
from .._pure.intents import Intent, Piece
from .._pure.interruptions import Interruption
from .._pure.records import Snapshot
from .._pure.units import UP, UnitFacts
from .discover import local_names
from .groups import Change, Member
from .protocols import Store, Units

if t.TYPE_CHECKING:
    from datetime import datetime

    from .._pure.state import State


@dataclass(frozen=True)
class Sight:
    """A host as it is now: C(snapshot) has all images, C(facts) are of the units in question."""

    snapshot: Snapshot
    facts: t.Mapping[str, UnitFacts]
    tags: t.Mapping[str, str]

    def member(self, intent: Intent) -> Member:
        """What the intent moves, with the images that are known by now."""
        return Member(intent.unit, tuple(map(self._change, intent.pieces)), (), intent.units, intent.others)

    def _change(self, piece: Piece) -> Change:
        workload = Workload(
            piece.container_id,
            piece.container,
            piece.unit,
            piece.image,
            None,
            None,
            piece.resolved,
            piece.before[0],
            piece.before[1],
            frozenset(filter(None, piece.before[1:])),
            0,
        )
        # Where only the pull told the image ID, the name that it leaves tells it, or the tag that was moved by now.
        image_id = piece.target[0] or self.tags.get(piece.pull or "") or self._pulled(piece)
        return Change(workload, Target(image_id, piece.target[1], piece.reference, piece.pull, back=piece.back))

    def _pulled(self, piece: Piece) -> str | None:
        now = self.snapshot.images.get(self.tags.get(piece.reference, ""))
        return now.id if now and piece.target[1] in now.digests and now.id != piece.before[0] else None

    def names_before(self, intent: Intent) -> dict[str, str | None]:
        """Where the names pointed before, with those that the run could only know after its pull."""
        before = dict(intent.names)
        for change in self.member(intent).changes:
            if change.target.id is not None:
                before.setdefault(names.rejected(change.target.name, change.target.id), None)
        return before

    def is_up(self, intent: Intent) -> bool:
        """Whether its unit, and those of its containers, are active."""
        units = {intent.unit, *(piece.unit for piece in intent.pieces)}
        return all(
            one in self.facts and self.facts[one].active_state in UP for one in units if self._is_loaded(one)
        ) and self._is_loaded(intent.unit)

    def is_gone(self, intent: Intent) -> bool:
        """Whether systemd does not know its unit any more, so that there is nothing to start."""
        return not self._is_loaded(intent.unit)

    def is_elsewhere(self, intent: Intent) -> bool:
        """Whether it runs on a third image: somebody has moved it since, and what they chose is not this repair's to judge."""
        changes = self.member(intent).changes
        if not intent.moves or not self.is_up(intent) or any(change.target.id is None for change in changes):
            return False
        found = placed(expected(self.member(intent), replace(intent, moves=False), new=True), self.snapshot.containers)
        return not isinstance(found, Failure) and any(
            one.image_id not in (change.workload.image_id, change.target.id) for one, change in zip(found, changes)
        )

    def is_left_alone(self, intent: Intent) -> bool:
        """Whether there is nothing to restart, wherever the others of its group go: what only pulled restarted nothing."""
        return not intent.units or self.is_gone(intent) or self.is_elsewhere(intent)

    def _is_loaded(self, unit: str) -> bool:
        return unit in self.facts and self.facts[unit].load_state == "loaded"

    def runs_new(self, intent: Intent) -> bool:
        """Whether every container runs its new image."""
        member = self.member(intent)
        known = all(change.target.id is not None for change in member.changes)
        return known and self.is_up(intent) and self._places(expected(member, intent, new=True))

    def runs_old(self, intent: Intent) -> bool:
        """Whether every container runs its old image."""
        return self.is_up(intent) and self._places(expected(self.member(intent), intent, new=False))

    def _places(self, wanted: Expected) -> bool:
        return not isinstance(placed(wanted, self.snapshot.containers), Failure)

    def has_old_images(self, intent: Intent) -> bool:
        """Whether there is a way back."""
        return all(piece.before[0] in self.snapshot.images for piece in intent.pieces)

    def names_moved(self, intent: Intent) -> bool:
        """Whether any name points elsewhere than before."""
        return any(self.tags.get(name) != image_id for name, image_id in self.names_before(intent).items())

    def touched(self, intent: Intent) -> bool:
        """Whether anything shows that the run had begun to move the unit."""
        return self.names_moved(intent) or self._is_replaced(intent)

    def _is_replaced(self, intent: Intent) -> bool:
        there = {one.id for one in self.snapshot.containers}
        return intent.moves and intent.units != () and not all(piece.container_id in there for piece in intent.pieces)

    def interruptions(self, intent: Intent, state: State, now: datetime) -> tuple[Interruption, ...]:
        """How often in a row runs were interrupted with the images that its unit had begun to come up on, with this time.

        None where the restart had not begun, by us or by a boot: names that moved did no harm yet.
        """
        if self.is_elsewhere(intent) or not (self.names_moved(intent) and self._is_replaced(intent)):
            return ()
        told = []
        for piece, change in zip(intent.pieces, self.member(intent).changes):
            image_id = change.target.id
            if image_id is not None and not piece.back:
                before = state.interrupted(piece.reference, piece.platform, image_id)
                times = max(1, before if intent.counted else before + 1)
                told.append(Interruption(piece.reference, piece.platform, image_id, times, intent.unit, now))
        return tuple(told)


def look(intents: t.Sequence[Intent], store: Store, units: Units) -> Sight:
    """Look at everything that these intents name.

    Raises:
        EngineError: podman or systemd did not answer.
    """
    named = {unit for one in intents for unit in (one.unit, *(piece.unit for piece in one.pieces))}
    facts = units.facts(sorted(named)) if named else {}
    images = store.images()
    wanted = {piece.before[0] for one in intents for piece in one.pieces} & set(images)
    _containers, details = store.details((), sorted(t.cast("set[str]", wanted))) if wanted else ((), {})
    # Only an inspection tells platforms, and only the list tells names.
    images = {**images, **{key: replace(one, names=images[key].names) for key, one in details.items() if key in images}}
    snapshot = Snapshot(store.containers(), images, store.host())
    return Sight(snapshot, facts, {name: image.id for name, image in local_names(images).items()})


def expected(member: Member, intent: Intent, *, new: bool) -> Expected:
    """What must run: on the new images or on the old ones; on any where no names move."""
    whole = member.expected(new=new)
    # The containers that an interrupted run found may be any of those that run now.
    containers = (
        replace(one, image_id=one.image_id if intent.moves else None, old_id=None) for one in whole.containers
    )
    return replace(whole, containers=tuple(containers))
