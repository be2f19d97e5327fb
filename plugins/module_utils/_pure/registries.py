# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""containers-registries.conf(5) as podman has parsed it: where a reference is really asked for, in which order, and how.

C(podman info) of 4.3.1 and of 5.4.2 prints the same fields. Which mirror counts for what is decided as in podman's
library (containers/image, pkg/sysregistriesv2).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .references import DOCKER_HUB, Reference

_DOCKER_HUB_API = "registry-1.docker.io"
#: The values of C(pull-from-mirror) that leave something out; C(all) and an empty one do not.
_DIGEST_ONLY, _TAG_ONLY = "digest-only", "tag-only"
#: Nobody has more mirrors of one registry; each that fails costs time.
_MOST_MIRRORS = 16


@dataclass(frozen=True)
class Endpoint:
    """Where one repository is asked for: C(host) with an optional port, C(repository) without the host.

    C(name) is the repository with its registry as people write it (C(docker.io/…)), by which credentials are found.
    """

    host: str
    repository: str
    insecure: bool
    blocked: bool
    name: str = ""

    @property
    def certificates(self) -> str:
        """The folder below C(certs.d) that is this host's."""
        return DOCKER_HUB if self.host == _DOCKER_HUB_API else self.host

    def reference(self, asked: Reference) -> Reference:
        """What is asked for here, as a reference of its own.

        Raises:
            InvalidReferenceError: registries.conf rewrites it to something that is none.
        """
        return replace(Reference.parse(self.name), tag=asked.tag, digest=asked.digest)


@dataclass(frozen=True)
class Mirror:
    """One C([[registry.mirror]]) table."""

    location: str
    insecure: bool
    pull_from_mirror: str = ""

    def serves(self, *, by_digest: bool) -> bool:
        """Whether it is asked for references by digest, or for those by tag."""
        return self.pull_from_mirror != (_TAG_ONLY if by_digest else _DIGEST_ONLY)


@dataclass(frozen=True)
class RegistryRule:
    """One C([[registry]]) table of the configuration."""

    prefix: str
    location: str
    insecure: bool
    blocked: bool
    mirrors: tuple[Mirror, ...] = ()
    mirror_by_digest_only: bool = False

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

    def mirrors_for(self, reference: Reference) -> tuple[Mirror, ...]:
        """The mirrors that are asked for the reference, in order."""
        by_digest = reference.digest is not None
        if self.mirror_by_digest_only:  # The older key; it stands for all mirrors, whatever they say themselves.
            return self.mirrors if by_digest else ()
        return tuple(mirror for mirror in self.mirrors if mirror.serves(by_digest=by_digest))


@dataclass(frozen=True)
class RegistriesConf:
    """All rules of a host, and C(search): the registries through which short names are looked for, in order."""

    rules: tuple[RegistryRule, ...] = ()
    search: tuple[str, ...] = ()

    @classmethod
    def from_podman_info(cls, registries: object) -> RegistriesConf:
        """Read the C(registries) object of C(podman info)."""
        entries = registries if isinstance(registries, dict) else {}
        search = entries.get("search")
        names = [one for one in search if isinstance(one, str) and one] if isinstance(search, list) else []
        return cls(tuple(_rules(entries)), tuple(names))

    def endpoint(self, reference: Reference) -> Endpoint:
        """The origin of a fully qualified reference; the longest matching prefix decides."""
        return self.endpoints(reference)[-1]

    def endpoints(self, reference: Reference) -> tuple[Endpoint, ...]:
        """Where a fully qualified reference is asked for, in order: its mirrors first, its origin last."""
        repository = reference.repository
        rule = self._rule(repository)
        rest = rule.rest_of(repository) if rule else None
        if rule is None or rest is None:
            return (_endpoint(repository, insecure=False, blocked=False),)
        located = rule.location + rest if rule.location else repository
        origin = _endpoint(located, insecure=rule.insecure, blocked=rule.blocked or self._blocks(located))
        if rule.blocked:
            return (origin,)
        mirrors = [
            _endpoint(mirror.location + rest, insecure=mirror.insecure, blocked=self._blocks(mirror.location + rest))
            for mirror in rule.mirrors_for(reference)
        ]
        return (*mirrors, origin)

    def _rule(self, repository: str) -> RegistryRule | None:
        matching = [rule for rule in self.rules if rule.rest_of(repository) is not None]
        return max(matching, key=lambda rule: len(rule.prefix), default=None)

    def _blocks(self, repository: str) -> bool:
        """Whether a place is itself one that is never to be asked, for whatever name."""
        rule = self._rule(repository)
        return rule is not None and rule.blocked


def _endpoint(name: str, *, insecure: bool, blocked: bool) -> Endpoint:
    host, _slash, path = name.partition("/")
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return Endpoint(_DOCKER_HUB_API if host == DOCKER_HUB else host, path, insecure, blocked, f"{host}/{path}")


def _rules(entries: t.Mapping[object, object]) -> t.Iterator[RegistryRule]:
    for key, entry in entries.items():
        if isinstance(key, str) and isinstance(entry, dict):
            mirrors = entry.get("Mirrors")
            yield RegistryRule(
                prefix=str(entry.get("Prefix") or key),
                location=_location(entry),
                insecure=bool(entry.get("Insecure")),
                blocked=bool(entry.get("Blocked")),
                mirrors=tuple(_mirrors(mirrors))[:_MOST_MIRRORS] if isinstance(mirrors, list) else (),
                mirror_by_digest_only=bool(entry.get("MirrorByDigestOnly")),
            )


def _mirrors(entries: list[object]) -> t.Iterator[Mirror]:
    for entry in entries:
        if isinstance(entry, dict) and _location(entry):
            said = entry.get("PullFromMirror")
            yield Mirror(_location(entry), bool(entry.get("Insecure")), said if isinstance(said, str) else "")


def _location(entry: t.Mapping[object, object]) -> str:
    return str(entry.get("Location") or "").rstrip("/")
