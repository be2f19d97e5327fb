# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Credentials for registries, and whose they are. The values are secrets."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass, field

from .errors import InputError
from .references import DOCKER_HUB, Reference
from .texts import printable

#: What stands for the user name where an identity token is all there is (Docker's credential helper protocol).
TOKEN_USER = "<token>"  # noqa: S105 (no secret)
_HUB_HOSTS = ("index.docker.io", "registry-1.docker.io", DOCKER_HUB)
_LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Credential:
    """A user name and password, or an identity token, which then counts alone; no secret shows in C(repr).

    An identity token is an OAuth2 refresh token: a token service gives access tokens for it, and no registry takes it
    in a basic C(Authorization) header.
    """

    username: str
    password: str = field(repr=False)
    identity_token: str | None = field(default=None, repr=False)

    def basic(self) -> str:
        """The value of a basic C(Authorization) header, which is also what an authfile holds."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class Credentials(t.Protocol):
    """Where a registry client finds what opens a repository; called from several threads."""

    def for_reference(self, reference: Reference, authfile: str | None = None) -> Credential | None:
        """The credential for a repository; None: ask anonymously.

        C(authfile) is the file that a container's label names, for which its images are asked.

        Raises:
            RegistryError: The credentials cannot be told, so the registry is not to be asked at all: a credential
                helper failed (C(credential_helper)), the file that the label names is not to be trusted
                (C(authfile_untrusted)), or a file cannot be read (C(authfile_invalid)).
        """


@dataclass(frozen=True)
class CredentialBook:
    """Credentials by C(host[/namespace[/repository]])."""

    entries: t.Mapping[str, Credential]

    def for_reference(self, reference: Reference, authfile: str | None = None) -> Credential | None:
        """The credential whose key is the most specific prefix of the repository. A book knows no other authfile."""
        del authfile
        return next((self.entries[key] for key in keys_of(reference) if key in self.entries), None)

    def hides(self, key: str) -> bool:
        """Whether a key of an authfile is the same as one of this book, or below it."""
        return any(key == mine or key.startswith(mine + "/") for mine in self.entries)


def keys_of(reference: Reference) -> t.Iterator[str]:
    """The keys under which a repository's credential may stand, the most specific first."""
    key = reference.repository
    while key:
        yield key
        key = key.rpartition("/")[0]


def registry_key(text: str) -> str:
    """A key as people and Docker write it (C(https://index.docker.io/v1/)), normalised."""
    _scheme, separator, rest = text.partition("://")
    key = (rest if separator else text).rstrip("/")
    host, _slash, path = key.partition("/")
    if host in _HUB_HOSTS:
        return DOCKER_HUB if path in ("", "v1", "v2") else f"{DOCKER_HUB}/{path}"
    return host if separator and path in ("v1", "v2") else key


def host_of(text: str) -> str:
    """The registry's host that a key names; Docker Hub has several names."""
    host = text.rpartition("://")[2].partition("/")[0]
    return DOCKER_HUB if host in _HUB_HOSTS else host


def must_be_distinct(registries: t.Iterable[str], where: str = "credentials") -> None:
    """Refuse two credentials for one key, however each of them writes it; C(where) is the option that has them.

    A registry and a repository in it are two keys: the more specific one counts for what it names.

    Raises:
        InputError: It names the key, without what somebody may have put before its host.
    """
    seen: set[str] = set()
    for text in registries:
        key = registry_key(text)
        if key in seen:
            shown = printable(key.rpartition("@")[2][:_LONGEST_SHOWN])
            raise InputError(
                f"{where}: two entries are for {shown}, so it cannot be told which of them is meant; keep one"
            )
        seen.add(key)
