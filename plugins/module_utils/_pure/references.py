# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Image references: parse, validate, normalise, render.

The grammar is the one of the distribution project's C(reference) package, which podman uses: C(name[:tag][@digest])
where a name is an optional registry and a lower-case path.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_SEPARATOR = r"(?:\.|_{1,2}|-+)"
_PATH_COMPONENT = rf"[a-z0-9]+(?:{_SEPARATOR}[a-z0-9]+)*"
_PATH = re.compile(rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*\Z")
_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}\Z")
_IMAGE_ID = re.compile(r"[a-f0-9]{64}\Z")
_LONGEST_NAME = 255
#: What podman's C(reference.Parse) takes: also what can be no repository in the end, such as C(Foo/bar).
_WIDER = re.compile(
    rf"(?P<name>(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*(?::[0-9]+)?/)?{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha(?:256:[a-f0-9]{64}|384:[a-f0-9]{96}|512:[a-f0-9]{128}))?\Z"
)
#: A name of 255 characters, a tag of 128 and a digest: what is longer cannot be a reference.
_LONGEST_REFERENCE = 512

DOCKER_TRANSPORT = "docker://"
DOCKER_HUB = "docker.io"
_OFFICIAL = "library/"
_DEFAULT_TAG = "latest"


class InvalidReferenceError(ValueError):
    """The text is not an image reference; the message names it and says what is wrong."""


def is_digest(text: object) -> t.TypeGuard[str]:
    """Whether the text is a C(sha256:<64 lower-case hex>) digest, the only algorithm that image IDs and tags use."""
    return isinstance(text, str) and _DIGEST.match(text) is not None


def is_in_podmans_grammar(text: str) -> bool:
    """Whether podman's first look at a name finds no fault, so that the name is unknown rather than bad."""
    found = _WIDER.match(text) if len(text) <= _LONGEST_REFERENCE else None
    return found is not None and len(found["name"]) <= _LONGEST_NAME


@dataclass(frozen=True)
class Reference:
    """One parsed reference. C(registry) is empty for a short name; C(tag) beside a digest is only remembered."""

    registry: str
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse C(text), with or without C(docker://).

        Docker Hub names are normalised as Docker does (C(docker.io/x) is C(docker.io/library/x)); a name without tag
        and digest gets C(latest).

        Raises:
            InvalidReferenceError: The text is not a reference.
        """
        if len(text) > _LONGEST_REFERENCE:
            raise InvalidReferenceError(f"{text[:60]!r}… is not an image reference: it is too long")
        rest = text[len(DOCKER_TRANSPORT) :] if text.startswith(DOCKER_TRANSPORT) else text
        rest, at, digest = rest.partition("@")
        if at and not is_digest(digest):
            raise InvalidReferenceError(
                f"{text!r} is not an image reference: the digest must be sha256: and 64 hex digits"
            )
        slash = rest.rfind("/")
        name, colon, tag = rest[slash + 1 :].partition(":")
        name = rest[: slash + 1] + name
        if colon and not _TAG.match(tag):
            raise InvalidReferenceError(f"{text!r} is not an image reference: {tag!r} is not a valid tag")
        if _IMAGE_ID.match(name):
            raise InvalidReferenceError(
                f"{text!r} is not an image reference: cannot specify 64-byte hexadecimal strings, which are image IDs"
            )
        registry, path = _split_registry(name)
        if path != path.lower():
            raise InvalidReferenceError(f"{text!r} is not an image reference: repository name must be lowercase")
        if not _PATH.match(path) or (registry and not _REGISTRY.match(registry)):
            raise InvalidReferenceError(f"{text!r} is not an image reference: invalid reference format")
        if registry in (DOCKER_HUB, "index.docker.io"):
            registry = DOCKER_HUB
            path = path if "/" in path else _OFFICIAL + path
        if len(registry) + bool(registry) + len(path) > _LONGEST_NAME:
            raise InvalidReferenceError(
                f"{text[:60]!r}… is not an image reference: repository name must not be more than"
                f" {_LONGEST_NAME} characters"
            )
        return cls(registry, path, tag or (None if digest else _DEFAULT_TAG), digest or None)

    @property
    def fully_qualified(self) -> bool:
        """Whether the reference names its registry."""
        return bool(self.registry)

    @property
    def repository(self) -> str:
        """Registry and path, without tag and digest."""
        return f"{self.registry}/{self.path}" if self.registry else self.path

    @property
    def name(self) -> str:
        """The canonical text, as podman records it: a digest drops the tag beside it."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    @property
    def canonical(self) -> str:
        """The text that names the same everywhere: with registry (a short name is Docker Hub's), and no tag beside a digest.

        Raises:
            InvalidReferenceError: With the registry it is too long.
        """
        return self.within(DOCKER_HUB).name

    @property
    def familiar_repository(self) -> str:
        """The repository as Docker shows it: without C(docker.io/) and C(library/)."""
        # Where the path would be taken for a registry, Docker's own short form names something else.
        if self.registry != DOCKER_HUB or _split_registry(self.path)[0]:
            return self.repository
        bare = self.path[len(_OFFICIAL) :]
        return bare if self.path.startswith(_OFFICIAL) and "/" not in bare else self.path

    @property
    def familiar(self) -> str:
        """The text as Docker shows it: what is normally there, registry or C(:latest), left out."""
        if self.digest:
            return f"{self.familiar_repository}@{self.digest}"
        tag = "" if self.tag == _DEFAULT_TAG else f":{self.tag}"
        return f"{self.familiar_repository}{tag}"

    def within(self, registry: str) -> Reference:
        """A short name in one registry; a fully qualified one as it is.

        Raises:
            InvalidReferenceError: They make no reference together.
        """
        if self.registry:
            return self
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return Reference.parse(f"{registry}/{self.path}{tag}{digest}")

    def at(self, digest: str) -> str:
        """This repository at one digest, which is what is pulled."""
        return f"{self.repository}@{digest}"

    def matches(self, resolved_name: str) -> bool:
        """Whether podman may have resolved this reference to C(resolved_name).

        A short name is resolved through C(localhost/), Docker Hub or one of the search registries, so any registry
        before the same path counts.
        """
        try:
            resolved = Reference.parse(resolved_name)
        except InvalidReferenceError:
            return False
        if (self.digest or self.tag) != (resolved.digest or resolved.tag):
            return False
        if self.registry:
            return self.repository == resolved.repository
        return resolved.path == self.path or resolved.path.endswith("/" + self.path)


def _split_registry(name: str) -> tuple[str, str]:
    """Split a name where podman does: the first component is a registry if it has a dot or colon, or is localhost."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", name
