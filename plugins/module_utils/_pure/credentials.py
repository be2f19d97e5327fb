# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Credentials for registries: containers-auth.json(5), read without touching a file. The values are secrets."""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
from dataclasses import dataclass, field

from .errors import InputError
from .references import DOCKER_HUB, Reference


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
            RegistryError: A credential helper failed (C(credential_helper)), or the file that the label names is not
                to be trusted (C(authfile_untrusted)): the registry is then not to be asked at all.
        """


@dataclass(frozen=True)
class CredentialBook:
    """Credentials by C(host[/namespace[/repository]])."""

    entries: t.Mapping[str, Credential]

    def for_reference(self, reference: Reference, authfile: str | None = None) -> Credential | None:
        """The credential whose key is the most specific prefix of the repository. A book knows no other authfile."""
        del authfile
        key = reference.repository
        while key:
            if key in self.entries:
                return self.entries[key]
            key = key.rpartition("/")[0]
        return None

    def over(self, other: CredentialBook) -> CredentialBook:
        """This book's credentials before another's, host by host: a key here hides every key there below it."""
        kept = {key: credential for key, credential in other.entries.items() if not self.hides(key)}
        return CredentialBook({**kept, **self.entries})

    def hides(self, key: str) -> bool:
        """Whether a key of another book is the same as one of this book, or below it."""
        return any(key == mine or key.startswith(mine + "/") for mine in self.entries)


def registry_key(text: str) -> str:
    """A key as podman and Docker write it (C(https://index.docker.io/v1/)), normalised."""
    _scheme, separator, rest = text.partition("://")
    key = (rest if separator else text).rstrip("/")
    host, _slash, path = key.partition("/")
    if host in ("index.docker.io", "registry-1.docker.io", DOCKER_HUB):
        return DOCKER_HUB if path in ("", "v1", "v2") else f"{DOCKER_HUB}/{path}"
    return host if separator and path in ("v1", "v2") else key


def parse_authfile(text: str, source: str) -> CredentialBook:
    """The C(auths) of an authfile; entries without a password (those of credential helpers) are left out.

    Raises:
        InputError: It is not a JSON object; the message names C(source), and nothing of its contents.
    """
    auths = load_authfile(text, source).get("auths")
    entries = {}
    for key, value in auths.items() if isinstance(auths, dict) else ():
        credential = _credential(value)
        if credential is not None:
            entries[registry_key(str(key))] = credential
    return CredentialBook(entries)


def load_authfile(text: str, source: str) -> dict[str, t.Any]:
    """The JSON object of an authfile.

    Raises:
        InputError: It is none; the message names C(source), and nothing of its contents.
    """
    try:
        document = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InputError(f"{source} is not a JSON object as containers-auth.json(5) describes")
    return document


def _credential(value: object) -> Credential | None:
    encoded = value.get("auth") if isinstance(value, dict) else None
    if not isinstance(encoded, str):
        return None
    try:
        username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return Credential(username, password.rstrip("\0")) if colon and username else None
