# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authentication: challenges are answered once, tokens are kept, and nobody sees a password by accident."""

from __future__ import annotations

import base64
import json
import logging
import typing as t
import urllib.parse

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    SECRET,
    USER,
    Asked,
    Reply,
    Server,
    always,
    client,
    manifest,
    question,
    resolve,
)


class Issuer:
    """A registry with a token service: a token opens one repository, as often as C(uses) says."""

    def __init__(
        self, seconds: object = 300, *, uses: int = 1000, key: str = "token", closed: tuple[str, ...] = ()
    ) -> None:
        self.seconds = seconds
        self.uses = uses
        self.key = key
        self.closed = closed
        self.issued: list[str] = []
        self.left: dict[str, int] = {}
        self.address = ""

    def __call__(self, asked: Asked) -> Reply:
        return self._token(asked) if asked.path.startswith("/token") else self._manifest(asked)

    def _token(self, asked: Asked) -> Reply:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(asked.path).query)
        scope = " ".join(query["scope"])
        if any(f":{name}:" in scope for name in self.closed) or asked.authorization not in (
            None,
            f"Basic {USER.basic()}",
        ):
            return Reply(403, {}, b'{"errors": [{"code": "DENIED"}]}')
        token = base64.urlsafe_b64encode(f"{len(self.issued)} {scope}".encode()).decode()
        self.issued.append(scope)
        self.left[token] = self.uses
        return Reply(200, {}, json.dumps({self.key: token, "expires_in": self.seconds}).encode())

    def _manifest(self, asked: Asked) -> Reply:
        token = (asked.authorization or "").partition("Bearer ")[2]
        if (
            self.left.get(token, 0) > 0
            and f":{asked.path[4:].partition('/manifests/')[0]}:" in base64.urlsafe_b64decode(token).decode()
        ):
            self.left[token] -= 1
            return manifest()
        realm = f'Bearer realm="http://{self.address}/token?account=x",service="the registry"'
        return Reply(401, {"WWW-Authenticate": realm})


def _serve(issuer: Issuer) -> Server:
    server = Server(issuer)
    issuer.address = server.address
    return server


def test_a_token_is_fetched_and_used_for_both_requests() -> None:
    issuer = Issuer()
    with _serve(issuer) as server:
        assert resolve(server.address).digest == DIGEST
    assert issuer.issued == ["repository:team/app:pull"]
    assert [one.method for one in server.asked] == ["HEAD", "GET", "HEAD", "GET"]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(server.asked[1].path).query)
    assert query == {"account": ["x"], "service": ["the registry"], "scope": ["repository:team/app:pull"]}
    assert server.asked[1].authorization is None


def test_the_next_repository_needs_no_challenge() -> None:
    issuer = Issuer()
    with _serve(issuer) as server:
        asking = client(server.address)
        for name in ("team/one", "team/two"):
            asking.resolve(question(server.address, DIGEST, repository=name))
    assert issuer.issued == ["repository:team/one:pull", "repository:team/two:pull"]
    assert [one.method for one in server.asked] == ["HEAD", "GET", "HEAD", "GET", "HEAD"]


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_both_names_of_a_token_are_known(key: str) -> None:
    with _serve(Issuer(key=key)) as server:
        assert resolve(server.address, DIGEST).digest == DIGEST


@pytest.mark.parametrize("seconds", [300, None, 0, "300", 60.5, "soon", [1], -1, 10**40])
def test_a_token_lasts_as_long_as_the_service_says_or_a_minute(seconds: object) -> None:
    issuer = Issuer(seconds)
    with _serve(issuer) as server:
        resolve(server.address)
    assert len(issuer.issued) == 1


def test_a_token_that_is_about_to_expire_is_fetched_anew() -> None:
    issuer = Issuer(1)
    with _serve(issuer) as server:
        resolve(server.address)
    assert len(issuer.issued) == 2


def test_a_token_that_the_registry_has_forgotten_is_fetched_anew_once() -> None:
    issuer = Issuer(uses=1)
    with _serve(issuer) as server:
        assert resolve(server.address).digest == DIGEST
    assert len(issuer.issued) == 2


def test_tokens_that_never_help_are_not_fetched_for_ever() -> None:
    issuer = Issuer(uses=0)
    with _serve(issuer) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address)
    assert caught.value.reason is Reason.AUTH_REQUIRED
    assert len(issuer.issued) == 1


def test_the_token_service_is_shown_the_password_and_the_registry_never() -> None:
    with _serve(Issuer()) as server:
        resolve(server.address, DIGEST, credentials={server.address: USER})
        basic = [one.path for one in server.asked if one.authorization == f"Basic {USER.basic()}"]
        assert [path[:6] for path in basic] == ["/token"]


def test_a_password_is_not_sent_to_a_token_service_in_clear_text() -> None:
    """The registry is a secure one; only its token service is not."""
    with Server(always(Reply(200))) as service:
        challenge = {"WWW-Authenticate": f'Bearer realm="http://{service.address}/token"'}
        with Server(always(Reply(401, challenge))) as server:
            asking = client(server.address, credentials={server.address: USER}, timeout=2)
            connection = asking._host(asking._conf.endpoint(question(server.address).reference))._connection
            connection.insecure = False
            connection._scheme = "http"
            with pytest.raises(RegistryError, match="clear text") as caught:
                asking.resolve(question(server.address))
        assert caught.value.reason is Reason.TLS
        assert service.asked == []


