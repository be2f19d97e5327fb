# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Admission: which of the decided changes are begun at all. What is not begun keeps its tag."""

from __future__ import annotations

import threading
import typing as t

from .._pure.decisions import Decision, Finding, Workload
from .._pure.errors import UnitError
from .._pure.reasons import Reason, Status
from .._pure.units import UnitFacts, UnitLinks
from .discover import Discovery
from .protocols import Definitions, Units
from .resolve import with_one_image_per_tag

if t.TYPE_CHECKING:
    from .groups import Member
    from .outcomes import Outcome

_Decisions = t.Mapping[str, Decision]


def hold_what_has_no_way_back(
    discovery: Discovery, decisions: _Decisions, definitions: Definitions
) -> dict[str, Decision]:
    """Leave units alone that could not be put back: the old image is gone, or their start would pull the new one again.

    A unit restarts as a whole, so one such change holds all changes of its unit.
    """
    unsafe: dict[str, str] = {}
    for one in discovery.workloads:
        if decisions[one.container_id].target and one.unit and (why := _no_way_back(one, discovery, definitions)):
            unsafe.setdefault(one.unit, why)
    return held_back(discovery, decisions, unsafe, Status.HELD, Reason.ROLLBACK_UNSAFE)


def held_back(
    discovery: Discovery, decisions: _Decisions, units: t.Mapping[str, str], status: Status, reason: Reason
) -> dict[str, Decision]:
    """Take back the decided changes of some units; C(units) says for each, in a sentence, why."""
    if not units:
        return dict(decisions)
    left = dict(decisions)
    for one in discovery.workloads:
        decision = decisions[one.container_id]
        why = units.get(one.unit or "")
        if decision.target and why is not None:
            left[one.container_id] = Decision(Finding(status, reason, why), decision.digest)
    # A tag that does not move decides nothing for others that follow it.
    return with_one_image_per_tag(discovery.workloads, left, discovery.snapshot)


def hold_beyond(
    discovery: Discovery, decisions: _Decisions, groups: t.Sequence[t.Sequence[Member]], limit: int
) -> dict[str, Decision]:
    """Leave alone what a run that may restart C(limit) units does not come to.

    A group is begun as a whole or not at all, for its tag moves for all of it. One that is too large is passed over.
    """
    left, late = limit, {}
    for group in groups:
        units = frozenset().union(*(member.changed_units for member in group))
        if len(units) <= left:
            left -= len(units)
            continue
        together = f"; {len(units)} units are updated together" if len(units) > 1 else ""
        late.update(dict.fromkeys(units, f"this run may restart {limit} units, {left} were left{together}"))
    return held_back(discovery, decisions, late, Status.PENDING, Reason.LIMIT_REACHED)


def hold_what_drags(
    discovery: Discovery, decisions: _Decisions, links: t.Mapping[str, UnitLinks]
) -> dict[str, Decision]:
    """Leave alone also what would restart a unit that has no way back."""
    unsafe = {
        one.unit for one in discovery.workloads if decisions[one.container_id].finding.reason is Reason.ROLLBACK_UNSAFE
    }
    dragging = {}
    for unit, one in links.items():
        if along := sorted(unsafe.intersection(one.dependents) - {None}, key=str):
            dragging[unit] = f"its restart takes {along[0]} along, which could not be put back"
    return held_back(discovery, decisions, dragging, Status.HELD, Reason.ROLLBACK_UNSAFE)


def unit_objection(
    workload: Workload, facts: t.Mapping[str, UnitFacts], units: Units, *, trusted: bool
) -> Finding | None:
    """Why a unit cannot be restarted now, or is not the owner, as systemd says."""
    unit = t.cast("str", workload.unit)
    state = facts.get(unit)
    if state is None or state.load_state != "loaded":
        loaded = state.load_state if state else "not loaded"
        return Finding(Status.FAILED, Reason.UNIT_NOT_LOADED, f"systemd says that {unit} is {loaded}")
    if state.changing:
        return Finding(Status.PENDING, Reason.JOB_RUNNING, f"{unit} is {state.active_state}")
    if state.active_state != "active":
        return Finding(Status.FAILED, Reason.NOT_RUNNING, f"{unit} is {state.active_state}")
    if trusted:
        return None
    try:
        owned = units.owns(unit, workload.main_pid)
    except UnitError as error:  # About this process only: it may have ended meanwhile.
        return Finding(Status.FAILED, Reason.UNIT_MISMATCH, str(error))
    if not owned:
        return Finding(Status.FAILED, Reason.UNIT_MISMATCH, f"systemd does not count its processes to {unit}")
    return None


def pulls_at_boot(unit: str | None, links: t.Mapping[str, UnitLinks]) -> bool:
    """Whether a unit requires a Quadlet .image unit (podman-systemd.unit(5))."""
    tied = links.get(unit or "", UnitLinks()).pulls_along
    return any(name.endswith("-image.service") for name in tied)


class Failures:
    """Counts units that failed; asked from several threads."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._units: set[str] = set()
        self._lock = threading.Lock()

    def too_many(self) -> str | None:
        """Why nothing more may be begun, in a sentence; None where it may."""
        with self._lock:
            if self._most is None or len(self._units) < self._most:
                return None
            return f"{', '.join(sorted(self._units))} failed in this run"

    def note(self, group: t.Sequence[Member], outcomes: t.Mapping[str, Outcome]) -> None:
        """Count the units of a group that failed by themselves, not because another one did."""
        failed = {
            change.workload.unit or ""
            for member in group
            for change in member.changes
            if (outcome := outcomes.get(change.workload.container_id))
            and outcome.finding.status in (Status.FAILED, Status.ROLLED_BACK)
            and outcome.finding.reason is not Reason.GROUP_FAILED
        }
        with self._lock:
            self._units |= failed


def _no_way_back(workload: Workload, discovery: Discovery, definitions: Definitions) -> str | None:
    snapshot = discovery.snapshot
    if workload.image_id not in snapshot.images:
        return f"the running image {workload.image_id} is not in local storage any more"
    start, version = workload.start, snapshot.host.podman_version
    default = "missing" if start.says_when() else definitions.default_pull_policy()
    why = start.why(workload.resolved_name, version, default)
    return f"the start of {workload.unit} pulls {workload.image}: {why}" if why else None
