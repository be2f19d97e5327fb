# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The start of a rollout: what each host gets of the plan, what hosts say of it, and the waves that follow."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime, timedelta

from .._pure import plans
from .._pure.errors import InputError
from .._pure.moments import written
from .._pure.ownership import is_service_name
from .._pure.reasons import Reason, Status
from .._pure.selection import Pattern
from .._pure.texts import harmless
from .named import Named, named
from .rollout_answers import Answer, RowSeen, UnitKey, pattern_of
from .rollout_ledger import Bad, HostRecord, Ledger
from .rollout_settings import RolloutSettings
from .waves import split

Document = t.Mapping[str, t.Any]

#: The verdicts of hosts that are where the plan wants them.
ARRIVED = ("converged", "staged")
_MOST_TOLD = 3
#: Beside a verdict; in the words of the reason.
_DRIFTED = f"{Reason.PLAN_DRIFT.value}: its containers are not as they were when the plan was made; make a new plan"
_CODES = frozenset(one.value for one in Reason)


def slices(
    settings: RolloutSettings, document: Document | None, hosts: t.Sequence[str], now: datetime
) -> dict[str, Document | None]:
    """What each of the hosts is asked about: its part of the plan; on the way back, which needs no plan, None.

    Hosts that the plan says nothing of are left out.

    Raises:
        InputError: The plan is none, was changed, has expired, or names more than is looked at.
    """
    if settings.state == "rolled_back":
        if document is not None:
            raise InputError("a way back needs no plan: hosts know what they ran before")
        return dict.fromkeys(hosts)
    if document is None:
        raise InputError("there is no plan: give plan_file or plan")
    plans.read_plan(document, now)
    meant = [host for host in hosts if host in document["hosts"] and document["hosts"][host]["units"]]
    for host in meant if settings.scope == "system" else ():
        for unit, one in named(document, host, settings.only, settings.exclude):
            if one["user"] is not None:
                raise InputError(
                    f"rollout_scope: the plan names {unit} of the user {harmless(one['user'])} on {host}, and the scope is not all;"
                    " say all, or leave users out with rollout_only, such as unit@root:*"
                )
    return {host: plans.for_host(document, host) for host in meant}


def begun(
    settings: RolloutSettings,
    document: Document | None,
    answers: t.Mapping[str, tuple[Document | None, Answer | None]],
    canaries: t.Collection[str],
) -> tuple[Ledger, dict[str, Document | None]]:
    """The ledger with its waves, and what each host in a wave gets, from what hosts predict for their part of the plan.

    A target that is held on one host, because it failed or was left there, is left out for all: nobody else need find out.
    """
    bad = [] if settings.lift_holds else _known_bad(answers)
    ledger = Ledger(
        document["id"] if document else None, document["sha256"] if document else None, settings.state
    ).knowing(bad)
    forbidden = {plans.target_key(one.reference, one.platform): one for one in ledger.bad}
    records: dict[str, HostRecord] = {}
    work: dict[str, Document | None] = {}
    for host, (slice_, answer) in answers.items():
        if settings.state == "rolled_back" and answer is not None and answer.rows == ():
            # The patterns of a person need not match everywhere; what a rollout moved should run.
            if not settings.only:
                records[host] = HostRecord("failed", error="nothing of what is to go back runs there")
            continue
        record, part = _looked_at(settings, host, slice_, answer, forbidden, document)
        records[host] = record
        if part is not _NOTHING:
            work[host] = t.cast("Document | None", part)
    waves = split(tuple(work), canaries, settings.waves)
    for number, wave in enumerate(waves, 1):
        for host in wave:
            records[host] = replace(records[host], wave=number)
    return Ledger(ledger.plan, ledger.sha256, ledger.state, waves, records, ledger.bad), {
        host: work[host] for wave in waves for host in wave
    }


_NOTHING: t.Any = object()


