# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Who asks the registries: each reference and platform once, by as few hosts as have them all."""

from __future__ import annotations

import heapq
import typing as t
from dataclasses import dataclass

from .answers import NOTHING_TOLD, Answers
from .reports import Contact, HostReport, Key

CONTROLLER = "localhost"


@dataclass(frozen=True)
class Call:
    """One call of C(image_digest_info) on a host. Without C(platform) the host's images tell theirs."""

    host: str
    platform: str
    names: tuple[str, ...]
    #: Whether the host has images of this platform only, so that it need not be told.
    alone: bool

    @property
    def keys(self) -> tuple[Key, ...]:
        """What is asked for."""
        return tuple((name, self.platform) for name in self.names)

    def to_result(self) -> dict[str, t.Any]:
        """What the playbook gives the module."""
        platform = None if self.alone else self.platform
        return {"host": self.host, "names": list(self.names), "platform": platform, "of": self.platform}


def calls(reports: t.Sequence[HostReport], answers: Answers = NOTHING_TOLD) -> tuple[Call, ...]:
    """The fewest calls that a greedy choice finds for all that is not answered: who has most of it is asked for it.

    Few hosts, because each needs a token and a connection of its own; of equals, the first in the inventory's order, so
    that the answer does not depend on how many more there are. Who was asked for a key in vain is not asked again.
    """
    told = answers.told
    open_ = {
        report.host: {
            key for key in report.keys if key not in told or not (told[key].final or report.host in told[key].by)
        }
        for report in reports
        if report.contact is Contact.ANSWERED
    }
    order = {host: number for number, host in enumerate(open_)}
    heap = [(-len(keys), order[host], host) for host, keys in open_.items() if keys]
    heapq.heapify(heap)
    done: set[Key] = set()
    chosen: dict[str, set[Key]] = {}
    while heap:
        promised, number, host = heapq.heappop(heap)
        left = open_[host] - done
        if len(left) < -promised:
            # Others were chosen since: it has less to offer, and waits for its turn.
            if left:
                heapq.heappush(heap, (-len(left), number, host))
            continue
        chosen[host] = left
        done |= left
    platforms = {
        report.host: {platform for _name, platform in report.keys} for report in reports if report.host in chosen
    }
    return tuple(
        Call(host, platform, tuple(sorted(name for name, of in keys if of == platform)), len(platforms[host]) == 1)
        for host, keys in chosen.items()
        for platform in sorted({of for _name, of in keys})
    )


def controller_calls(reports: t.Sequence[HostReport]) -> list[dict[str, t.Any]]:
    """The same for the controller, which asks for everything itself.

    It is told which digests the fleet knows, by name: a manifest of these need not be opened.
    """
    known: dict[str, dict[str, set[str]]] = {}
    for report in reports:
        for one in report.containers:
            name, platform = one.key
            known.setdefault(platform, {}).setdefault(name, set()).update(one.digests)
    return [
        {
            "host": CONTROLLER,
            "names": sorted(known[platform]),
            "platform": platform,
            "of": platform,
            "known": {name: sorted(known[platform][name]) for name in sorted(known[platform])},
        }
        for platform in sorted(known)
    ]