def test_one_private_repository_does_not_hide_the_public_ones() -> None:
    """The first question is refused by the token service; that says nothing of the next repository."""
    issuer = Issuer(closed=("team/private",))
    with _serve(issuer) as server:
        asking = client(server.address)
        with pytest.raises(RegistryError) as caught:
            asking.resolve(question(server.address, repository="team/private"))
        assert caught.value.reason is Reason.AUTH_REQUIRED
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST


class Bad(t.NamedTuple):
    """What a token service answers, and what becomes of it."""

    reply: Reply
    reason: Reason


_BAD = [
    Bad(Reply(401), Reason.AUTH_REQUIRED),
    Bad(Reply(403), Reason.AUTH_REQUIRED),
    Bad(Reply(429), Reason.RATE_LIMITED),
    Bad(Reply(500), Reason.REGISTRY_UNREACHABLE),
    Bad(Reply(200, {}, b"<html>"), Reason.REGISTRY_INVALID),
    Bad(Reply(200, {}, b"[]"), Reason.REGISTRY_INVALID),
    Bad(Reply(200, {}, b"{}"), Reason.REGISTRY_INVALID),
    Bad(Reply(200, {}, b'{"token": ""}'), Reason.REGISTRY_INVALID),
    Bad(Reply(200, {}, b'{"token": 7}'), Reason.REGISTRY_INVALID),
    Bad(Reply(200, {}, b'{"token": "a\\r\\nX-Evil: 1"}'), Reason.REGISTRY_INVALID),
    Bad(Reply(200, {}, b'{"token": "\\u00e4"}'), Reason.REGISTRY_INVALID),
    Bad(Reply(200, {}, b"[" * 100_000), Reason.REGISTRY_INVALID),
]


@pytest.mark.parametrize("bad", _BAD, ids=lambda bad: f"{bad.reply.status} {bad.reply.body[:30]!r}")
def test_a_token_service_that_gives_no_token(bad: Bad) -> None:
    with Server(always(bad.reply)) as service:
        challenge = {"WWW-Authenticate": f'Bearer realm="http://{service.address}/token"'}
        with Server(always(Reply(401, challenge))) as server, pytest.raises(RegistryError) as caught:
            resolve(server.address, credentials={server.address: USER})
    assert caught.value.reason is bad.reason
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "realm", ["", "x", "/token", "ftp://x/", "file:///etc/passwd", "http://", "https://[", "http://[::1"]
)
def test_a_realm_that_is_no_url_is_the_documented_error(realm: str) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
    with Server(always(Reply(401, challenge))) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address)
    assert caught.value.reason is Reason.REGISTRY_INVALID


# Basic.


def _basic(asked: Asked) -> Reply:
    if asked.authorization == f"Basic {USER.basic()}":
        return manifest()
    return Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})


def test_a_password_is_sent_when_the_registry_asks_for_it() -> None:
    with Server(_basic) as server:
        asking = client(server.address, credentials={server.address: USER})
        assert asking.resolve(question(server.address)).digest == DIGEST
        assert [one.authorization is not None for one in server.asked] == [False, True, True]


def test_without_credentials_the_refusal_is_not_asked_for_twice() -> None:
    with Server(_basic) as server, pytest.raises(RegistryError, match="asked without credentials") as caught:
        resolve(server.address)
    assert caught.value.reason is Reason.AUTH_REQUIRED
    assert len(server.asked) == 1


def test_a_wrong_password_is_sent_once() -> None:
    with Server(always(Reply(401, {"WWW-Authenticate": "Basic"}))) as server:
        with pytest.raises(RegistryError, match="the credentials are not accepted"):
            resolve(server.address, credentials={server.address: USER})
        assert len(server.asked) == 2


@pytest.mark.parametrize("header", [None, "", "Negotiate", "Digest realm=x", "=", "\u00e4"])
def test_a_challenge_that_cannot_be_answered_is_a_refusal(header: str | None) -> None:
    headers = {} if header is None else {"WWW-Authenticate": header}
    with Server(always(Reply(401, headers))) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address, credentials={server.address: USER})
    assert caught.value.reason is Reason.AUTH_REQUIRED
    assert [one.authorization for one in server.asked] == [None]


def test_a_netrc_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any) -> None:
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n", encoding="utf-8")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Server(always(manifest())) as server:
        resolve(server.address)
        assert [one.authorization for one in server.asked] == [None, None]


def test_no_secret_is_logged_or_printed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with _serve(Issuer()) as server:
        asking = client(server.address, credentials={server.address: USER}, tls=TlsOptions())
        asking.resolve(question(server.address))
        shown = [caplog.text, repr(asking), repr(asking._credentials), repr(asking.usage())]
    assert not [text for text in shown if SECRET in text or USER.basic() in text]
