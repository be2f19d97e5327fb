# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a host's modules answered, as far as a rollout is interested in it. Hosts are believed in nothing but their shape."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from .._pure.reasons import Reason, Status
from .._pure.texts import harmless
from .._pure.units import UP

#: What a unit is to be found by, on one host: its user (None: the system's) and its name.
UnitKey = tuple[t.Optional[str], str]

_MOST_TOLD = 3
#: Statuses with which a container runs what it should.
_GOOD = (Status.CURRENT.value, Status.UPDATED.value, Status.PINNED.value)
_KNOWN = frozenset(one.value for one in Status)
#: Of one host; what is beyond is no host that anybody has.
_MOST_ROWS = 10_000


def pattern_of(key: UnitKey) -> str:
    """The pattern for C(only) that means this unit and no equally named one of somebody else; names have no wildcards."""
    user, unit = key
    return f"unit@{user or 'root'}:{unit}"


@dataclass(frozen=True)
class RowSeen:
    """One row of image_autoupdate's C(updates)."""

    unit: str
    user: str | None
    container: str
    image: str
    status: str
    reason: str | None
    error: str | None
    before: str | None
    after: str | None
    changed: bool = False

    @property
    def key(self) -> UnitKey:
        """Its unit."""
        return self.user, self.unit

    def good(self, state: str) -> bool:
        """Whether this is what a run with this C(state) is for."""
        if self.status == Status.PENDING.value:
            return state == "staged"
        return self.status in _GOOD or (state == "rolled_back" and self.status == Status.ROLLED_BACK.value)

    def moved(self, state: str) -> bool:
        """Whether the container was moved to where it should be, and stayed there."""
        wanted = Status.ROLLED_BACK if state == "rolled_back" else Status.UPDATED
        return self.status == wanted.value and self.changed

    @property
    def told(self) -> str:
        """Why it has its status, for people."""
        if self.status not in _KNOWN:
            return f"{self.unit}: its status {self.status!r} is none that this release knows"
        why = self.error or self.reason or "no reason was given"
        return f"{self.unit}: {self.status}: {why}"


@dataclass(frozen=True)
class Answer:
    """One run of image_autoupdate. C(rows) is None where it could not begin; C(error) then says why.

    Not C(reached): nobody answered at all. C(troubles) are sentences about what is wrong beside the rows: users who could
    not be looked at, and what an interrupted run had left and could not be repaired.
    """

    reached: bool = True
    rows: tuple[RowSeen, ...] | None = None
    error: str | None = None
    troubles: tuple[str, ...] = ()

    def verdict(self, state: str) -> str:
        """C(unreachable), C(failed), C(held), C(pending), or C(state) where all is well: the first that a row demands."""
        if not self.reached:
            return "unreachable"
        if self.rows is None or self.troubles:
            return "failed"
        odd = {row.status for row in self.rows if not row.good(state)}
        # Whatever is not known to be harmless is a failure, a status of another release as well.
        if odd - {Status.HELD.value, Status.PENDING.value}:
            return "failed"
        for status in (Status.HELD.value, Status.PENDING.value):
            if status in odd:
                return str(status)
        return {"updated": "converged"}.get(state, state)

    @property
    def back(self) -> frozenset[UnitKey]:
        """The units that run what they ran before, of a run that was to put them back."""
        rows = self.rows or ()
        return frozenset({row.key for row in rows} - {row.key for row in rows if not row.good("rolled_back")})

    def told(self, state: str) -> str | None:
        """What is wrong, for people."""
        if self.error:
            return self.error
        odd = [*self.troubles, *(row.told for row in self.rows or () if not row.good(state))]
        return "; ".join(odd[:_MOST_TOLD]) + (f"; and {len(odd) - _MOST_TOLD} more" if odd[_MOST_TOLD:] else "") or None


def read_answer(registered: object) -> Answer | None:
    """What a task of image_autoupdate registered; None where the task did not run on the host."""
    result = registered if isinstance(registered, t.Mapping) else {}
    if not result or result.get("skipped"):
        return None
    if result.get("unreachable"):
        return Answer(reached=False, error=harmless(result.get("msg") or "it cannot be reached"))
    updates = result.get("updates")
    if not isinstance(updates, (list, tuple)):
        return Answer(error=harmless(result.get("msg") or "the module ended without an answer"))
    if len(updates) > _MOST_ROWS or not all(isinstance(row, t.Mapping) for row in updates):
        return Answer(error="its answer is not one of image_autoupdate")
    troubles = (*_broken(result.get("repaired")), *_unseen(result.get("users")))
    return Answer(rows=tuple(map(_row, updates)), troubles=troubles)


