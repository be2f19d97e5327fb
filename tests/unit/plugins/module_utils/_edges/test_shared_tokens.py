# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One token for all repositories of a registry where its service grants that, and one each where it does not."""

from __future__ import annotations

import concurrent.futures
import json
import re
import time
import typing as t
import urllib.parse

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.registry import RegistryClient
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.tokens import Authorizer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    SECRET,
    USER,
    Asked,
    Reply,
    Server,
    client,
    free_port,
    manifest,
    question,
)

_REFRESH = "refr3sh-t0ken"
_IDENTITY = Credential("someone", "", _REFRESH)
_NAME = re.compile(r"repository:(\S+):pull")


class Service:
    """A token service and the registry behind it.

    C(grant) turns the repositories that were asked for into those that a token opens, None where it gives none at all;
    C(unopened) is what the registry answers where a token does not open a repository. C(error) is what a challenge says
    of a token that was sent.
    """

    def __init__(
        self,
        grant: t.Callable[[list[str]], list[str] | None] = lambda asked: asked,
        *,
        unopened: int = 401,
        error: str | None = "insufficient_scope",
        missing: tuple[str, ...] = (),
    ) -> None:
        self.address = ""
        self.given: list[list[str]] = []
        self.forms: list[dict[str, list[str]]] = []
        self.revoked: set[str] = set()
        self._grant = grant
        self._unopened = unopened
        self._error = error
        self._missing = missing
        self._opens: dict[str, list[str]] = {}

    def __call__(self, asked: Asked) -> Reply:
        return self._token(asked) if asked.path.startswith("/token") else self._manifest(asked)

    def _token(self, asked: Asked) -> Reply:
        text = asked.body.decode() if asked.method == "POST" else urllib.parse.urlsplit(asked.path).query
        form = urllib.parse.parse_qs(text)
        names = _NAME.findall(" ".join(form["scope"]))
        self.forms.append(form)
        self.given.append(names)
        granted = self._grant(names)
        if granted is None:
            return Reply(403, {}, b'{"errors": [{"code": "DENIED"}]}')
        token = f"token-{len(self.given)}"
        self._opens[token] = granted
        return Reply(200, {}, json.dumps({"access_token": token, "expires_in": 300}).encode())

    def _manifest(self, asked: Asked) -> Reply:
        token = (asked.authorization or "").partition("Bearer ")[2]
        name = asked.path[4:].partition("/manifests/")[0]
        if token in self.revoked:
            return self._challenge(401, "invalid_token")
        if name in self._opens.get(token, []):
            return Reply(404) if name in self._missing else manifest()
        return self._challenge(self._unopened if token else 401, self._error if token else None)

    def _challenge(self, status: int, error: str | None) -> Reply:
        said = f',error="{error}"' if error else ""
        realm = f'Bearer realm="http://{self.address}/token",service="the registry"{said}'
        return Reply(status, {"WWW-Authenticate": realm} if status == 401 else {})


def _serve(service: Service) -> Server:
    server = Server(service)
    service.address = server.address
    return server


def _ask_all(server: Server, names: t.Sequence[str], asking: RegistryClient | None = None, threads: int = 4) -> None:
    """Tell all questions, and ask them side by side."""
    asking = asking or client(server.address)
    questions = [question(server.address, DIGEST, repository=name) for name in names]
    asking.prepare(questions)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        assert [one.digest for one in pool.map(asking.resolve, questions)] == [DIGEST] * len(names)


_NAMES = [f"team/app{number}" for number in range(8)]


def test_all_repositories_cost_two_requests_more_than_their_heads() -> None:
    service = Service()
    with _serve(service) as server:
        _ask_all(server, _NAMES)
        heads = [one for one in server.asked if one.method == "HEAD"]
    assert [sorted(one) for one in service.given] == [sorted(_NAMES)]
    assert len(heads) == len(_NAMES) + 1, "one of them met the challenge"


def test_who_waited_for_the_first_answer_does_not_meet_the_challenge_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = Authorizer.again

    def late(*args: t.Any) -> str | None:
        time.sleep(0.05)
        return answering(*args)

    monkeypatch.setattr(Authorizer, "again", late)
    service = Service()
    with _serve(service) as server:
        _ask_all(server, _NAMES)
        assert sum(one.method == "HEAD" for one in server.asked) == len(_NAMES) + 1


def test_without_being_told_beforehand_everything_is_answered_too() -> None:
    service = Service()
    with _serve(service) as server:
        asking = client(server.address)
        for name in _NAMES[:3]:
            assert asking.resolve(question(server.address, DIGEST, repository=name)).digest == DIGEST
    assert [len(one) for one in service.given] == [1, 1, 1]


class Narrow(t.NamedTuple):
    """A service, or a registry, that has no use for a token for many."""

    what: str
    grant: t.Callable[[list[str]], list[str] | None]
    unopened: int = 401
    error: str | None = "insufficient_scope"


_NARROW = [
    Narrow("the service refuses many", lambda asked: asked if len(asked) == 1 else None),
    Narrow("the service grants the last one", lambda asked: asked[-1:]),
    Narrow("the service grants the first one, silently", lambda asked: asked[:1], error=None),
    Narrow("the service grants nothing of many", lambda asked: asked if len(asked) == 1 else []),
    Narrow("the registry takes it for a bad token", lambda asked: asked[:1], error="invalid_token"),
    Narrow("the registry forbids", lambda asked: asked[:1], unopened=403),
    Narrow("the registry hides what is not opened", lambda asked: asked[:1], unopened=404),
    Narrow("the token is too long for a header", lambda asked: asked[:1], unopened=431),
]