def _looked_at(
    settings: RolloutSettings,
    host: str,
    slice_: Document | None,
    answer: Answer | None,
    forbidden: t.Mapping[str, Bad],
    document: Document | None,
) -> tuple[HostRecord, object]:
    """One host's record, and its work; C(_NOTHING) where there is none."""
    if answer is None:
        return HostRecord("unreachable", error="it did not answer"), _NOTHING
    earlier = _moved_earlier(answer, slice_) if slice_ is not None else ()
    verdict, told = answer.verdict(settings.state), answer.told(settings.state)
    if not answer.reached or answer.rows is None:
        return HostRecord(verdict, error=told), _NOTHING
    waiting = [row for row in answer.rows if _is_work(row, settings.state)]
    if not waiting:
        gone = missing(settings, slice_, host, answer)
        if gone and verdict in ARRIVED:
            verdict, told = "held", gone
        return HostRecord(verdict, earlier=earlier, error=told), _NOTHING
    if slice_ is None or document is None:
        return HostRecord(earlier=earlier), None
    left = without(slice_, host, forbidden)
    keys = {(entry["user"], unit) for unit, entries in left["hosts"][host]["units"].items() for entry in entries}
    why = _left_out(waiting, host, slice_, forbidden)
    if not keys.intersection(row.key for row in waiting):
        return HostRecord("held", earlier=earlier, error=why), _NOTHING
    return HostRecord(earlier=earlier, error=why), left


def _left_out(waiting: t.Iterable[RowSeen], host: str, slice_: Document, forbidden: t.Mapping[str, Bad]) -> str | None:
    """Why containers that wait are left as they are."""
    found = set()
    for row in waiting:
        target = target_of(row, host, slice_)
        bad = target and forbidden.get(plans.target_key(target["reference"], target["platform"]))
        if bad:
            found.add(f"{bad.reference} is held on {bad.host}")
    return "; ".join(sorted(found)) or None


def missing(settings: RolloutSettings, slice_: Document | None, host: str, answer: Answer) -> str | None:
    """A sentence where the plan names containers that the host did not tell of; they are not where the plan wants them."""
    if slice_ is None or answer.rows is None:
        return None
    seen = {(row.unit, row.user, row.container) for row in answer.rows}
    gone = [
        f"{unit}: the plan names its container {one['container']}, which does not run, or takes no part in updates"
        for unit, one in named(slice_, host, settings.only, settings.exclude)
        if (unit, one["user"], one["container"]) not in seen
    ]
    return "; ".join(gone[:_MOST_TOLD]) + (f"; and {len(gone) - _MOST_TOLD} more" if gone[_MOST_TOLD:] else "") or None


def _is_work(row: RowSeen, state: str) -> bool:
    if state == "staged":
        return row.changed
    return bool(row.status == Status.PENDING.value)


def without(slice_: Document, host: str, forbidden: t.Collection[str]) -> Document:
    """The slice without the containers whose target is forbidden, sealed anew; the same slice where there are none."""
    units = slice_["hosts"][host]["units"]
    left = {unit: [one for one in entries if one["target"] not in forbidden] for unit, entries in units.items()}
    if left == units:
        return slice_
    return plans.for_host(
        {**slice_, "hosts": {host: {"units": {unit: some for unit, some in left.items() if some}}}}, host
    )


def only_moved(
    settings: RolloutSettings, report: Document | None, hosts: t.Sequence[str]
) -> dict[str, t.Sequence[str]]:
    """The patterns for each host. With a rollout's C(report) only what that moved goes back, on the hosts where it did.

    Raises:
        InputError: The report is none.
    """
    if report is None or settings.state != "rolled_back":
        return {host: list(settings.only) for host in hosts}
    moved = report.get("moved")
    if not isinstance(moved, dict):
        raise InputError("rollout_report: this is not the artifact of a rollout")
    found: dict[str, t.Sequence[str]] = {}
    for host in hosts:
        units = moved.get(host) or []
        keys = [one.rpartition("/") for one in units if isinstance(one, str)] if isinstance(units, list) else []
        if len(keys) != len(units) or not all(is_service_name(unit) and "{" not in user for user, _slash, unit in keys):
            raise InputError("rollout_report: what it says of moved units are no names of services")
        if settings.scope == "system" and any(user for user, _slash, _unit in keys):
            raise InputError("rollout_scope: that rollout moved units of users, and the scope is not all; say all")
        meant = [key for key in ((user or None, unit) for user, _slash, unit in keys) if _is_meant(settings, key)]
        if meant:
            found[host] = [pattern_of(key) for key in meant]
    return found


