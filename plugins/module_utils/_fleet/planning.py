# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The plan of a fleet: what each reference is to be, and which containers of which hosts are behind that."""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .._pure.decisions import RemoteImage, sameness
from .._pure.errors import InputError
from .._pure.moments import written
from .._pure.plans import SCHEMA, fingerprint, read_plan, sealed, target_key
from .._pure.platforms import Platform
from .answers import Answers, Told
from .reports import Contact

if t.TYPE_CHECKING:
    from datetime import datetime

    from .reports import Container, HostReport, Key

#: What a job's artifact may have (C(set_stats)); AWX keeps it in its database.
MOST_ARTIFACT = 1_000_000
_MEMBERSHIP = 16


@dataclass(frozen=True)
class Targets:
    """What each reference and platform is to be. C(told) is what the registry said, with all that is known of it."""

    told: t.Mapping[Key, RemoteImage]

    @classmethod
    def of(cls, answers: Answers, reports: t.Sequence[HostReport]) -> Targets:
        """The targets that the answers name, with the image IDs of those that a host is known to run.

        An ID that somebody runs by other digests is not believed: a host that says so would have all of them stay there.
        """
        told = {key: one.remote for key, one in answers.told.items() if one.remote is not None}
        found: dict[Key, list[str | None]] = {}
        elsewhere: set[tuple[Key, str | None]] = set()
        for container in (one for report in reports for one in report.containers):
            key, one = container.key, told.get(container.key)
            if one is None or one.id is not None or not container.digests:
                continue
            if container.digests.isdisjoint({one.digest, one.platform_digest}):
                elsewhere.add((key, container.id))
            else:
                found.setdefault(key, []).append(container.id)
        for key, ids in found.items():
            believed = next((one for one in ids if (key, one) not in elsewhere), None)
            told[key] = replace(told[key], id=believed)
        return cls(told)

    @classmethod
    def of_plan(cls, document: t.Mapping[str, t.Any]) -> Targets:
        """The targets of a plan that was read before."""
        return cls(
            {
                (str(one["reference"]), str(one["platform"])): RemoteImage(str(one["digest"]), id=one["id"])
                for one in document["targets"].values()
            }
        )

    def runs(self, container: Container) -> bool:
        """Whether a container runs its target already."""
        return sameness(container.digests, container.id, self.told[container.key]) is not None

    def entry(self, key: Key) -> dict[str, t.Any]:
        """The target as plans have it."""
        one = self.told[key]
        return {
            "reference": key[0],
            "platform": key[1],
            "digest": one.digest,
            "id": one.id,
            "bytes": one.size,
            "signature": None,
        }


def is_held(report: HostReport, container: Container, target: RemoteImage) -> bool:
    """Whether the host itself will refuse the target, because it was bad before."""
    platform = Platform.parse(container.key[1])
    digests = {one for one in (target.digest, target.platform_digest) if one}
    return any(
        user == container.user
        and hold.concerns(container.key[0], platform, container.unit)
        and hold.forbids(target.id, digests)
        for user, hold in report.holds
    )


@dataclass
class _Counts:
    """The hosts behind one target, by what they need; a host counts once for each."""

    pending: int = 0
    held: int = 0
    current: int = 0


@dataclass(frozen=True)
class Planned:
    """A plan with all that there is to say about it."""

    document: dict[str, t.Any]
    counts: t.Mapping[Key, _Counts]
    #: Why the registry's answer is missing, by what was asked for.
    unknown: t.Mapping[Key, tuple[str, str]]
    summary: t.Mapping[str, int]
    reports: t.Sequence[HostReport] = field(repr=False)
    answers: Answers = field(repr=False)
    #: The hosts with a container that is pending; in the plan are also those where everything else is held.
    behind: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.document["hosts"]

    def bytes_to_pull(self) -> tuple[int, int]:
        """At most so many bytes over all hosts, and how many pulls are of a size that nobody told.

        At most, because a host pulls no layer that it has.
        """
        known = unknown = 0
        for key, counts in self.counts.items():
            size = self.document["targets"][target_key(*key)]["bytes"]
            known += (size or 0) * counts.pending
            unknown += counts.pending if size is None else 0
        return known, unknown

    def unanswered(self, contact: Contact) -> list[dict[str, str]]:
        """The hosts that told nothing, in one way or the other."""
        found = [one for one in self.reports if one.contact is contact]
        return [{"host": one.host, "error": one.error or ""} for one in found]

    def artifact(self) -> dict[str, t.Any]:
        """What a job hands on: the targets, and of each host a fingerprint of its part in place of the part.

        Behind it stands one of all its containers that the plan has a target for, so that one that is gone is missed also
        where the others run their targets already.
        """
        whole = self.document
        told = {key: whole[key] for key in ("schema", "id", "created", "expires", "sha256", "targets")}
        there = {one.host: one for one in self.reports}
        targets = whole["targets"]
        return {
            **told,
            "hosts": {host: fingerprint(whole, host) + membership(there[host], targets) for host in whole["hosts"]},
        }


