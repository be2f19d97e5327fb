# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to a registry: bounded in everything, and credentials stay where they belong."""

from __future__ import annotations

import concurrent.futures
import time
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import (
    TlsOptions,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    USER,
    Asked,
    Reply,
    Server,
    always,
    ask_plainly,
    client,
    free_port,
    manifest,
    question,
    raw_server,
    resolve,
)

_BASIC = {"WWW-Authenticate": 'Basic realm="x"'}


# The scheme.


def test_an_insecure_registry_may_speak_plain_http() -> None:
    with Server(always(manifest())) as server:
        assert resolve(server.address, DIGEST).digest == DIGEST


@pytest.mark.parametrize("tls", [TlsOptions(), TlsOptions(verify=True)])
def test_any_other_registry_is_never_asked_in_plain_http(tls: TlsOptions) -> None:
    with Server(always(manifest())) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address, DIGEST, insecure=tls.verify is True, tls=tls)
    assert caught.value.reason is Reason.TLS
    assert server.asked == []


def test_the_task_may_declare_a_registry_insecure() -> None:
    with Server(always(manifest())) as server:
        assert resolve(server.address, DIGEST, insecure=False, tls=TlsOptions(verify=False)).digest == DIGEST


def test_the_scheme_is_found_once() -> None:
    with Server(always(manifest())) as server:
        asking = client(server.address)
        for _time in range(3):
            asking.resolve(question(server.address, DIGEST))
        assert asking.usage()[0].requests == 4


# Redirects.


def _redirect(location: str, status: int = 307) -> Reply:
    return Reply(status, {"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    def answer(asked: Asked) -> Reply:
        return manifest() if asked.path == "/elsewhere" else _redirect("/elsewhere", status)

    with Server(answer) as server:
        assert resolve(server.address, DIGEST).digest == DIGEST
        assert [one.path for one in server.asked] == ["/v2/team/app/manifests/1", "/elsewhere"]


def test_redirects_are_bounded() -> None:
    with Server(lambda asked: _redirect(asked.path + "x")) as server:
        with pytest.raises(RegistryError, match="redirects more than 5 times") as caught:
            resolve(server.address)
        assert caught.value.reason is Reason.REGISTRY_INVALID
        assert len(server.asked) == 6


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "javascript:x",
        "//",
        "http://[",
        "http://[::1",
        "https://a:b/",
        "http://\u00e4\u2024/",
        "http:///x",
        "http://.x/",
        "http://127.0.0.1:99999/",
    ],
)
def test_a_redirect_to_anything_else_is_the_documented_error(location: str) -> None:
    raw = location.encode("utf-8").decode("latin-1")
    with Server(always(_redirect(raw))) as server, pytest.raises(RegistryError):
        resolve(server.address, timeout=1)


def test_credentials_stay_at_the_host_that_they_are_for() -> None:
    with Server(always(manifest())) as other:

        def answer(asked: Asked) -> Reply:
            if not asked.authorization:
                return Reply(401, _BASIC)
            return _redirect(f"http://{other.address}{asked.path}")

        with Server(answer) as server:
            assert resolve(server.address, DIGEST, credentials={server.address: USER}).digest == DIGEST
            assert server.asked[-1].authorization == f"Basic {USER.basic()}"
        assert [one.authorization for one in other.asked] == [None]


def test_credentials_stay_with_a_redirect_on_the_same_host() -> None:
    def answer(asked: Asked) -> Reply:
        if not asked.authorization:
            return Reply(401, _BASIC)
        return manifest() if asked.path == "/elsewhere" else _redirect("/elsewhere")

    with Server(answer) as server:
        resolve(server.address, DIGEST, credentials={server.address: USER})
        assert server.asked[-1].authorization == f"Basic {USER.basic()}"


# Time.


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_is_not_ready_is_asked_again(status: int) -> None:
    replies = iter([Reply(status), manifest()])
    with Server(lambda _asked: next(replies)) as server:
        asking = client(server.address)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert asking.usage()[0].retries == 1


def test_a_gateway_that_never_is_ready_is_unreachable() -> None:
    with Server(always(Reply(503))) as server, pytest.raises(RegistryError, match="answers 503") as caught:
        resolve(server.address)
    assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
    assert server.methods == ["HEAD"] * 3


def _hang(connection: t.Any) -> None:
    while connection.recv(65536):
        pass


def _drip_headers(connection: t.Any) -> None:
    connection.recv(65536)
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


@pytest.mark.parametrize("script", [_hang, _drip_headers])
def test_a_peer_that_never_finishes_is_given_up_after_the_timeout(script: t.Callable[[t.Any], None]) -> None:
    """Plain HTTP is asked directly: a client that finds the scheme first would wait for the TLS handshake too."""
    with raw_server(script) as (address, _seen):
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            ask_plainly(address, timeout=0.5)
        assert time.monotonic() - started < 20
    assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
    assert "did not answer within" in str(caught.value)


def test_a_body_that_drips_is_given_up_after_the_timeout() -> None:
    with Server(always(Reply(200, {}, b"x" * 1000, drip=0.1))) as server:
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            ask_plainly(server.address, timeout=1)
        assert time.monotonic() - started < 20
        assert len(server.asked) == 1, "what is slow is not made quicker by asking again"
    assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
    assert "did not answer within" in str(caught.value)


# A host that is not there.


def test_a_host_that_is_down_is_knocked_at_once_for_all_questions() -> None:
    address = f"127.0.0.1:{free_port()}"
    asking = client(address)

    def ask(number: int) -> Reason:
        with pytest.raises(RegistryError) as caught:
            asking.resolve(question(address, repository=f"team/app{number}"))
        return caught.value.reason

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(8))) == {Reason.REGISTRY_UNREACHABLE}
    (usage,) = asking.usage()
    assert (usage.requests, usage.reason) == (2, "registry_unreachable"), "once in HTTPS, once in plain HTTP"


def test_what_one_repository_is_refused_says_nothing_of_the_others() -> None:
    with Server(lambda asked: Reply(404) if "/app0/" in asked.path else manifest()) as server:
        asking = client(server.address)
        with pytest.raises(RegistryError):
            asking.resolve(question(server.address, repository="team/app0"))
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
