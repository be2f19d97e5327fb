# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Reports of several runs in one: a run for each user, whose answers are believed as far as that user may say them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._pure.decisions import Finding, Workload
from .._pure.intents import FINISHED, NOTHING, UNDONE, Repaired
from .._pure.plan_records import Verdict
from .._pure.policies import Policy
from .._pure.questions import RegistryUsage
from .._pure.reasons import Reason, Status
from .._pure.references import is_digest
from .._pure.shapes import ListOf, Maybe, OneOf, fits
from .._pure.texts import printable
from .discover import is_pattern_warning
from .report import Report, Row

_MOST_WARNINGS = 100
_LONGEST_WARNING = 1000
_CONTENT = {"id": Maybe(str), "digest": Maybe(str)}
_STATUSES = {one.value: one for one in Status}
_REASONS = {one.value: one for one in Reason}
_POLICIES = {one.value: one for one in Policy}
_ROW = {
    "unit": Maybe(str),
    "container_id": str,
    "container_name": str,
    "image": str,
    "policy": Maybe(OneOf(frozenset(_POLICIES))),
    "shared_with": ListOf(str),
    "status": OneOf(frozenset(_STATUSES)),
    "changed": bool,
    "reason": Maybe(OneOf(frozenset(_REASONS))),
    "error": Maybe(str),
    "before": _CONTENT,
    "after": _CONTENT,
    "job_result": Maybe(str),
    "duration": Maybe(float),
}
_USAGE = {
    "registry": str,
    "requests": int,
    "manifest_gets": int,
    "bytes": int,
    "retries": int,
    "rate_limit": Maybe({"limit": Maybe(int), "remaining": Maybe(int), "window": Maybe(int), "source": Maybe(str)}),
    "reason": Maybe(OneOf(frozenset(_REASONS))),
}
_REPAIRED = {"unit": str, "did": OneOf(frozenset({FINISHED, UNDONE, NOTHING})), "error": Maybe(str)}
#: From bad to good, as a plan ends for all where it ends differently for each.
_PLAN_VERDICTS = [Verdict.FAILED, Verdict.HALTED, Verdict.STAGED, Verdict.CONVERGED]
_REPORT = {
    "changed": bool,
    "plan": Maybe(str),
    "plan_verdict": Maybe(OneOf(frozenset(one.value for one in Verdict))),
    "updates": ListOf(_ROW),
    "repaired": ListOf(_REPAIRED),
    "registries": ListOf(_USAGE),
    "warned": ListOf(str),
}


@dataclass(frozen=True)
class Looked:
    """Whether one user's containers were looked at (None: the system's), and why not."""

    user: str | None
    uid: int
    looked_at: bool
    reason: Reason | None = None
    error: str | None = None

    @property
    def failed(self) -> bool:
        """Whether something has to be mended before they can be."""
        return not self.looked_at and self.reason is not Reason.NO_MANAGER

    def to_result(self) -> dict[str, t.Any]:
        """One entry of C(users)."""
        return {
            "scope": "user" if self.user else "system",
            "user": self.user,
            "uid": self.uid,
            "looked_at": self.looked_at,
            "reason": self.reason.value if self.reason else None,
            "error": self.error,
        }


def read_report(document: t.Mapping[str, t.Any], user: str | None, *, check_mode: bool) -> Report | None:
    """The report in a run's result, about the user whose run it was, whatever it says; None where it is not one."""
    if not fits(document, _REPORT):
        return None
    rows = [_row(entry, user) for entry in document["updates"]]
    if None in rows:
        return None
    whole = tuple(t.cast("list[Row]", rows))
    usages = tuple((user, _usage(entry)) for entry in document["registries"])
    repaired = tuple(Repaired(one["unit"], one["did"], one["error"], user) for one in document["repaired"])
    report = Report(whole, usages, read_warnings(document["warned"]), check_mode, repaired=repaired)
    report = replace(report, plan=document["plan"], plan_verdict=document["plan_verdict"])
    return replace(report, holds_changed=document["changed"] and not report.changed)


def read_warnings(texts: t.Sequence[str]) -> tuple[str, ...]:
    """Warnings of a stranger, made fit for a terminal."""
    told = [one[:_LONGEST_WARNING] for one in texts[:_MOST_WARNINGS]]
    return tuple(one if one.isprintable() else printable(one) for one in told)


def together(reports: t.Sequence[tuple[str | None, Report]], users: t.Sequence[Looked], *, check_mode: bool) -> Report:
    """One report of all; rows sorted by user, the system's first.

    So is what was asked of registries: who logs in differently has another quota, and is refused for another reason.
    """
    rows = tuple(row for _user, one in reports for row in one.rows)
    return Report(
        rows,
        tuple(usage for _user, one in reports for usage in one.registries),
        common_warnings([(user, one.warnings) for user, one in reports]),
        check_mode,
        any(one.holds_changed for _user, one in reports),
        repaired=tuple(repaired for _user, one in reports for repaired in one.repaired),
        users=tuple(users),
        plan=next((one.plan for user, one in reports if user is None), None),
        plan_verdict=_worst([one.plan_verdict for _user, one in reports if one.plan_verdict], users),
    )


def _worst(verdicts: t.Sequence[str], users: t.Sequence[Looked]) -> str | None:
    if not verdicts:
        return None
    failed = [Verdict.FAILED.value] if any(one.failed for one in users) else []
    return min([*verdicts, *failed], key=[one.value for one in _PLAN_VERDICTS].index)


def common_warnings(warnings: t.Sequence[tuple[str | None, t.Sequence[str]]]) -> tuple[str, ...]:
    """What several runs warn of, with whose it is. A pattern needs to match something somewhere only."""
    told = []
    for user, texts in warnings:
        for text in texts:
            everywhere = all(text in others for _user, others in warnings)
            if is_pattern_warning(text):
                told += [text] if everywhere else []
            else:  # Where only one was looked at, everywhere is with that one.
                told.append(text if user is None or (everywhere and len(warnings) > 1) else f"{user}: {text}")
    return tuple(dict.fromkeys(told))


def _row(entry: t.Mapping[str, t.Any], user: str | None) -> Row | None:
    before, after = ((entry[key]["id"], entry[key]["digest"]) for key in ("before", "after"))
    if not all(one is None or is_digest(one) for one in (*before, *after)):
        return None
    workload = Workload(
        entry["container_id"],
        entry["container_name"],
        entry["unit"],
        entry["image"],
        _POLICIES.get(entry["policy"]),
        None,
        "",
        before[0],
        before[1],
        frozenset(),
        0,
        tuple(entry["shared_with"]),
    )
    finding = Finding(_STATUSES[entry["status"]], _REASONS.get(entry["reason"]), entry["error"])
    return Row(workload, finding, before, after, entry["changed"], entry["job_result"], entry["duration"], user)


def _usage(entry: t.Mapping[str, t.Any]) -> RegistryUsage:
    return RegistryUsage(**{key: entry[key] for key in _USAGE})
