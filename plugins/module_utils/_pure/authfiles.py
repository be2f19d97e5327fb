# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""containers-auth.json(5) and Docker's config.json: what stands in a file, and what it says of a repository.

The rules are those of containers/image (C(pkg/docker/config)), which podman uses: a helper for the host comes first,
then the most specific key, then keys that are URLs; among several files, the first one that knows anything. podman
4.3.1 and 5.4.2 were seen to do so. Beyond it, Docker's C(credsStore) counts, which podman ignores.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
from dataclasses import dataclass, field

from . import documents
from .credentials import TOKEN_USER, Credential, CredentialBook, host_of, keys_of, registry_key
from .errors import InputError
from .references import DOCKER_HUB, Reference

_HUB_SERVER = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class HelperCall:
    """A question to C(docker-credential-<helper>): what it knows of C(server).

    C(optional): where that program is not installed nothing is known, as for podman, which never asks it.
    """

    helper: str
    server: str
    optional: bool = False


@dataclass(frozen=True)
class Authfile:
    """One file. An entry without a secret (None) hides less specific ones, as it does for podman."""

    auths: t.Mapping[str, Credential | None] = field(default_factory=dict)
    #: By host.
    helpers: t.Mapping[str, HelperCall] = field(default_factory=dict)
    store: str | None = None
    legacy: bool = False

    def find(self, reference: Reference) -> Credential | HelperCall | None:
        """What podman would find here for the repository, or whom it would ask."""
        host = host_of(reference.registry)
        if host in self.helpers:
            return self.helpers[host]
        keys = (host,) if self.legacy else keys_of(reference)
        return next((self.auths[key] for key in keys if key in self.auths), None)

    def find_in_store(self, reference: Reference) -> HelperCall | None:
        """Whom Docker would ask for what does not stand here."""
        if self.store is None:
            return None
        host = host_of(reference.registry)
        return HelperCall(self.store, _HUB_SERVER if host == DOCKER_HUB else host, optional=True)


def parse_authfile(text: str, source: str, *, legacy: bool = False) -> Authfile:
    """Read one file; C(legacy) is Docker's old C(.dockercfg), which is nothing but the entries.

    Raises:
        InputError: It is not a JSON object; the message names C(source), and nothing of its contents.
    """
    try:
        document = documents.load_object(text.encode("utf-8", "replace"), source) if text.strip() else {}
    except documents.DocumentError:
        raise InputError(f"{source} is not a JSON object as containers-auth.json(5) describes") from None
    if legacy:
        return Authfile(auths=_entries(document, legacy=True), legacy=True)
    helpers = {
        host_of(key): HelperCall(helper, key)
        for key, helper in _part(document, "credHelpers").items()
        if _is_text(helper)
    }
    store = document.get("credsStore")
    return Authfile(_entries(_part(document, "auths"), legacy=False), helpers, store if _is_text(store) else None)


def render(own: CredentialBook, files: t.Sequence[Authfile]) -> str:
    """One file for podman that says what C(own) and then C(files) say together.

    Helpers of a host are left out where something before them knows the host or a part of it, because podman would ask
    them first: what they say is then to be put in C(own).
    """
    auths: dict[str, Credential | None] = dict(own.entries)
    helpers: dict[str, HelperCall] = {}
    for file in files:
        known = CredentialBook(t.cast("dict[str, Credential]", auths))
        taken = {host_of(key) for key in auths} | set(helpers)
        auths.update({key: value for key, value in file.auths.items() if not known.hides(key)})
        helpers.update({host: call for host, call in file.helpers.items() if host not in taken})
    entries = {key: {} if one is None else _rendered(one) for key, one in auths.items()}
    return json.dumps({"auths": entries, "credHelpers": {host: call.helper for host, call in helpers.items()}})


def _rendered(credential: Credential) -> dict[str, str]:
    if credential.identity_token is None:
        return {"auth": credential.basic()}
    # podman ignores an entry that has no user, whatever else it holds.
    named = Credential(credential.username or TOKEN_USER, credential.password)
    return {"auth": named.basic(), "identitytoken": credential.identity_token}


def _entries(auths: t.Mapping[str, t.Any], *, legacy: bool) -> dict[str, Credential | None]:
    """By normalised key. A key that is a URL, or any of a legacy file, stands for its host; a plain one beats it."""
    plain: dict[str, Credential | None] = {}
    by_host: dict[str, Credential | None] = {}
    for key, value in auths.items():
        if legacy or "://" in key:
            by_host.setdefault(host_of(key), _credential(value))
        else:
            plain[registry_key(key)] = _credential(value)
    return {**by_host, **plain}


def _credential(value: object) -> Credential | None:
    encoded = value.get("auth") if isinstance(value, dict) else None
    if not _is_text(encoded):
        return None
    try:
        username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    token = t.cast("dict[str, t.Any]", value).get("identitytoken")
    if not colon or not username:
        return None
    return Credential(username, password.strip("\0"), token if _is_text(token) else None)


def _part(document: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _is_text(value: object) -> t.TypeGuard[str]:
    return isinstance(value, str) and bool(value)
