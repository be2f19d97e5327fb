# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Groups: the units that must be decided together, because a tag is shared by a whole store.

If one unit fails on a new image, its tag goes back; a unit that shares the tag would then run something else than the
tag says. So units that share a reference form one group, and share its fate.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._pure.decisions import Target, Workload
from .._pure.policies import LABEL
from .._pure.records import ListedContainer


@dataclass(frozen=True)
class Change:
    """One container that is to run another image."""

    workload: Workload
    target: Target


@dataclass(frozen=True)
class Member:
    """One unit with all its changes: it restarts once for all of them."""

    unit: str
    changes: tuple[Change, ...]
    #: What runs beside them: the restart takes it along, and it must come back.
    beside: tuple[ListedContainer, ...] = ()


def form_groups(
    changes: t.Sequence[Change], containers: t.Sequence[ListedContainer] = ()
) -> tuple[tuple[Member, ...], ...]:
    """Put the changes together by unit, and units that share a reference by group. Everything stays sorted."""
    by_unit: dict[str, list[Change]] = {}
    for change in changes:
        by_unit.setdefault(t.cast("str", change.workload.unit), []).append(change)
    units_of: dict[str, set[str]] = {}
    for change in changes:
        units_of.setdefault(change.target.name, set()).add(t.cast("str", change.workload.unit))
    groups = []
    left = set(by_unit)
    for unit in sorted(by_unit):
        if unit not in left:
            continue
        linked, new = {unit}, {unit}
        while new:
            names = {change.target.name for one in new for change in by_unit[one]}
            new = {other for name in names for other in units_of[name]} - linked
            linked |= new
        left -= linked
        groups.append(
            tuple(Member(one, tuple(by_unit[one]), _beside(one, by_unit[one], containers)) for one in sorted(linked))
        )
    return tuple(groups)


def _beside(
    unit: str, changes: t.Sequence[Change], containers: t.Sequence[ListedContainer]
) -> tuple[ListedContainer, ...]:
    """The unit's other containers: members of its pod, and those that take part in updates by a label of their own.

    A container without that label may be a short task that the unit has started, which need not come back.
    """
    changed = {change.workload.container_id for change in changes}
    pods = {one.pod for one in containers if one.is_infra and one.unit_label == unit}
    return tuple(
        one
        for one in containers
        if one.state == "running"
        and not one.is_infra
        and one.id not in changed
        and (one.pod in pods if one.pod else one.unit_label == unit and LABEL in one.labels)
    )
