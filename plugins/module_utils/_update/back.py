# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.
"""Back: what units ran before, as the slots in local storage tell. No registry is asked."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime, timezone

from .._pure.decisions import Decision, Finding, Target, Workload
from .._pure.reasons import Reason, Status
from .._pure.records import Snapshot
from .._pure.slots import Slot, occupied
from .discover import Discovery, local_names
from .memory import name_of

if t.TYPE_CHECKING:
    from .._pure.state import State

_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


def decide_back(discovery: Discovery, state: State) -> dict[str, Decision]:
    """The decision for each workload, by container ID. C(discovery.snapshot) has all images.

    Containers on one name go back to one image, because the name cannot mean two: to what the last of them left.
    """
    snapshot = discovery.snapshot
    tags = {name: image.id for name, image in local_names(snapshot.images).items()}
    slots: dict[str, list[Slot]] = {}
    gone: dict[tuple[str, str], Slot] = {}
    open_ = [one for one in discovery.workloads if _may_go_back(one)]
    for one in open_:
        unit, name = one.unit or "", name_of(one) or ""
        slot = _previous(unit, name, tags, state)
        if slot is not None and tags.get(slot.name) == slot.id:
            slots.setdefault(name, []).append(slot)
        elif slot is not None:
            gone[(unit, name)] = slot
    return {
        one.container_id: _decided(one, slots.get(name_of(one) or "", []), gone, snapshot)
        if _may_go_back(one)
        else Decision(t.cast("Finding", one.finding), one.image_digest)
        for one in discovery.workloads
    }


def _may_go_back(workload: Workload) -> bool:
    """Whether nothing is against it; credentials do not matter where no registry is asked."""
    return workload.finding is None or workload.finding.reason is Reason.AUTHFILE_UNTRUSTED


def _previous(unit: str, name: str, tags: t.Mapping[str, str], state: State) -> Slot | None:
    """The slot to go back to; what the state file remembers may be gone from local storage."""
    known = sorted(
        (one for one in state.slots if (one.unit, one.reference) == (unit, name)), key=lambda one: one.number
    )
    if known:
        return known[0]
    held = occupied(unit, name, tags)
    return Slot(unit, name, min(held), held[min(held)]) if held else None


def _decided(
    workload: Workload, slots: t.Sequence[Slot], gone: t.Mapping[tuple[str, str], Slot], snapshot: Snapshot
) -> Decision:
    unit, name = workload.unit or "", name_of(workload) or ""
    if (unit, name) in gone or not slots:
        lost = gone.get((unit, name))
        message = (
            f"the image {lost.id} that {unit} ran before is not in local storage any more"
            if lost
            else f"no image that {unit} ran before is kept for {name}"
        )
        return Decision(Finding(Status.FAILED, Reason.SLOT_MISSING, message), workload.image_digest, final=True)
    latest = max(slots, key=lambda one: one.kept or _LONG_AGO)
    if latest.id == workload.image_id:
        return Decision(Finding(Status.CURRENT), workload.image_digest, final=True)
    digest = snapshot.images[latest.id].shown_digest
    target = Target(latest.id, digest, name, back=True)
    return Decision(Finding(Status.PENDING), workload.image_digest, target, final=True)


def with_open_ways(discovery: Discovery) -> Discovery:
    """The discovery without objections that concern registries only."""
    return replace(
        discovery,
        workloads=tuple(
            replace(one, finding=None) if one.finding and _may_go_back(one) else one for one in discovery.workloads
        ),
    )