def _is_meant(settings: RolloutSettings, key: UnitKey) -> bool:
    """Whether the patterns mean a unit, as far as its name tells; a report knows neither containers nor images."""
    user, unit = key
    patterns = [Pattern.parse(text, user) for text in settings.only]
    unknown = not patterns or any(one.kind != "unit" for one in patterns)
    return unknown or any(one.matches(Named(unit, "", "")) for one in patterns)


def left_out(planned: Document | None, hosts: t.Collection[str]) -> dict[str, tuple[str, str]]:
    """The hosts that a plan of this job says nothing of although they were meant: a verdict and a sentence each."""
    if not planned:
        return {}
    left = {}
    for key, verdict in (("unreachable", "unreachable"), ("failed", "failed")):
        for one in planned.get(key) or ():
            left[one["host"]] = (verdict, harmless(one.get("error") or "it did not answer"))
    for host in planned.get("plan_drift") or ():
        left.setdefault(host, ("held", _DRIFTED))
    return {host: why for host, why in left.items() if host in hosts}


def nothing(now: datetime) -> Document:
    """A plan that changes nothing: with it a host notes what it is to hold, however long ago the real plan expired."""
    return plans.sealed(
        {
            "schema": plans.SCHEMA,
            "id": "0" * 32,
            "created": written(now),
            "expires": written(now + timedelta(hours=1)),
            "targets": {},
            "hosts": {"nobody": {"units": {}}},
        }
    )


def target_of(row: RowSeen, host: str, slice_: Document | None) -> Document | None:
    """The plan's target for one row, if the plan names its container."""
    if slice_ is None:
        return None
    for entry in slice_["hosts"].get(host, {"units": {}})["units"].get(row.unit, ()):
        if (entry["user"], entry["container"]) == (row.user, row.container):
            target: Document = slice_["targets"][entry["target"]]
            return target
    return None


def _known_bad(answers: t.Mapping[str, tuple[Document | None, Answer | None]]) -> list[Bad]:
    """The targets that hosts hold because they failed there, or were left there."""
    found = []
    for host, (slice_, answer) in answers.items():
        for row in (answer.rows or ()) if answer else ():
            if (row.status, row.reason) == (Status.HELD.value, Reason.BAD_DIGEST.value):
                target = target_of(row, host, slice_)
                if target is not None:
                    found.append(bad_of(target, row, host))
    return found


def bad_of(target: Document, row: RowSeen, host: str, reason: str | None = None) -> Bad:
    """The target that a row failed on."""
    # What a host says of a reason goes to all others: nothing but a code does.
    said = reason or (row.reason if row.reason and row.reason in _CODES else row.status)
    return Bad(target["reference"], target["platform"], target["digest"], target["id"], said, host, row.unit)


def _moved_earlier(answer: Answer, slice_: Document) -> tuple[UnitKey, ...]:
    """The units that run their target now, and did not when the plan was made."""
    (units,) = (entry["units"] for entry in slice_["hosts"].values())
    found = set()
    for row in answer.rows or ():
        for entry in units.get(row.unit, ()):
            same = (entry["user"], entry["container"]) == (row.user, row.container)
            if same and row.status == Status.CURRENT.value and entry["before"]["id"] not in (None, row.after):
                found.add(row.key)
    return tuple(sorted(found, key=lambda key: (key[0] or "", key[1])))
