# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The ledger of a rollout: what became of each host so far. It travels between the tasks of a playbook as a dict.

It is a cache. What counts is on the hosts, and is read there again when a rollout starts.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .rollout_answers import UnitKey

#: A host that was not begun yet.
WAITING = "waiting"


@dataclass(frozen=True)
class Bad:
    """An image that failed on a host. C(id) is None where nobody knows it; C(host) and C(unit) are for people."""

    reference: str
    platform: str
    digest: str
    id: str | None
    reason: str
    host: str
    unit: str

    @property
    def target(self) -> tuple[str, str, str]:
        """What a second failure shares with this one."""
        return self.reference, self.platform, self.digest

    def to_entry(self) -> dict[str, t.Any]:
        """An entry of image_autoupdate's C(bad_images)."""
        return {
            "reference": self.reference,
            "platform": self.platform,
            "id": self.id,
            "digests": [self.digest],
            "reason": self.reason,
        }


@dataclass(frozen=True)
class HostRecord:
    """One host. C(wave) counts from 1, None where it was in none.

    C(moved) are its units that this run moved, and that are where it wants them; C(earlier) are those that the same plan
    had moved before this run began. C(error) is for people.
    """

    verdict: str = WAITING
    wave: int | None = None
    moved: tuple[UnitKey, ...] = ()
    earlier: tuple[UnitKey, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Ledger:
    """One rollout. C(done) waves have ended; C(halt) says why no further one begins, C(halted) its code."""

    plan: str | None
    sha256: str | None
    state: str
    waves: tuple[tuple[str, ...], ...] = ()
    hosts: t.Mapping[str, HostRecord] = field(default_factory=dict)
    bad: tuple[Bad, ...] = ()
    done: int = 0
    halted: str | None = None
    halt: str | None = None

    @property
    def wave(self) -> tuple[str, ...]:
        """The hosts whose turn it is."""
        return self.waves[self.done] if self.done < len(self.waves) else ()

    def noting(self, records: t.Mapping[str, HostRecord]) -> Ledger:
        """The ledger with these hosts' records."""
        return replace(self, hosts={**self.hosts, **records})

    def knowing(self, bad: t.Iterable[Bad]) -> Ledger:
        """The ledger with more bad images, each once."""
        found = {one.target: one for one in (*bad, *self.bad)}
        return replace(self, bad=tuple(found[key] for key in sorted(found)))

    def stopped(self, code: str, why: str) -> Ledger:
        """The ledger after which nothing more begins; the first reason stays."""
        return self if self.halted else replace(self, halted=code, halt=why)

    def to_dict(self) -> dict[str, t.Any]:
        """What a playbook carries on."""
        return {
            "plan": self.plan,
            "sha256": self.sha256,
            "state": self.state,
            "waves": [list(wave) for wave in self.waves],
            "sizes": [len(wave) for wave in self.waves],
            "wave": list(self.wave),
            "done": self.done,
            "halted": self.halted,
            "halt": self.halt,
            "bad": [vars(one).copy() for one in self.bad],
            "hosts": {host: _written(record) for host, record in self.hosts.items()},
        }

    @classmethod
    def from_dict(cls, document: t.Mapping[str, t.Any]) -> Ledger:
        """What C(to_dict) wrote."""
        return cls(
            document["plan"],
            document["sha256"],
            document["state"],
            tuple(tuple(wave) for wave in document["waves"]),
            {str(host): _read(record) for host, record in document["hosts"].items()},
            tuple(Bad(**one) for one in document["bad"]),
            document["done"],
            document["halted"],
            document["halt"],
        )


def _written(record: HostRecord) -> dict[str, t.Any]:
    return {
        "verdict": record.verdict,
        "wave": record.wave,
        "moved": [list(key) for key in record.moved],
        "earlier": [list(key) for key in record.earlier],
        "error": record.error,
    }


def _read(record: t.Mapping[str, t.Any]) -> HostRecord:
    return HostRecord(
        record["verdict"],
        record["wave"],
        tuple((user, unit) for user, unit in record["moved"]),
        tuple((user, unit) for user, unit in record["earlier"]),
        record["error"],
    )