def membership(report: HostReport, targets: t.Collection[str]) -> str:
    """16 hex digits that tell whether a host has the same containers on these targets, whatever they run."""
    told = sorted(
        (one.unit, one.user or "", one.name, target_key(*one.key))
        for one in report.containers
        if target_key(*one.key) in targets
    )
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_MEMBERSHIP]


def plan(reports: t.Sequence[HostReport], answers: Answers, *, id: str, created: datetime, lasts: timedelta) -> Planned:
    """Make the plan of what was told.

    It names every target, and of the hosts those containers that run something else, held ones included: the host is
    the judge of its holds.
    """
    targets = Targets.of(answers, reports)
    counts: dict[Key, _Counts] = {key: _Counts() for key in sorted(targets.told)}
    summary: Counter[str] = Counter()
    hosts: dict[str, t.Any] = {}
    behind = set()
    for report in reports:
        units: dict[str, list[dict[str, t.Any]]] = {}
        words: dict[Key, set[str]] = {}
        summary.update(one.word if one.error is None else "refused" for one in report.left_out)
        for one in report.containers:
            word = _word(report, one, targets)
            summary[word] += 1
            if word == "pending":
                behind.add(report.host)
            if word != "unknown":
                words.setdefault(one.key, set()).add(word)
            if word in ("pending", "held"):
                units.setdefault(one.unit, []).append(_entry(one))
        for key, said in words.items():
            _count(counts[key], said)
        if units:
            hosts[report.host] = {"units": {unit: units[unit] for unit in sorted(units)}}
    document = sealed(
        {
            "schema": SCHEMA,
            "id": id,
            "created": written(created),
            "expires": written(created + lasts),
            "targets": {target_key(*key): targets.entry(key) for key in counts},
            "hosts": hosts,
        }
    )
    unknown = {
        key: (one.reason or "unknown", one.error or "")
        for key, one in sorted(answers.told.items())
        if one.remote is None
    }
    return Planned(document, counts, unknown, dict(summary), reports, answers, frozenset(behind))


def restored(artifact: object, reports: t.Sequence[HostReport], now: datetime) -> tuple[Planned, tuple[str, ...]]:
    """The plan that an artifact stands for, from what its hosts run now; and the hosts that answered and that it fits no longer.

    A host is in it only if its part is the one that was planned, by its fingerprint. One that runs all targets already, as
    after a rollout that was interrupted, fits too, and has nothing to do, if it has the containers that it had.

    Raises:
        InputError: It is no such artifact, or has expired.
    """
    fingerprints = artifact.get("hosts") if isinstance(artifact, t.Mapping) else None
    if not isinstance(artifact, t.Mapping) or not isinstance(fingerprints, t.Mapping):
        raise InputError("the plan is refused: it is no artifact of one")
    told = read_plan(sealed({**artifact, "hosts": {}}), now)
    known = {
        (str(one.reference.name), str(one.platform)): Told(RemoteImage(one.digest, id=one.id, size=one.bytes), ())
        for one in told.targets.values()
    }
    found = plan(reports, Answers(known), id=told.id, created=told.created, lasts=told.expires - told.created)
    targets = {key: dict(one) for key, one in artifact["targets"].items()}
    document = {**found.document, "targets": targets}
    fits = set()
    odd = []
    for one in reports:
        said, name = str(fingerprints.get(one.host, "")), one.host
        if name in document["hosts"]:
            same = said[:-_MEMBERSHIP] == fingerprint(document, name)
        else:
            same = said[-_MEMBERSHIP:] == membership(one, targets)
        if same:
            fits.add(name)
        elif said and one.contact is Contact.ANSWERED:
            odd.append(name)
    kept = {name: part for name, part in document["hosts"].items() if name in fits}
    return replace(found, document=sealed({**document, "hosts": kept})), tuple(odd)


def size(document: t.Mapping[str, t.Any]) -> int:
    """The bytes of a document as compact JSON."""
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _word(report: HostReport, container: Container, targets: Targets) -> str:
    target = targets.told.get(container.key)
    if target is None:
        return "unknown"
    if targets.runs(container):
        return "current"
    return "held" if is_held(report, container, target) else "pending"


def _count(counts: _Counts, said: t.Collection[str]) -> None:
    """A host with containers in several states counts for the one that is left to do."""
    for word in ("pending", "held", "current"):
        if word in said:
            setattr(counts, word, getattr(counts, word) + 1)
            return


def _entry(container: Container) -> dict[str, t.Any]:
    reference, platform = container.key
    return {
        "scope": "user" if container.user else "system",
        "user": container.user,
        "container": container.name,
        "reference": reference,
        "platform": platform,
        "before": {"id": container.id, "digest": container.digest},
        "target": target_key(reference, platform),
    }
