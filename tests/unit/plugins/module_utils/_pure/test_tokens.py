# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token services: what is asked, with which secrets, and what is believed of the answer."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.challenges import Challenge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.tokens import (
    TokenError,
    TokenRequest,
    parse_token,
    together,
    token_request,
)

_USER = Credential("someone", "tr0ub4dor")
_IDENTITY = Credential("someone", "", "refr3sh")


def _request(
    *repositories: str, credential: Credential | None = None, realm: str = "https://auth.example.com/t?x=1", **more: str
) -> TokenRequest:
    return token_request(Challenge("bearer", {"realm": realm, **more}), repositories, credential)


def _query(request: TokenRequest) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(request.url).query)


def test_all_repositories_are_named_in_one_request() -> None:
    request = _request("team/one", "team/two", service="a registry")
    scopes = ["repository:team/one:pull", "repository:team/two:pull"]
    assert _query(request) == {"x": ["1"], "service": ["a registry"], "scope": scopes}
    assert (request.body, request.headers, request.service) == (None, {}, "auth.example.com")
    assert not request.carries_secrets


def test_the_realm_does_not_choose_what_is_asked_for() -> None:
    request = _request("team/app", realm="https://a.example.com/t?scope=repository:x:push&service=y", service="z")
    assert _query(request) == {"service": ["z"], "scope": ["repository:team/app:pull"]}


def test_a_password_goes_into_a_header() -> None:
    request = _request("team/app", credential=_USER)
    assert request.headers == {"Authorization": f"Basic {_USER.basic()}"}
    assert request.carries_secrets
    assert _USER.basic() not in request.url


def test_an_identity_token_goes_into_a_form() -> None:
    request = _request("team/one", "team/two", credential=_IDENTITY, service="z")
    assert request.body is not None
    form = urllib.parse.parse_qs(request.body.decode())
    assert form == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["refr3sh"],
        "client_id": ["podfleet-autoupdate"],
        "service": ["z"],
        "scope": ["repository:team/one:pull repository:team/two:pull"],
    }
    assert "Authorization" not in request.headers
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.url == "https://auth.example.com/t?x=1"


@pytest.mark.parametrize("credential", [_USER, _IDENTITY])
def test_a_request_shows_no_secret(credential: Credential) -> None:
    shown = repr(_request("team/app", credential=credential))
    assert not [one for one in ("tr0ub4dor", "refr3sh", _USER.basic()) if one in shown]


@pytest.mark.parametrize(
    "realm", ["", "x", "/token", "ftp://x/", "file:///etc/passwd", "http://", "https://[", "http://:5/"]
)
def test_a_realm_that_is_no_address_is_an_error(realm: str) -> None:
    with pytest.raises(TokenError):
        _request("team/app", realm=realm)


class Given(t.NamedTuple):
    """What a service answered, and for how long its token is used."""

    document: dict[str, object]
    seconds: float


@pytest.mark.parametrize(
    "case",
    [
        Given({"token": "T", "expires_in": 300}, 300),
        Given({"access_token": "T", "expires_in": "300"}, 300),
        Given({"token": "T", "access_token": "other"}, 60),
        Given({"token": "T", "expires_in": 0}, 60),
        Given({"token": "T", "expires_in": -5}, 60),
        Given({"token": "T", "expires_in": None}, 60),
        Given({"token": "T", "expires_in": "soon"}, 60),
        Given({"token": "T", "expires_in": [1]}, 60),
        Given({"token": "T", "expires_in": True}, 1),
        Given({"token": "", "access_token": "T"}, 60),
    ],
    ids=lambda case: json.dumps(case.document),
)
def test_a_token_lasts_as_long_as_the_service_says_or_a_minute(case: Given) -> None:
    assert parse_token(json.dumps(case.document).encode()) == ("T", case.seconds)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"token": ""}',
        b'{"token": 7}',
        b'{"token": "a\\r\\nX-Evil: 1"}',
        b'{"token": "a b"}',
        b'{"token": "\\u00e4"}',
        b"[" * 100_000,
        json.dumps({"token": "x" * 70_000}).encode(),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_no_token_is_an_error(body: bytes) -> None:
    with pytest.raises(TokenError):
        parse_token(body)


@given(
    st.binary(max_size=80)
    | st.dictionaries(st.sampled_from(["token", "expires_in"]), st.text()).map(lambda d: json.dumps(d).encode())
)
def test_any_answer_is_a_token_that_fits_a_header_or_an_error(body: bytes) -> None:
    try:
        token, seconds = parse_token(body)
    except TokenError:
        return
    assert token.isascii()
    assert token.isprintable()
    assert 0 < seconds < float("inf")


def test_as_many_repositories_are_named_as_a_url_can_hold() -> None:
    names = [f"team/a-rather-long-name-of-an-app-{number}" for number in range(500)]
    chosen = together(names[5], names)
    assert chosen[0] == names[5]
    assert len(set(chosen)) == len(chosen) < 500
    assert 5000 < len(_request(*chosen).url) < 7000
    assert len(together("team/app", names[:60])) == 61
