# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""containers-registries.conf(5) as podman has parsed it: where a reference is really asked for, and how."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .references import DOCKER_HUB, Reference

_DOCKER_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True)
class Endpoint:
    """Where one repository is asked for: C(host) with an optional port, C(repository) without the host."""

    host: str
    repository: str
    insecure: bool
    blocked: bool


@dataclass(frozen=True)
class RegistryRule:
    """One C([[registry]]) table of the configuration."""

    prefix: str
    location: str
    insecure: bool
    blocked: bool

    def rest_of(self, repository: str) -> str | None:
        """What follows the prefix in C(registry/path), or None where the rule does not apply.

        As in podman, a prefix also ends before a port, and a wildcard stands for the whole host before its end.
        """
        if self.prefix.startswith("*."):
            host = repository.partition("/")[0]
            start = host.find(self.prefix[1:])
            end = start + len(self.prefix) - 1
        else:
            start = 0 if repository.startswith(self.prefix) else -1
            end = len(self.prefix)
        rest = repository[end:]
        return rest if start >= 0 and rest[:1] in ("", "/", ":") else None


@dataclass(frozen=True)
class RegistriesConf:
    """All rules of a host."""

    rules: tuple[RegistryRule, ...] = ()

    @classmethod
    def from_podman_info(cls, registries: object) -> RegistriesConf:
        """Read the C(registries) object of C(podman info); what is no rule (C(search)) is left out."""
        entries = registries if isinstance(registries, dict) else {}
        return cls(tuple(_rules(entries)))

    def endpoint(self, reference: Reference) -> Endpoint:
        """The endpoint of a fully qualified reference; the longest matching prefix decides."""
        repository = reference.repository
        best: tuple[RegistryRule, str] | None = None
        for rule in self.rules:
            rest = rule.rest_of(repository)
            if rest is not None and (best is None or len(rule.prefix) > len(best[0].prefix)):
                best = rule, rest
        if best is None:
            return _endpoint(repository, insecure=False, blocked=False)
        rule, rest = best
        located = rule.location + rest if rule.location else repository
        return _endpoint(located, insecure=rule.insecure, blocked=rule.blocked)


def _endpoint(repository: str, *, insecure: bool, blocked: bool) -> Endpoint:
    host, _slash, path = repository.partition("/")
    return Endpoint(_DOCKER_HUB_API if host == DOCKER_HUB else host, path, insecure, blocked)


def _rules(entries: t.Mapping[object, object]) -> t.Iterator[RegistryRule]:
    for key, entry in entries.items():
        if isinstance(key, str) and isinstance(entry, dict):
            yield RegistryRule(
                prefix=str(entry.get("Prefix") or key),
                location=str(entry.get("Location") or ""),
                insecure=bool(entry.get("Insecure")),
                blocked=bool(entry.get("Blocked")),
            )
