# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""How far a fleet is: for each reference, which hosts run its target, which do not, and why."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from .._pure.tables import table
from .._pure.texts import harmless
from .named import named
from .plan_report import cost_lines, refused, short_digest
from .planning import Targets, is_held
from .reports import Contact

if t.TYPE_CHECKING:
    from .answers import Answers
    from .reports import Container, HostReport, Key

_MOST_NAMED = 5


class Standing(enum.Enum):
    """Where a host stands with one reference, worst first: a host with several containers has the worst of theirs."""

    UNREACHABLE = "unreachable"
    FAILED = "failed"
    HELD = "held"
    UNKNOWN = "unknown"
    PENDING = "pending"
    CONVERGED = "converged"


_WORST_FIRST = tuple(Standing)
_COLUMNS = ("REFERENCE", "PLATFORM", "TARGET", *(one.value.upper() for one in reversed(_WORST_FIRST)))


@dataclass
class Progress:
    """The hosts that have a reference, by where they stand with it."""

    digest: str | None
    hosts: dict[str, Standing] = field(default_factory=dict)

    def note(self, host: str, standing: Standing) -> None:
        """The worst of what is noted for a host counts."""
        before = self.hosts.get(host, Standing.CONVERGED)
        self.hosts[host] = min(before, standing, key=_WORST_FIRST.index)

    def of(self, standing: Standing) -> list[str]:
        """The hosts that stand there, in the inventory's order."""
        return [host for host, one in self.hosts.items() if one is standing]


@dataclass(frozen=True)
class FleetStatus:
    """All that there is to say about how far a fleet is."""

    references: t.Mapping[Key, Progress]
    reports: t.Sequence[HostReport]
    answers: Answers
    plan_id: str | None

    @property
    def converged(self) -> bool:
        """Whether every host answered, and runs what it should; a container that no update would touch does not."""
        answered = [one.contact is Contact.ANSWERED for one in self.reports]
        behind = any(one is not Standing.CONVERGED for each in self.references.values() for one in each.hosts.values())
        return bool(answered) and all(answered) and not behind and not refused(self.reports)

    def to_result(self) -> dict[str, t.Any]:
        """What the filter C(fleet_status) returns."""
        return {
            "converged": self.converged,
            "plan": self.plan_id,
            "references": [
                {
                    "reference": key[0],
                    "platform": key[1],
                    "digest": one.digest,
                    **{standing.value: one.of(standing) for standing in reversed(_WORST_FIRST)},
                }
                for key, one in self.references.items()
            ],
            "summary": self._summary(),
            "unreachable": self._without(Contact.UNREACHABLE),
            "failed": self._without(Contact.FAILED),
            "refused": refused(self.reports),
            "registries": self.answers.registries(),
            "table": self._table(),
            "msg": self._sentence(),
        }

    def _summary(self) -> dict[str, int]:
        """Hosts by the worst that they have."""
        worst: dict[str, Standing] = {}
        for report in self.reports:
            if report.contact is Contact.ANSWERED:
                worst[report.host] = Standing.FAILED if refused([report]) else Standing.CONVERGED
            else:
                unreachable = report.contact is Contact.UNREACHABLE
                worst[report.host] = Standing.UNREACHABLE if unreachable else Standing.FAILED
        for one in self.references.values():
            for host, standing in one.hosts.items():
                worst[host] = min(worst.get(host, standing), standing, key=_WORST_FIRST.index)
        standings = list(worst.values())
        return {one.value: standings.count(one) for one in reversed(_WORST_FIRST)}

    def _without(self, contact: Contact) -> list[dict[str, str]]:
        return [{"host": one.host, "error": one.error or ""} for one in self.reports if one.contact is contact]

    def _table(self) -> list[str]:
        rows = [
            (
                harmless(key[0]),
                key[1],
                short_digest(one.digest) if one.digest else "-",
                *(str(len(one.of(standing))) for standing in reversed(_WORST_FIRST)),
            )
            for key, one in self.references.items()
        ]
        behind = [
            harmless(f"{key[0]}: {standing.value}: {_named(one.of(standing))}")
            for key, one in self.references.items()
            for standing in _WORST_FIRST
            if standing is not Standing.CONVERGED and one.of(standing)
        ]
        silent = [
            harmless(f"{one['host']}: {contact.value}: {one['error']}")
            for contact in (Contact.UNREACHABLE, Contact.FAILED)
            for one in self._without(contact)
        ]
        refusals = [
            harmless(f"{one['host']}: {one['container']}: {one['reason']}: {one['error']}")
            for one in refused(self.reports)
        ]
        return [*(table(_COLUMNS, rows) if rows else []), *behind, *silent, *refusals, *cost_lines(self.answers)]

    def _sentence(self) -> str:
        hosts = len(self.reports)
        counted = ", ".join(f"{number} {word}" for word, number in self._summary().items() if number)
        verdict = "converged" if self.converged else "not converged"
        return f"{hosts} {'host' if hosts == 1 else 'hosts'}: {counted or 'none'}. The fleet is {verdict}."


@dataclass(frozen=True)
class Meant:
    """What was looked at: the scope, C(system) or another, and the patterns. A plan may name more."""

    scope: str = "all"
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


EVERYTHING = Meant()


def status(
    reports: t.Sequence[HostReport],
    answers: Answers,
    plan: t.Mapping[str, t.Any] | None = None,
    meant: Meant = EVERYTHING,
) -> FleetStatus:
    """Judge every host by the answers, or by a plan that was read before; then what the plan does not name is unknown."""
    targets = Targets.of_plan(plan) if plan else Targets.of(answers, reports)
    keys = {*targets.told, *(key for report in reports for key in report.keys)}
    digests = {key: one.digest for key, one in targets.told.items()}
    references = {key: Progress(digests.get(key)) for key in sorted(keys)}
    plan_id = str(plan["id"]) if plan else None
    for report in reports:
        for one in report.containers:
            references[one.key].note(report.host, _standing(report, one, targets, plan_id))
        for key, standing in _planned_and_gone(report, plan, meant):
            references[key].note(report.host, standing)
    return FleetStatus({key: one for key, one in references.items() if one.hosts}, reports, answers, plan_id)


def _standing(report: HostReport, container: Container, targets: Targets, plan_id: str | None) -> Standing:
    target = targets.told.get(container.key)
    if container.down:
        return Standing.FAILED
    if target is None:
        return Standing.UNKNOWN
    if targets.runs(container):
        return Standing.CONVERGED
    if is_held(report, container, target):
        return Standing.HELD
    failed = plan_id is not None and report.last_plan == (plan_id, "failed")
    return Standing.FAILED if failed else Standing.PENDING


def _planned_and_gone(
    report: HostReport, plan: t.Mapping[str, t.Any] | None, meant: Meant
) -> t.Iterator[tuple[Key, Standing]]:
    """What the plan names on a host that tells nothing of it: its container is gone, or the host does not answer."""
    there = {(one.unit, one.user, one.name) for one in report.containers}
    for unit, one in named(plan, report.host, meant.only, meant.exclude) if plan else ():
        ours = meant.scope != "system" or one["user"] is None
        if ours and (unit, one["user"], one["container"]) not in there:
            gone = report.contact is not Contact.UNREACHABLE
            yield (one["reference"], one["platform"]), Standing.FAILED if gone else Standing.UNREACHABLE


def _named(hosts: t.Sequence[str]) -> str:
    named = ", ".join(hosts[:_MOST_NAMED])
    return f"{named} and {len(hosts) - _MOST_NAMED} more" if len(hosts) > _MOST_NAMED else named
