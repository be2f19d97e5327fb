# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Groups: the units that must be decided together, because a tag is shared by a whole store.

If one unit fails on a new image, its tag goes back; a unit that shares the tag would then run something else than the
tag says. So units that share a reference form one group, and share its fate. Units that systemd restarts together (a pod and
its members, or a unit and those that require it) are one member of a group: their tags move together, and only the unit that
takes the others along is restarted.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._pure.decisions import Target, Workload
from .._pure.health import Expected, ExpectedContainer
from .._pure.policies import LABEL
from .._pure.records import ListedContainer
from .._pure.units import UnitLinks


@dataclass(frozen=True)
class Change:
    """One container that is to run another image."""

    workload: Workload
    target: Target


@dataclass(frozen=True)
class Member:
    """What one restart moves: C(unit) is restarted by us, and systemd restarts the other C(units) along with it.

    C(changes) are those of all of them; each container's own unit stands in its workload. Where one unit is taken along by
    several that are to be restarted, C(others) are those beside C(unit): restarted in the same moment, so that it is once.
    """

    unit: str
    changes: tuple[Change, ...]
    #: What runs beside them: the restart takes it along, and it must come back.
    beside: tuple[ListedContainer, ...] = ()
    units: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def roots(self) -> tuple[str, ...]:
        """The units that are restarted by us."""
        return self.unit, *self.others

    def expected(self, *, new: bool) -> Expected:
        """What must run after its restart, on its new images or on its old ones."""
        changed = tuple(
            ExpectedContainer(
                change.workload.container_name,
                change.workload.resolved_name,
                change.target.id if new else change.workload.image_id,
                change.workload.container_id,
                change.workload.unit,
            )
            for change in self.changes
        )
        beside = tuple(ExpectedContainer(one.name, one.image_name, unit=one.unit_label) for one in self.beside)
        return Expected(self.unit, changed + beside)

    @property
    def changed_units(self) -> frozenset[str]:
        """The units that have a change of their own."""
        return frozenset(t.cast("str", change.workload.unit) for change in self.changes)


def form_groups(
    changes: t.Sequence[Change],
    containers: t.Sequence[ListedContainer] = (),
    links: t.Mapping[str, UnitLinks] | None = None,
) -> tuple[tuple[Member, ...], ...]:
    """Put together what one restart moves, and then the members that share a reference. Everything stays sorted."""
    by_unit: dict[str, list[Change]] = {}
    for change in changes:
        by_unit.setdefault(t.cast("str", change.workload.unit), []).append(change)
    dragged = _dragged(by_unit, links or {})
    members, ties = [], []
    roots = sorted(filter(lambda unit: _is_root(unit, dragged), by_unit))
    for numbers in _tied([({root} | dragged[root]).intersection(by_unit) for root in roots]):
        own = [roots[number] for number in numbers]
        units = (*own, *sorted(frozenset().union(*(dragged[root] for root in own)) - {*own}))
        moved = tuple(change for unit in sorted(by_unit) if unit in units for change in by_unit[unit])
        members.append(Member(own[0], moved, _beside(units, moved, containers), units, tuple(own[1:])))
        ties.append({change.target.name for change in moved})
    return tuple(tuple(members[number] for number in numbers) for numbers in _tied(ties))


def restarted_by(units: t.Iterable[str], links: t.Mapping[str, UnitLinks]) -> dict[str, str]:
    """For each unit the one of them whose restart restarts it: itself where no other takes it along."""
    dragged = _dragged(units, links)
    roots = sorted(filter(lambda unit: _is_root(unit, dragged), dragged))
    return {
        unit: unit if unit in roots else next((root for root in roots if unit in dragged[root]), unit)
        for unit in dragged
    }


def _dragged(units: t.Iterable[str], links: t.Mapping[str, UnitLinks]) -> dict[str, frozenset[str]]:
    return {unit: links.get(unit, UnitLinks()).dependents - {unit} for unit in units}


def _is_root(unit: str, dragged: t.Mapping[str, t.Collection[str]]) -> bool:
    """Whether no other unit's restart takes it along; of units that take each other along, the first one is the root."""
    return not any(
        unit in others and not (one in dragged[unit] and unit < one) for one, others in dragged.items() if one != unit
    )


def _tied(ties: t.Sequence[t.Collection[str]]) -> t.Iterator[tuple[int, ...]]:
    """The numbers of those that share anything, also through others."""
    left = set(range(len(ties)))
    for number in range(len(ties)):
        if number not in left:
            continue
        linked, new = {number}, {number}
        while new:
            shared = {tie for one in new for tie in ties[one]}
            new = {other for other in left - linked if shared.intersection(ties[other])}
            linked |= new
        left -= linked
        yield tuple(sorted(linked))


def _beside(
    units: t.Collection[str], changes: t.Sequence[Change], containers: t.Sequence[ListedContainer]
) -> tuple[ListedContainer, ...]:
    """The units' other containers: members of their pods, and those that take part in updates by a label of their own.

    A container without that label may be a short task that the unit has started, which need not come back.
    """
    changed = {change.workload.container_id for change in changes}
    pods = {one.pod for one in containers if one.is_infra and one.unit_label in units}
    return tuple(
        one
        for one in containers
        if one.state == "running"
        and not one.is_infra
        and one.id not in changed
        and (one.pod in pods if one.pod else one.unit_label in units and LABEL in one.labels)
    )
