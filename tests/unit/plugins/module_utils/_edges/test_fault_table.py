# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault table: whatever goes wrong with a registry, a question ends in time, with its reason, and tells no secret."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import json
import logging
import pathlib
import socket
import ssl
import struct
import threading
import time
import tracemalloc
import typing as t
from dataclasses import dataclass, field

import pytest
import trustme

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import manifests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    MANIFEST,
    SECRET,
    USER,
    Answering,
    Asked,
    Reply,
    Server,
    always,
    client,
    free_port,
    manifest,
    question,
    raw_server,
)

_IDENTITY = Credential("someone", SECRET, f"refresh-{SECRET}")
_BASIC = {"WWW-Authenticate": "Basic realm=x"}
_OTHER = "sha256:" + "0f" * 32
#: Of one request, in seconds; where the fault is that the answer never ends.
_TIMEOUT, _SHORT = 3.0, 0.5
_SLOW = ("slow drip", "slow drip of the TLS handshake")


@dataclass(frozen=True)
class Place:
    """Where the faulty registry is, and how it is asked."""

    address: str
    more: t.Mapping[str, t.Any] = field(default_factory=dict)


Making = t.Callable[[pathlib.Path], t.ContextManager[Place]]


class Fault(t.NamedTuple):
    """One line of the table: what is wrong, a place where it is, and what a question must say."""

    what: str
    place: Making
    reason: Reason
    said: str = ""


def _http(answer: Answering | Reply, **more: t.Any) -> Making:
    """A registry that answers like this; C(more) is how the client asks."""

    @contextlib.contextmanager
    def place(_folder: pathlib.Path) -> t.Iterator[Place]:
        with Server(always(answer) if isinstance(answer, Reply) else answer) as server:
            yield Place(server.address, more)
            assert not [one for one in server.asked if one.method == "HEAD" and one.body]

    return place


def _on_get(reply: Reply) -> Making:
    """The tag is told; what goes wrong is the body."""
    return _http(lambda asked: manifest() if asked.method == "HEAD" else reply)


@contextlib.contextmanager
def _refused(_folder: pathlib.Path) -> t.Iterator[Place]:
    yield Place(f"127.0.0.1:{free_port()}")


@contextlib.contextmanager
def _reset_in_the_body(_folder: pathlib.Path) -> t.Iterator[Place]:
    head = f"HTTP/1.1 200 OK\r\nDocker-Content-Digest: {DIGEST}\r\nContent-Length: {len(MANIFEST)}\r\n\r\n".encode()

    def script(connection: socket.socket) -> None:
        while asked := connection.recv(65536):
            if asked.startswith(b"HEAD"):
                connection.sendall(head)
                continue
            if asked.startswith(b"GET"):
                connection.sendall(head + MANIFEST[:20])
                time.sleep(0.02)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return

    with raw_server(script) as (address, _seen):
        yield Place(address)


def _tls(name: str = "127.0.0.1", *, trusted: bool = True, days: int = 30) -> Making:
    """A registry with a certificate for a name, which ends in some days."""

    @contextlib.contextmanager
    def place(folder: pathlib.Path) -> t.Iterator[Place]:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        now = dt.datetime.now(dt.timezone.utc)
        authority.issue_cert(
            name, not_before=now - dt.timedelta(days=60), not_after=now + dt.timedelta(days=days)
        ).configure_cert(context)
        with Server(always(manifest()), context) as server:
            options = TlsOptions(ca_path=str(folder / "ca.crt") if trusted else None)
            yield Place(server.address, {"insecure": False, "tls": options})
            assert server.asked == []

    return place


@contextlib.contextmanager
def _handshake_drips(_folder: pathlib.Path) -> t.Iterator[Place]:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 200:
            connection.sendall(bytes([byte]))
            time.sleep(0.3)

    with raw_server(script) as (address, _seen):
        yield Place(address, {"insecure": False})


