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


def summed(earlier: t.Iterable[RegistryUsage], later: t.Iterable[RegistryUsage]) -> tuple[RegistryUsage, ...]:
    """What each registry was asked for in two parts of a run, sorted; what it reported last counts."""
    found = {one.registry: one for one in earlier}
    for one in later:
        before = found.get(one.registry)
        found[one.registry] = one if before is None else _sum(before, one)
    return tuple(found[registry] for registry in sorted(found))


def _sum(earlier: RegistryUsage, later: RegistryUsage) -> RegistryUsage:
    return RegistryUsage(
        later.registry,
        earlier.requests + later.requests,
        earlier.manifest_gets + later.manifest_gets,
        earlier.bytes + later.bytes,
        earlier.retries + later.retries,
        later.rate_limit or earlier.rate_limit,
        later.reason,
    )
