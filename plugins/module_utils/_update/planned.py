# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Planned: what a plan says that the workloads of this host should run. No registry is asked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._pure.decisions import Decision, Finding, Target, Workload, decide_local
from .._pure.errors import InputError
from .._pure.plan_records import PlanRecord, Verdict
from .._pure.plans import Plan, PlanEntry, PlanTarget, for_host, read_plan
from .._pure.policies import Policy
from .._pure.reasons import Reason, Status
from .._pure.records import Snapshot
from .._pure.selection import Selectable, Selection
from .._pure.texts import printable
from .discover import Discovery, local_names
from .memory import name_of
from .resolve import platform_of, with_one_image_per_tag

if t.TYPE_CHECKING:
    from datetime import datetime

    from .report import Row

_ARRIVED = (Status.CURRENT, Status.UPDATED, Status.PINNED)


@dataclass(frozen=True)
class Planned:
    """The part of a plan that is about the units of one user (or the system) of this host.

    C(document) is what was given, as the host is to remember it.
    """

    plan: Plan
    entries: tuple[PlanEntry, ...]
    document: t.Mapping[str, t.Any]

    def selection(self, selection: Selection) -> Selection:
        """The selection, within what the plan names."""
        return _Within(selection.only, selection.exclude, frozenset((one.unit, one.container) for one in self.entries))

    def decide(self, discovery: Discovery) -> dict[str, Decision]:
        """The decision for each workload, by container ID. C(discovery.snapshot) has all images."""
        entries = {(one.unit, one.container): one for one in self.entries}
        decisions = {
            one.container_id: self._decide(one, entries[(one.unit or "", one.container_name)], discovery.snapshot)
            for one in discovery.workloads
        }
        return with_one_image_per_tag(discovery.workloads, decisions, discovery.snapshot)

    def kept_to(self, discovery: Discovery, decisions: t.Mapping[str, Decision]) -> dict[str, Decision]:
        """Take back what the plan does not say: what follows local names may be led elsewhere by them."""
        entries = {(one.unit, one.container): one for one in self.entries}
        kept = dict(decisions)
        for one in discovery.workloads:
            decision = decisions[one.container_id]
            target = self.plan.targets[entries[(one.unit or "", one.container_name)].target]
            if decision.target is not None and not _is(target, decision.target.id, {decision.target.digest or ""}):
                message = f"{one.resolved_name} names another image in local storage than the plan does"
                kept[one.container_id] = Decision(_drift(message), decision.digest)
        return kept

    def missing(self, rows: t.Collection[Workload]) -> tuple[PlanEntry, ...]:
        """What the plan names and the run did not come across: it does not run, or was not to be looked at."""
        found = {(one.unit or "", one.container_name) for one in rows}
        return tuple(one for one in self.entries if (one.unit, one.container) not in found)

    def warnings(self, workloads: t.Collection[Workload]) -> list[str]:
        """A warning for each container that the plan names and that takes no part here any more."""
        return [
            printable(
                f"{one.unit}: {Reason.PLAN_DRIFT.value}: the plan names its container {one.container}, which does not run"
                " here, or takes no part in updates"
            )
            for one in self.missing(workloads)
        ]

    def verdict(self, rows: t.Sequence[Row]) -> Verdict:
        """How the plan ended here."""
        statuses = {row.finding.status for row in rows}
        if statuses.intersection((Status.FAILED, Status.ROLLED_BACK)):
            return Verdict.FAILED
        if self.missing([row.workload for row in rows]):
            return Verdict.HALTED
        left = [row.finding for row in rows if row.finding.status not in _ARRIVED]
        if not left:
            return Verdict.CONVERGED
        return Verdict.STAGED if all(one.reason is Reason.STAGED for one in left) else Verdict.HALTED

    def record(self, rows: t.Sequence[Row], now: datetime) -> PlanRecord | None:
        """What the host is to remember of it: nothing, where it says nothing of this host."""
        if not any(self.plan.hosts.values()):
            return None
        return PlanRecord.of_plan(self.plan, self.verdict(rows), now, self.document)

    def _decide(self, workload: Workload, entry: PlanEntry, snapshot: Snapshot) -> Decision:
        if workload.finding is not None:
            return Decision(workload.finding, workload.image_digest)
        target = self.plan.targets[entry.target]
        follows = name_of(workload)
        if follows != target.reference.name or not target.platform.accepts(platform_of(workload, snapshot)):
            planned = f"{target.reference.name} for {target.platform}"
            message = f"the plan is about {planned}, and it follows {follows} for {platform_of(workload, snapshot)}"
            return Decision(_drift(message), workload.image_digest)
        if _is(target, workload.image_id, workload.digests):
            known = target.digest if target.digest in workload.digests else workload.image_digest
            return Decision(Finding(Status.CURRENT), known, final=True)
        if not _ran(entry, workload):
            message = (
                f"it runs {workload.image_id}, and ran {entry.before_id or entry.before_digest} when the plan was made"
            )
            return Decision(_drift(message), workload.image_digest)
        if workload.policy is Policy.LOCAL:
            image = local_names(snapshot.images).get(workload.resolved_name)
            return decide_local(workload, (image.id, image.shown_digest) if image else None)
        pull = target.reference.at(target.digest)
        wanted = Target(target.id, target.digest, target.reference.name, pull, workload.authfile)
        return Decision(Finding(Status.PENDING), workload.image_digest, wanted)


@dataclass(frozen=True)
class _Within(Selection):
    """A selection that takes nothing but what a plan names."""

    named: frozenset[tuple[str, str]] = frozenset()

    def takes(self, workload: Selectable) -> bool:
        return (workload.unit or "", workload.container_name) in self.named and super().takes(workload)


def _is(target: PlanTarget, image_id: str | None, digests: t.Collection[str]) -> bool:
    return target.digest in digests or (target.id is not None and target.id == image_id)


def _ran(entry: PlanEntry, workload: Workload) -> bool:
    return (
        entry.before_id is not None and entry.before_id == workload.image_id
    ) or entry.before_digest in workload.digests


def _drift(message: str) -> Finding:
    return Finding(Status.HELD, Reason.PLAN_DRIFT, printable(message))


def for_this_host(document: object, host: str | None, user: str | None, now: datetime) -> Planned:
    """The part of a plan, or of one host's slice of it, that is about the units of the system (or a user) here.

    C(host) is what the plan calls this host; where the plan is about one host only, it need not be said.

    Raises:
        InputError: The plan cannot be used, or is not about this host.
    """
    plan = read_plan(document, now)
    if host is None:
        if len(plan.hosts) != 1:
            raise InputError(f"the plan is about {len(plan.hosts)} hosts; say by plan_host which of them this is")
        (host,) = plan.hosts
    if host not in plan.hosts:
        whose = f"that of {next(iter(plan.hosts))}" if plan.of else f"about {len(plan.hosts)} hosts"
        raise InputError(printable(f"the plan is refused: it is {whose}, not of {host}"))
    whole = t.cast("t.Mapping[str, t.Any]", document)
    if plan.of is None:
        whole = for_host(whole, host)
        plan = read_plan(whole, now)
    return Planned(plan, tuple(one for one in plan.hosts[host] if one.user == user), whole)