@pytest.mark.parametrize("narrow", _NARROW, ids=lambda narrow: narrow.what)
def test_where_many_are_not_granted_each_gets_its_own(narrow: Narrow) -> None:
    service = Service(narrow.grant, unopened=narrow.unopened, error=narrow.error)
    with _serve(service) as server:
        _ask_all(server, _NAMES, threads=1)
    shared = [one for one in service.given if len(one) > 1]
    assert len(shared) <= 2, "it is not tried again and again"
    assert len(service.given) <= len(_NAMES) + 2


def test_a_missing_image_does_not_spoil_the_token_of_the_others() -> None:
    service = Service(missing=("team/app0",))
    with _serve(service) as server:
        asking = client(server.address)
        questions = [question(server.address, DIGEST, repository=name) for name in _NAMES]
        asking.prepare(questions)
        with pytest.raises(RegistryError) as caught:
            asking.resolve(questions[0])
        for one in questions[1:]:
            asking.resolve(one)
    assert caught.value.reason is Reason.NOT_FOUND
    assert [len(one) for one in service.given] == [8, 1], "to be sure that it was not the token's fault"


def test_one_private_repository_costs_the_others_a_token_each_at_most() -> None:
    service = Service(lambda asked: None if "team/app0" in asked else asked)
    with _serve(service) as server:
        asking = client(server.address)
        questions = [question(server.address, DIGEST, repository=name) for name in _NAMES]
        asking.prepare(questions)
        with pytest.raises(RegistryError) as caught:
            asking.resolve(questions[0])
        for one in questions[1:]:
            assert asking.resolve(one).digest == DIGEST
    assert caught.value.reason is Reason.AUTH_REQUIRED
    assert len(service.given) <= 9


def test_a_common_token_that_ends_in_the_middle_of_the_run_is_renewed_once() -> None:
    service = Service()
    with _serve(service) as server:
        asking = client(server.address)
        questions = [question(server.address, DIGEST, repository=name) for name in _NAMES]
        asking.prepare(questions)
        asking.resolve(questions[0])
        service.revoked.add("token-1")
        for one in questions[1:]:
            assert asking.resolve(one).digest == DIGEST
    assert [len(one) for one in service.given] == [8, 8]


def test_other_credentials_get_another_token() -> None:
    service = Service()
    with _serve(service) as server:
        keys = {f"{server.address}/{name}": USER for name in _NAMES[:3]}
        _ask_all(server, _NAMES, client(server.address, credentials=keys))
        basic = [one for one in server.asked if one.path.startswith("/token") and one.authorization]
    assert sorted(sorted(one) for one in service.given) == sorted([_NAMES[:3], _NAMES[3:]])
    assert len(basic) == 1


# Identity tokens.


def test_an_identity_token_is_shown_to_the_service_alone_by_post() -> None:
    service = Service()
    with _serve(service) as server:
        _ask_all(server, _NAMES, client(server.address, credentials={server.address: _IDENTITY}))
        told = [one for one in server.asked if _REFRESH in f"{one.path} {one.headers} {one.body!r}"]
        assert [(one.method, one.path) for one in told] == [("POST", "/token")]
    (form,) = service.forms
    assert form["grant_type"] == ["refresh_token"]
    assert form["refresh_token"] == [_REFRESH]
    assert form["service"] == ["the registry"]


def test_an_identity_token_is_never_a_password() -> None:
    with Server(lambda _asked: Reply(401, {"WWW-Authenticate": "Basic realm=x"})) as server:
        with pytest.raises(RegistryError) as caught:
            client(server.address, credentials={server.address: _IDENTITY}).resolve(question(server.address))
        assert [one.authorization for one in server.asked] == [None]
    assert caught.value.reason is Reason.AUTH_REQUIRED


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_identity_token_follows_no_redirect(status: int) -> None:
    with Server(lambda _asked: Reply(200, {}, b'{"token": "x"}')) as other:

        def answer(asked: Asked) -> Reply:
            if asked.path.startswith("/token"):
                return Reply(status, {"Location": f"http://{other.address}/token"})
            return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{server.address}/token"'})

        with Server(answer) as server, pytest.raises(RegistryError) as caught:
            client(server.address, credentials={server.address: _IDENTITY}).resolve(question(server.address))
        assert other.asked == []
    assert _REFRESH not in str(caught.value)


# A service that is not there.


def test_a_token_service_that_is_down_is_asked_once() -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="http://127.0.0.1:{free_port()}/token"'}
    with Server(lambda _asked: Reply(401, challenge)) as server:
        asking = client(server.address, credentials={server.address: USER})
        questions = [question(server.address, DIGEST, repository=name) for name in _NAMES]
        asking.prepare(questions)
        for one in questions:
            with pytest.raises(RegistryError, match="cannot be reached") as caught:
                asking.resolve(one)
            assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
            assert SECRET not in str(caught.value)
        assert len(server.asked) == 1, "the others need no challenge to know"
        assert asking.usage()[0].requests == 3, "one for HTTPS, one for the registry, one for the service"


def test_a_token_service_that_is_broken_is_not_asked_for_each_repository() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(500)
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{server.address}/token"'})

    with Server(answer) as server:
        asking = client(server.address)
        questions = [question(server.address, DIGEST, repository=name) for name in _NAMES]
        asking.prepare(questions)
        for one in questions:
            with pytest.raises(RegistryError, match="answers 500") as caught:
                asking.resolve(one)
            assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
        assert len([one for one in server.asked if one.path.startswith("/token")]) == 2
