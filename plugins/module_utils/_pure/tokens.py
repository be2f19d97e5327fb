# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Token services (the distribution project's token and OAuth2 specifications): what to ask them, and what they answer."""

from __future__ import annotations

import re
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from .challenges import Challenge
from .credentials import Credential
from .documents import DocumentError, load_object

#: The token specification's default, and what a service means that says nothing or nonsense of the time.
_DEFAULT_SECONDS = 60.0
#: A token is renewed this much before its end: the request that carries it takes time too.
MARGIN_SECONDS = 5.0
_LONGEST_TOKEN = 64 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")
#: What proxies take at least of a URL is 8000 characters (RFC 9110, 4.1).
_LONGEST_SCOPES = 6000
_CLIENT_ID = "podfleet-autoupdate"


class TokenError(ValueError):
    """The challenge names no usable service, or the service gave no token."""


@dataclass(frozen=True)
class TokenRequest:
    """One request for a token. The headers and the body (a form, sent by POST) hold secrets."""

    url: str
    headers: t.Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)

    @property
    def carries_secrets(self) -> bool:
        """Whether it must not be seen by anybody else."""
        return bool(self.headers or self.body)

    @property
    def service(self) -> str:
        """The host that is asked."""
        return urllib.parse.urlsplit(self.url).netloc.rpartition("@")[2]


def token_request(challenge: Challenge, repositories: t.Sequence[str], credential: Credential | None) -> TokenRequest:
    """Ask for the right to pull from all of these repositories.

    Raises:
        TokenError: The challenge's realm is no HTTP address.
    """
    try:
        parts = urllib.parse.urlsplit(challenge.parameters.get("realm", ""))
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # Half an IPv6 address.
        usable = False
    if not usable:
        raise TokenError("it names no usable token service")
    service = challenge.parameters.get("service")
    scopes = [_scope(one) for one in repositories]
    if credential and credential.identity_token:
        form = {"grant_type": "refresh_token", "client_id": _CLIENT_ID, "refresh_token": credential.identity_token}
        form["scope"] = " ".join(scopes)
        if service:
            form["service"] = service
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return TokenRequest(urllib.parse.urlunsplit(parts), headers, urllib.parse.urlencode(form).encode())
    query = [(key, value) for key, value in urllib.parse.parse_qsl(parts.query) if key not in ("service", "scope")]
    query += [("service", service)] if service else []
    query += [("scope", scope) for scope in scopes]
    url = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, urllib.parse.urlencode(query), ""))
    return TokenRequest(url, {"Authorization": f"Basic {credential.basic()}"} if credential else {})


def parse_token(body: bytes) -> tuple[str, float]:
    """The token, and the seconds for which it may be used.

    Raises:
        TokenError: There is none, or none that fits into a header.
    """
    try:
        document = load_object(body, "the answer")
    except DocumentError as error:
        raise TokenError(str(error)) from None
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN or not _TOKEN.match(token):
        raise TokenError("there is no token in it")
    return token, _seconds(document.get("expires_in"))


def together(first: str, others: t.Iterable[str]) -> tuple[str, ...]:
    """As many repositories, C(first) among them, as one request can name."""
    chosen, length = [first], len(_scope(first))
    for one in others:
        length += len(urllib.parse.quote_plus(_scope(one))) + len("&scope=")
        if one != first and length <= _LONGEST_SCOPES:
            chosen.append(one)
    return tuple(chosen)


def _scope(repository: str) -> str:
    return f"repository:{repository}:pull"


def _seconds(told: object) -> float:
    try:
        seconds = float(told)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return _DEFAULT_SECONDS
    return seconds if 0 < seconds < float("inf") else _DEFAULT_SECONDS