@contextlib.contextmanager
def _leads_to_another_host(_folder: pathlib.Path) -> t.Iterator[Place]:
    """The registry takes the password, and sends its bearer to somebody who would like to have it."""

    def thief(asked: Asked) -> Reply:
        realm = f'Bearer realm="http://{other.address}/token"'
        return Reply(200, {}, b'{"token": "t"}') if "/token" in asked.path else Reply(401, {"WWW-Authenticate": realm})

    with Server(thief) as other:

        def answer(asked: Asked) -> Reply:
            if asked.authorization:
                return Reply(307, {"Location": f"http://{other.address}{asked.path}"})
            return Reply(401, _BASIC)

        with Server(answer) as server:
            yield Place(server.address)
        assert not [one for one in other.asked if one.authorization or SECRET in repr(one) or one.body]


@contextlib.contextmanager
def _always_leads_to_another_host(_folder: pathlib.Path) -> t.Iterator[Place]:
    """The same from the first request on."""

    def thief(asked: Asked) -> Reply:
        realm = f'Bearer realm="http://{other.address}/token"'
        return Reply(200, {}, b'{"token": "t"}') if "/token" in asked.path else Reply(401, {"WWW-Authenticate": realm})

    with Server(thief) as other:
        with Server(lambda asked: Reply(307, {"Location": f"http://{other.address}{asked.path}"})) as server:
            yield Place(server.address)
        assert [one.method for one in other.asked] == ["HEAD"]
        assert not [one for one in other.asked if one.authorization or SECRET in repr(one)]


def _token_service(answer: Answering | None, refusal: Reply | None = None) -> Making:
    """A registry whose token service answers like this, or is not there; with a token it refuses or tells a manifest."""

    @contextlib.contextmanager
    def place(_folder: pathlib.Path) -> t.Iterator[Place]:
        with contextlib.ExitStack() as stack:
            service = stack.enter_context(Server(answer)).address if answer else f"127.0.0.1:{free_port()}"
            challenge = {"WWW-Authenticate": f'Bearer realm="http://{service}/token"'}

            def registry(asked: Asked) -> Reply:
                return (refusal or manifest()) if asked.authorization else Reply(401, challenge)

            yield Place(stack.enter_context(Server(registry)).address)

    return place


class _Expiring:
    """A token opens one request, and the service gives no second one."""

    def __init__(self) -> None:
        self.given = 0
        self.opened = 0
        self.challenge = ""

    def token(self, _asked: Asked) -> Reply:
        self.given += 1
        return Reply(200, {}, b'{"token": "t"}') if self.given == 1 else Reply(403)

    def registry(self, _asked: Asked) -> Reply:
        self.opened += 1
        return manifest() if self.opened == 1 else Reply(401, {"WWW-Authenticate": self.challenge})


@contextlib.contextmanager
def _token_expires(_folder: pathlib.Path) -> t.Iterator[Place]:
    expiring = _Expiring()
    with Server(expiring.token) as service:
        expiring.challenge = f'Bearer realm="http://{service.address}/token",error="invalid_token"'

        def registry(asked: Asked) -> Reply:
            first = Reply(401, {"WWW-Authenticate": expiring.challenge})
            return expiring.registry(asked) if asked.authorization else first

        with Server(registry) as server:
            yield Place(server.address)
        assert expiring.given == 2


def _errors(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "no", "detail": {"Tag": "1"}}]}).encode()


def _consistent(body: bytes) -> Reply:
    """A body that is none of ours, with its true digest."""
    return manifest(body, manifests.digest_of(body))


_BOMB = gzip.compress(b" " * (64 * 1024 * 1024))
_HUB = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600"}
_BIG = b" " * (4 * 1024 * 1024 + 1)
_HTML = Reply(200, {"Content-Type": "text/html"}, b"<html><body>Log in to the hotel's network</body></html>")

