# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""containers-policy.json(5): does podman want signatures for what is pulled from a registry?

podman itself enforces the policy. It is read only to tell how to pull: a signature's identity may name the tag, so
where one is wanted, the tag has to be pulled and not the digest behind it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .documents import DocumentError, load_object
from .references import Reference

_ANYTHING = "insecureAcceptAnything"
_TRANSPORT = "docker"


@dataclass(frozen=True)
class SignaturePolicy:
    """The requirements' types by scope; C(fallback) holds where no scope matches.

    None stands for requirements that cannot be read: podman then refuses everything, or knows more than this reader.
    """

    scopes: t.Mapping[str, tuple[str, ...] | None]
    fallback: tuple[str, ...] | None

    @classmethod
    def parse(cls, body: bytes | None) -> SignaturePolicy:
        """Read the file's content, or what no file at all means here: nothing is wanted (podman says the rest)."""
        if body is None:
            return cls({}, (_ANYTHING,))
        try:
            document = load_object(body, "policy.json")
        except DocumentError:
            return cls({}, None)
        transports = document.get("transports")
        scopes = transports.get(_TRANSPORT) if isinstance(transports, dict) else None
        return cls(
            {scope: _types(entries) for scope, entries in scopes.items()} if isinstance(scopes, dict) else {},
            _types(document.get("default")),
        )

    def takes_unsigned(self, reference: Reference, digest: str) -> bool:
        """Whether both the reference and the same repository at C(digest) may be pulled without any signature."""
        names = (reference.name, reference.at(digest))
        return all(self._requirements(name, reference) == {_ANYTHING} for name in names)

    def _requirements(self, name: str, reference: Reference) -> set[str] | None:
        for scope in (name, *_parents(reference), ""):
            if scope in self.scopes:
                types = self.scopes[scope]
                return None if types is None else set(types)
        return None if self.fallback is None else set(self.fallback)


def _parents(reference: Reference) -> t.Iterator[str]:
    """From the repository to its host, then the wildcards of the host (C(*.example.com)), the most specific first."""
    scope = reference.repository
    while scope:
        yield scope
        scope = scope.rpartition("/")[0]
    labels = reference.registry.partition(":")[0].split(".")
    for start in range(1, len(labels)):
        yield "*." + ".".join(labels[start:])


def _types(entries: object) -> tuple[str, ...] | None:
    if not isinstance(entries, list) or not entries:
        return None
    types = [entry.get("type") if isinstance(entry, dict) else None for entry in entries]
    return tuple(map(str, types)) if all(isinstance(one, str) for one in types) else None
