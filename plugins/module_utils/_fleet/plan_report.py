# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a person reads of a plan, and what a playbook gets of it."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._pure.plans import target_key
from .._pure.reasons import Reason
from .._pure.tables import table
from .._pure.texts import harmless
from .planning import MOST_ARTIFACT, size
from .reports import Contact

if t.TYPE_CHECKING:
    from .answers import Answers
    from .planning import Planned
    from .reports import HostReport

_COLUMNS = ("REFERENCE", "PLATFORM", "TARGET", "PENDING", "HELD", "CURRENT", "BYTES")
#: A diff that nobody could read would only cost memory.
_MOST_IN_DIFF = 500
_MOST_NAMED = 20
_SHORT = 12
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def to_result(planned: Planned, plan_drift: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """What the filter C(fleet_plan) returns. C(plan_drift) are hosts that an artifact fits no longer."""
    known, unknown = planned.bytes_to_pull()
    artifact = planned.artifact()
    fits = size(artifact) <= MOST_ARTIFACT
    return {
        "plan": planned.document,
        "artifact": artifact if fits else None,
        "plan_drift": list(plan_drift),
        "empty": planned.empty,
        "summary": {word: planned.summary[word] for word in sorted(planned.summary)},
        "pull": {"bytes": known, "unknown": unknown},
        "registries": planned.answers.registries(),
        "unreachable": planned.unanswered(Contact.UNREACHABLE),
        "failed": planned.unanswered(Contact.FAILED),
        "unknown": [
            {"reference": name, "platform": platform, "reason": reason, "error": error}
            for (name, platform), (reason, error) in planned.unknown.items()
        ],
        "refused": refused(planned.reports),
        "table": [*_lines(planned), *_drift_lines(plan_drift)],
        "diff": _diff(planned),
        "msg": sentence(planned),
    }


def refused(reports: t.Iterable[HostReport]) -> list[dict[str, t.Any]]:
    """The containers that an update would refuse, and why."""
    return [
        {
            "host": report.host,
            "unit": one.unit,
            "container": one.container,
            "image": one.image,
            "reason": one.word,
            "error": one.error,
        }
        for report in reports
        for one in report.left_out
        if one.error
    ]


def sentence(planned: Planned) -> str:
    """The plan in one sentence."""
    hosts = len(planned.behind.intersection(planned.document["hosts"]))
    parts = [f"{planned.summary[word]} {word}" for word in sorted(planned.summary)]
    containers = f" ({', '.join(parts)})" if parts else ""
    known, unknown = planned.bytes_to_pull()
    pulls = f"; at most {human(known)} to pull" + (f" and {unknown} pulls of unknown size" if unknown else "")
    what = f"{_counted(hosts, 'host')} to update{pulls}" if hosts else "nothing to do"
    asked = [one for one in planned.reports if one.contact is Contact.ANSWERED]
    missing = len(planned.reports) - len(asked)
    not_told = f"; {_counted(missing, 'host')} did not answer" if missing else ""
    unknown_ = f"; {_counted(len(planned.unknown), 'image')} unknown" if planned.unknown else ""
    return (
        f"{_counted(sum(planned.summary.values()), 'container')} on {_counted(len(asked), 'host')}{containers}:"
        f" {what}{not_told}{unknown_}. Valid until {planned.document['expires']}."
    )


def cost_lines(answers: Answers) -> list[str]:
    """What asking took, a line for each registry, with what is left of its quota."""
    lines = []
    for one in answers.usage:
        limit = one.rate_limit or {}
        left = ""
        if limit.get("remaining") is not None:
            within = f" in {limit['window']} s" if limit.get("window") is not None else ""
            left = f"; {limit['remaining']} of {limit.get('limit', '?')} pulls left{within}"
        retries = f", {one.retries} repeated" if one.retries else ""
        reason = f"; {one.reason}" if one.reason else ""
        lines.append(
            harmless(f"{one.registry}: {one.requests} requests{retries}, {one.manifest_gets} counted{left}{reason}")
        )
    return lines


def missing_lines(planned: Planned) -> list[str]:
    """The hosts and images that nobody told of, a line each, no more than somebody reads."""
    lines = [
        harmless(f"{one['host']}: {contact.value}: {one['error']}")
        for contact in (Contact.UNREACHABLE, Contact.FAILED)
        for one in planned.unanswered(contact)
    ]
    lines += [harmless(f"{key[0]} {key[1]}: unknown: {why}: {error}") for key, (why, error) in planned.unknown.items()]
    alike: Counter[str] = Counter(
        f"{one.container}: {one.word}: {one.error}"
        for report in planned.reports
        for one in report.left_out
        if one.error
    )
    lines += [harmless(f"{what} ({_counted(hosts, 'host')})") for what, hosts in sorted(alike.items())]
    beyond = len(lines) - _MOST_NAMED
    return [*lines[:_MOST_NAMED], f"and {beyond} more"] if beyond > 0 else lines


def _drift_lines(hosts: t.Sequence[str]) -> list[str]:
    """The hosts that are in the plan no longer, a line each, no more than somebody reads."""
    why = f"{Reason.PLAN_DRIFT.value}: its containers are not as they were when the plan was made"
    lines = [harmless(f"{host}: {why}") for host in hosts[:_MOST_NAMED]]
    return [*lines, f"and {len(hosts) - _MOST_NAMED} more"] if len(hosts) > _MOST_NAMED else lines


def human(count: int) -> str:
    """Bytes as people read them."""
    amount = float(count)
    for unit in _UNITS[:-1]:
        if amount < _THOUSAND:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _THOUSAND
    return f"{amount:.1f} {_UNITS[-1]}"


def short_digest(digest: str) -> str:
    """As much of a digest as fits into a column."""
    return digest.partition(":")[2][:_SHORT]


def _lines(planned: Planned) -> list[str]:
    rows = []
    for key, counts in planned.counts.items():
        target = planned.document["targets"][target_key(*key)]
        rows.append(
            (
                harmless(key[0]),
                key[1],
                short_digest(target["digest"]),
                str(counts.pending),
                str(counts.held),
                str(counts.current),
                "-" if not counts.pending else "?" if target["bytes"] is None else human(target["bytes"]),
            )
        )
    lines = table(_COLUMNS, rows) if rows else []
    return [*lines, *cost_lines(planned.answers), *missing_lines(planned)]


def _diff(planned: Planned) -> list[str]:
    """What C(--diff) shows: each container that is to change, with its image before and after."""
    lines = ["--- images that run", "+++ images of the plan"]
    targets = planned.document["targets"]
    entries = [
        (host, unit, one)
        for host, part in planned.document["hosts"].items()
        for unit, containers in part["units"].items()
        for one in containers
    ]
    for host, unit, one in entries[:_MOST_IN_DIFF]:
        before, target = one["before"], targets[one["target"]]
        lines += [
            harmless(f" {host} {unit} {one['container']} {one['reference']}"),
            f"-  id: {before['id']}",
            f"-  digest: {before['digest']}",
            f"+  id: {target['id'] or 'known after the pull'}",
            f"+  digest: {target['digest']}",
        ]
    beyond = len(entries) - _MOST_IN_DIFF
    return [*lines, f" and {beyond} more containers"] if beyond > 0 else lines if entries else []


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