_FAULTS = [
    Fault("connection refused", _refused, Reason.REGISTRY_UNREACHABLE, "cannot be reached"),
    Fault("reset in the middle of the body", _reset_in_the_body, Reason.REGISTRY_UNREACHABLE, "cannot be reached"),
    Fault(
        "slow drip", _on_get(Reply(200, {}, MANIFEST, drip=0.3)), Reason.REGISTRY_UNREACHABLE, "did not answer within"
    ),
    Fault("slow drip of the TLS handshake", _handshake_drips, Reason.REGISTRY_UNREACHABLE, "did not answer within"),
    Fault("TLS: wrong name", _tls("elsewhere.example.com"), Reason.TLS, "127.0.0.1"),
    Fault("TLS: expired", _tls(days=-1), Reason.TLS, "expired"),
    Fault("TLS: unknown CA", _tls(trusted=False), Reason.TLS, "certificate verify failed"),
    Fault(
        "401 without credentials",
        _http(Reply(401, _BASIC), credentials={}),
        Reason.AUTH_REQUIRED,
        "without credentials",
    ),
    Fault("401 with credentials", _http(Reply(401, _BASIC)), Reason.AUTH_REQUIRED, "the credentials are not accepted"),
    Fault("401 without a challenge", _http(Reply(401)), Reason.AUTH_REQUIRED, "answers 401"),
    Fault(
        "401 with a token",
        _token_service(always(Reply(200, {}, b'{"token": "t"}')), Reply(401)),
        Reason.AUTH_REQUIRED,
    ),
    Fault("403", _http(Reply(403, {}, _errors("DENIED"))), Reason.AUTH_REQUIRED, "answers 403"),
    Fault("404: name unknown", _http(Reply(404, {}, _errors("NAME_UNKNOWN"))), Reason.NOT_FOUND, "answers 404"),
    Fault(
        "404: manifest unknown", _on_get(Reply(404, {}, _errors("MANIFEST_UNKNOWN"))), Reason.NOT_FOUND, "answers 404"
    ),
    Fault("405 on HEAD, and on GET too", _http(Reply(405)), Reason.REGISTRY_INVALID, "answers 405"),
    Fault(
        "429: quota used up",
        _http(Reply(429, _HUB)),
        Reason.RATE_LIMITED,
        "its quota of 100 requests in 21600 s is used up",
    ),
    Fault("429: asked too fast", _http(Reply(429, {"Retry-After": "0.001"})), Reason.RATE_LIMITED, "asked too often"),
    Fault("500", _http(Reply(500)), Reason.REGISTRY_UNREACHABLE, "answers 500"),
    Fault("503", _http(Reply(503)), Reason.REGISTRY_UNREACHABLE, "answers 503"),
    Fault("HTML with 200", _http(_HTML), Reason.REGISTRY_INVALID, "not JSON"),
    Fault(
        "wrong digest in the header",
        _http(manifest(digest=_OTHER)),
        Reason.REGISTRY_INVALID,
        "does not have the digest",
    ),
    Fault(
        "no digest, and a wrong one with the body",
        _http(lambda asked: manifest(digest="" if asked.method == "HEAD" else _OTHER)),
        Reason.REGISTRY_INVALID,
        "does not have the digest",
    ),
    Fault("tampered body", _on_get(manifest(MANIFEST + b" ")), Reason.REGISTRY_INVALID, "does not have the digest"),
    Fault("truncated JSON", _http(_consistent(MANIFEST[:40])), Reason.REGISTRY_INVALID, "not JSON"),
    Fault("body cut short", _on_get(Reply(200, {}, MANIFEST[:40], length=len(MANIFEST))), Reason.REGISTRY_UNREACHABLE),
    Fault("oversize body", _on_get(Reply(200, {}, _BIG)), Reason.REGISTRY_INVALID, "more than 4194304 bytes"),
    Fault("schema 1", _http(_consistent(b'{"schemaVersion": 1, "fsLayers": []}')), Reason.REGISTRY_INVALID, "schema 1"),
    Fault(
        "redirect loop",
        _http(lambda asked: Reply(307, {"Location": asked.path})),
        Reason.REGISTRY_INVALID,
        "redirects more than",
    ),
    Fault("redirect to another host", _leads_to_another_host, Reason.AUTH_REQUIRED, "answers 401"),
    Fault("redirect to a thief", _always_leads_to_another_host, Reason.AUTH_REQUIRED, "answers 401"),
    Fault("token service down", _token_service(None), Reason.REGISTRY_UNREACHABLE, "cannot be reached"),
    Fault("token service broken", _token_service(always(Reply(502))), Reason.REGISTRY_UNREACHABLE, "the token service"),
    Fault("token service in HTML", _token_service(always(_HTML)), Reason.REGISTRY_INVALID, "gave no token"),
    Fault("token service refuses", _token_service(always(Reply(401))), Reason.AUTH_REQUIRED, "the token service"),
    Fault("token expired in the middle", _token_expires, Reason.AUTH_REQUIRED, "the token service"),
    Fault(
        "gzip bomb",
        _on_get(Reply(200, {"Content-Encoding": "gzip"}, _BOMB)),
        Reason.REGISTRY_INVALID,
        "compressed its answer",
    ),
    Fault("gzip bomb, unannounced", _http(_consistent(_BOMB)), Reason.REGISTRY_INVALID, "not JSON"),
]


