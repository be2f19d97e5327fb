# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a registry is asked, and what asking it took."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .platforms import Platform
from .references import Reference


@dataclass(frozen=True)
class Question:
    """One thing to ask a registry. C(known) are digests that make opening the manifest unnecessary.

    C(authfile) is the path that a container's label names for its credentials; None where there is no such label.
    """

    reference: Reference
    platform: Platform
    known: frozenset[str]
    authfile: str | None = None


@dataclass(frozen=True)
class RegistryUsage:
    """What one registry was asked for in one run; C(reason) is why it could not be asked, if so.

    C(rate_limit) has C(limit), C(remaining), C(window) (seconds) and C(source) where the registry reported them.
    """

    registry: str
    requests: int
    manifest_gets: int
    bytes: int
    retries: int
    rate_limit: t.Mapping[str, object] | None
    reason: str | None

    def plus(
        self, other: RegistryUsage, rate_limit: t.Mapping[str, object] | None, reason: str | None
    ) -> RegistryUsage:
        """The counts of both; whoever adds them says which quota and which reason stand for both."""
        return RegistryUsage(
            self.registry,
            self.requests + other.requests,
            self.manifest_gets + other.manifest_gets,
            self.bytes + other.bytes,
            self.retries + other.retries,
            rate_limit,
            reason,
        )


def summed(earlier: t.Iterable[RegistryUsage], later: t.Iterable[RegistryUsage]) -> tuple[RegistryUsage, ...]:
    """What each registry was asked for in two parts of a run, sorted; what it reported last counts."""
    found = {one.registry: one for one in earlier}
    for one in later:
        before = found.get(one.registry)
        found[one.registry] = before.plus(one, one.rate_limit or before.rate_limit, one.reason) if before else one
    return tuple(found[registry] for registry in sorted(found))