def _broken(repaired: object) -> t.Iterator[str]:
    """What an interrupted run had left, and does not run well now."""
    for one in _mappings(repaired):
        if one.get("error") is not None:
            whose = f"{one['user']}/" if one.get("user") else ""
            yield harmless(
                f"{whose}{one.get('unit')}: an interrupted run left it, and its repair failed: {one['error']}"
            )


def _unseen(users: object) -> t.Iterator[str]:
    """Who could not be looked at, of a run for everybody; who has no service manager has nothing that runs."""
    for one in _mappings(users):
        if one.get("looked_at") is False and one.get("reason") != "no_manager":
            yield harmless(f"{one.get('user') or 'the system'} was not looked at: {one.get('error')}")


def _mappings(rows: object) -> t.Iterator[t.Mapping[str, t.Any]]:
    """Those of some rows that are any; no more than somebody reads."""
    found = (one for one in (rows if isinstance(rows, (list, tuple)) else ()) if isinstance(one, t.Mapping))
    return itertools.islice(found, _MOST_ROWS)


def _row(row: t.Mapping[str, t.Any]) -> RowSeen:
    def text(key: str) -> str | None:
        value = row.get(key)
        return None if value is None else harmless(value)

    return RowSeen(
        text("unit") or "",
        text("user"),
        text("container_name") or "",
        text("image") or "",
        text("status") or "",
        text("reason"),
        text("error"),
        _id(row.get("before")),
        _id(row.get("after")),
        row.get("changed") is True,
    )


def _id(image: object) -> str | None:
    found = image.get("id") if isinstance(image, t.Mapping) else None
    return harmless(found) if found else None


@dataclass(frozen=True)
class Look:
    """How one container ran at one moment, as autoupdate_info says."""

    container_id: str
    image_id: str | None
    started: object
    health: str | None
    unit_active: bool


def read_looks(registered: object) -> dict[tuple[UnitKey, str], Look] | None:
    """The containers in what a task of autoupdate_info registered, by unit and name; None where there is no answer."""
    result = registered if isinstance(registered, t.Mapping) else {}
    workloads = result.get("workloads")
    if result.get("unreachable") or not isinstance(workloads, (list, tuple)) or len(workloads) > _MOST_ROWS:
        return None
    looks = {}
    for entry in workloads:
        if not isinstance(entry, t.Mapping):
            continue
        state = entry.get("unit_state")
        running = entry.get("running")
        user = entry.get("user")
        key = (None if user is None else harmless(user), harmless(entry.get("unit") or ""))
        looks[(key, harmless(entry.get("container_name") or ""))] = Look(
            str(entry.get("container_id")),
            str(running.get("id")) if isinstance(running, t.Mapping) else None,
            entry.get("started"),
            str(entry["health"]) if entry.get("health") else None,
            # Where systemd was not asked, the container itself is all that tells.
            not isinstance(state, t.Mapping) or state.get("active_state") in UP,
        )
    return looks


def fallen(
    answer: Answer,
    state: str,
    first: t.Mapping[tuple[UnitKey, str], Look],
    last: t.Mapping[tuple[UnitKey, str], Look] | None,
) -> dict[UnitKey, tuple[Reason, str]]:
    """The units that were moved and did not stay well between two looks, with the reason and a sentence each."""
    found: dict[UnitKey, tuple[Reason, str]] = {}
    for row in answer.rows or ():
        if not row.moved(state) or row.key in found or last is None:
            continue
        before, now = first.get((row.key, row.container)), last.get((row.key, row.container))
        objection = _objection(row, before, now)
        if objection is not None:
            found[row.key] = objection
    return found


def _objection(row: RowSeen, before: Look | None, now: Look | None) -> tuple[Reason, str] | None:
    if now is None:
        return Reason.NOT_RUNNING, f"{row.unit}: container {row.container} did not run any more after the soak"
    if not now.unit_active:
        return Reason.NOT_RUNNING, f"{row.unit} was not active any more after the soak"
    if before is None or (before.container_id, before.started) != (now.container_id, now.started):
        return Reason.RESTARTED_AGAIN, f"{row.unit}: container {row.container} was started again during the soak"
    if row.after and now.image_id != row.after:
        return Reason.NOT_RUNNING, f"{row.unit}: container {row.container} ran another image after the soak"
    if now.health == "unhealthy":
        return (
            Reason.UNHEALTHY,
            f"{row.unit}: the healthcheck of container {row.container} says unhealthy after the soak",
        )
    return None