def _everything_of(error: BaseException | None) -> str:
    """All that a log, a traceback or a result could show of an error."""
    shown = []
    while error is not None:
        shown += [str(error), repr(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return " ".join(shown)


@pytest.mark.parametrize("credential", [USER, _IDENTITY], ids=["password", "identity token"])
@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: fault.what)
def test_a_fault_ends_in_time_with_its_reason_and_without_a_secret(
    fault: Fault, credential: Credential, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    threads = threading.active_count()
    timeout = _SHORT if fault.what in _SLOW else _TIMEOUT
    with fault.place(tmp_path) as place:
        more = {"credentials": {place.address: credential}, **place.more}
        asking = client(place.address, timeout=timeout, **more)
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            asking.resolve(question(place.address))
        assert time.monotonic() - started < 4 * timeout + 10
        usage = asking.usage()
    assert isinstance(caught.value.reason, Reason)
    if credential is USER or fault.reason is not Reason.AUTH_REQUIRED:
        assert caught.value.reason is fault.reason
        assert fault.said in str(caught.value)
    assert len(str(caught.value)) < 500
    shown = _everything_of(caught.value) + caplog.text + repr(asking) + repr(usage) + repr(vars(asking))
    assert not [one for one in (SECRET, USER.basic(), credential.basic()) if one in shown]
    assert usage[0].requests > 0
    assert threading.active_count() <= threads + 8, "no thread waits for ever"


def test_a_bomb_is_not_unpacked() -> None:
    assert len(_BOMB) < 100_000
    with Server(
        lambda asked: manifest() if asked.method == "HEAD" else Reply(200, {"Content-Encoding": "gzip"}, _BOMB)
    ) as server:
        asking = client(server.address)
        tracemalloc.start()
        with pytest.raises(RegistryError):
            asking.resolve(question(server.address))
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 8 * 1024 * 1024


def test_a_host_that_goes_away_in_the_middle_is_given_up_after_three_questions() -> None:
    answered = threading.Event()
    told = f"HTTP/1.1 200 OK\r\nDocker-Content-Digest: {DIGEST}\r\nContent-Length: 0\r\n\r\n".encode()

    def script(connection: socket.socket) -> None:
        while connection.recv(65536).startswith(b"HEAD"):
            if answered.is_set():
                time.sleep(10)
                return
            answered.set()
            connection.sendall(told)

    with raw_server(script) as (address, _seen):
        asking = client(address, timeout=0.5, width=1)
        assert asking.resolve(question(address, DIGEST)).digest == DIGEST
        for number in range(6):
            with pytest.raises(RegistryError) as caught:
                asking.resolve(question(address, DIGEST, repository=f"team/app{number}"))
            assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
        usage = asking.usage()[0]
    assert usage.reason == "registry_unreachable"
    assert usage.requests == 5, "one for HTTPS, one that was answered, three that were not"
