# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Intent: what a run is about to do stands on the disk before it does it, and what became of it before the run forgets it.

One writing for all groups before the first pull, and one for each group that ends while others go on: what ends at the same
time shares it. The last ones are taken away by what the run leaves for the next one.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t
import uuid
from dataclasses import replace

from .._pure import names
from .._pure.decisions import Target, Workload
from .._pure.errors import EngineError, UnitError
from .._pure.holds import is_normal
from .._pure.intents import Intent, Piece
from .._pure.records import Snapshot
from .._pure.slots import occupied
from .discover import local_names
from .groups import Change, Member
from .protocols import Remembered, Units
from .resolve import platform_of

if t.TYPE_CHECKING:
    from .._pure.history import Event
    from .._pure.units import UnitLinks

_Groups = t.Sequence[t.Sequence[Member]]


class Intents:
    """The intents of one run; C(run) is what its lines in the history have in common."""

    def __init__(self, remembered: Remembered, run: str) -> None:
        self._remembered = remembered
        self._run = run
        self._open: dict[str, Intent] = {}
        self._ended: list[Intent] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def begin(
        self,
        groups: _Groups,
        snapshot: Snapshot,
        units: Units | None,
        links: t.Mapping[str, UnitLinks],
        *,
        rollback: bool,
    ) -> None:
        """Say what is about to be moved. C(snapshot) has all images; without C(units) nothing is restarted.

        Raises:
            StateError: It cannot be written, so nothing may be moved.
        """
        active = _active_dependents([one for group in groups for one in group], units, links)
        tags = {name: image.id for name, image in local_names(snapshot.images).items()}
        now = self._remembered.now()
        for number, group in enumerate(groups):
            for member in group:
                self._open[member.unit] = Intent(
                    self._run,
                    number,
                    now,
                    member.unit,
                    () if units is None else member.units or (member.unit,),
                    tuple(_piece(change, snapshot) for change in member.changes),
                    tuple((name, tags.get(name)) for name in _names(member, tags)),
                    tuple(sorted(active.get(member.unit, ()))),
                    rollback=rollback,
                    others=member.others,
                )
        self._remembered.change(lambda state: state.intending(list(self._open.values())))

    def ended(self, group: t.Sequence[Member], events: t.Sequence[Event]) -> None:
        """Say what became of a group, as the history is to tell it; called from several threads."""
        with self._lock:
            known = [self._open.pop(member.unit) for member in group if member.unit in self._open]
            told = {one.unit: one for one in events}
            for intent in known:
                mine = {intent.unit, *(piece.unit for piece in intent.pieces)}
                self._ended.append(replace(intent, ended=tuple(told[unit] for unit in sorted(mine) if unit in told)))
            if not self._open:
                return  # What the run leaves is written next, and takes all of them away.
        with self._writing:  # Whoever comes while this waits is written along.
            with self._lock:
                ended, self._ended = self._ended, []
            if ended:
                self._write(ended)

    def _write(self, ended: t.Sequence[Intent]) -> None:
        # The units are what they are: should this run not come to its end, the next one looks at them.
        with contextlib.suppress(EngineError):
            self._remembered.change(lambda state: state.intending(ended))


@contextlib.contextmanager
def restarting(
    remembered: Remembered,
    units: Units,
    workloads: t.Mapping[str, t.Sequence[Workload]],
    wanted: t.Mapping[str, str],
    snapshot: Snapshot,
) -> t.Iterator[None]:
    """Say which units are about to be restarted, whose names end where they are; C(wanted) is the image ID for each container.

    A unit that a crash would cost nothing is left out: systemd ends a restart without us. What ends in an exception stays
    for the next repair.

    Raises:
        StateError: It cannot be written, so nothing may be restarted.
    """
    run, now = uuid.uuid4().hex, remembered.now()
    tags = {name: image.id for name, image in local_names(snapshot.images).items()}
    links = units.links(sorted(workloads))
    members = [Member(unit, ()) for unit in workloads]
    active = _active_dependents(members, units, links)
    intents = []
    for number, (unit, found) in enumerate(workloads.items()):
        stale = [
            Change(one, Target(wanted[one.container_id], None, one.resolved_name))
            for one in found
            if wanted.get(one.container_id, one.image_id) != one.image_id and is_normal(one.resolved_name)
        ]
        if stale or active.get(unit):
            member = Member(unit, tuple(stale))
            names_ = [(name, tags.get(name)) for name in _names(member, tags)]
            pieces = tuple(_piece(change, snapshot) for change in stale)
            dependents = tuple(sorted(active.get(unit, ())))
            intents.append(Intent(run, number, now, unit, (unit,), pieces, tuple(names_), dependents, moves=False))
    if intents:
        remembered.change(lambda state: state.intending(intents))
    yield
    if intents:
        with contextlib.suppress(EngineError):  # The next repair finds nothing to do.
            remembered.change(lambda state: state.without_intents([run]))


def _piece(change: Change, snapshot: Snapshot) -> Piece:
    one, target = change.workload, change.target
    return Piece(
        one.container_name,
        one.container_id,
        one.unit or "",
        one.image,
        one.resolved_name,
        target.name,
        platform_of(one, snapshot),
        (one.image_id, one.image_digest),
        (target.id, target.digest),
        target.pull,
        target.back,
    )


def _names(member: Member, tags: t.Mapping[str, str]) -> list[str]:
    """Every name that moving the member, or its way back, may give to another image."""
    found = []
    for change in member.changes:
        unit, reference = change.workload.unit or "", change.target.name
        held = occupied(unit, reference, tags)
        last = max([*held, len(held)], default=0) + 1
        found += [reference, *(names.slot(unit, reference, number) for number in range(1, last + 1))]
        found += [
            names.rejected(reference, one) for one in (change.workload.image_id, change.target.id) if one is not None
        ]
    return list(dict.fromkeys(found))


def _active_dependents(
    members: t.Sequence[Member], units: Units | None, links: t.Mapping[str, UnitLinks]
) -> dict[str, list[str]]:
    wanted = {
        one.unit: frozenset().union(*(links[root].dependents for root in one.roots if root in links)) - {*one.roots}
        for one in members
    }
    every = sorted(frozenset().union(*wanted.values())) if wanted else []
    try:
        facts = units.facts(every) if every and units else {}
    except UnitError:
        return {}  # The restart will tell what is wrong with systemd.
    return {
        unit: [one for one in dependents if one in facts and facts[one].active_state == "active"]
        for unit, dependents in wanted.items()
    }
