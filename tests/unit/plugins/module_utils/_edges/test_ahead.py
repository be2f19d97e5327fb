# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections opened ahead: as many as announced, to one place, and never one that is of no use."""

from __future__ import annotations

import os
import pathlib
import socket
import ssl
import threading
import time
import typing as t

import pytest
import trustme

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.ahead import Ahead, begun, place_of
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.registry import RegistryClient
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    Server,
    always,
    client,
    free_port,
    manifest,
    question,
)


class Listener:
    """A port that takes connections, and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.place: tuple[str, int] = self._socket.getsockname()
        self.accepted: list[socket.socket] = []

    def connect(self) -> socket.socket:
        return socket.create_connection(self.place)

    def accept(self, count: int) -> None:
        self._socket.settimeout(5)
        self.accepted += [self._socket.accept()[0] for _number in range(count)]

    def waiting(self) -> bool:
        """Whether anybody else wants in."""
        self._socket.settimeout(0.1)
        try:
            self.accepted.append(self._socket.accept()[0])
        except socket.timeout:
            return False
        return True

    def stop(self) -> None:
        self._socket.close()

    def close(self) -> None:
        for one in (*self.accepted, self._socket):
            one.close()


@pytest.fixture(name="listener")
def _listener() -> t.Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def test_the_others_are_opened_when_the_first_one_stands(listener: Listener) -> None:
    ahead = Ahead(3)
    assert ahead.take(listener.place, 5.0) is None
    with listener.connect() as first:
        ahead.follow(listener.place, first)
        listener.accept(4)
        assert not listener.waiting()
        taken = [ahead.take(listener.place, 5.0) for _number in range(4)]
        assert [one is not None for one in taken] == [True, True, True, False]
        for number, one in enumerate(filter(None, taken)):
            assert one.gettimeout() == 5.0
            one.sendall(b"%d" % number)
            one.close()
        assert sorted(one.recv(9) for one in listener.accepted[1:]) == [b"0", b"1", b"2"]


def test_only_the_first_place_is_connected_ahead(listener: Listener) -> None:
    """A token service, or where a redirect leads, is asked by few."""
    ahead = Ahead(1)
    with Server(always(manifest())) as other, listener.connect() as first:
        ahead.follow(listener.place, first)
        host, _colon, port = other.address.partition(":")
        with socket.create_connection((host, int(port))) as second:
            ahead.follow((host, int(port)), second)
        assert ahead.take((host, int(port)), 5.0) is None
        taken = ahead.take(listener.place, 5.0)
        assert taken is not None
        taken.close()


def test_what_the_peer_has_closed_is_not_used(listener: Listener) -> None:
    ahead = Ahead(1)
    with listener.connect() as first:
        ahead.follow(listener.place, first)
        listener.accept(2)
        listener.accepted[1].close()
        assert ahead.take(listener.place, 5.0) is None


def test_a_place_that_went_away_is_not_used(listener: Listener) -> None:
    ahead = Ahead(2)
    with listener.connect() as first:
        listener.accept(1)
        listener.stop()
        ahead.follow(listener.place, first)
        assert ahead.take(listener.place, 5.0) is None
        assert ahead.take(listener.place, 5.0) is None


def test_what_nobody_took_is_closed(listener: Listener) -> None:
    ahead = Ahead(1)
    with listener.connect() as first:
        ahead.follow(listener.place, first)
        listener.accept(2)
        del ahead
        listener.accepted[1].settimeout(5)
        assert listener.accepted[1].recv(1) == b""


@pytest.mark.parametrize(("width", "connections"), [(1, 2), (4, 5)])
def test_a_client_connects_once_for_each_thread_and_once_to_find_the_scheme(width: int, connections: int) -> None:
    everybody = threading.Barrier(width)

    def answer(*_asked: t.Any) -> t.Any:
        if len(server.asked) > 1:  # All but the first one are asked at the same time.
            everybody.wait(5)
        return manifest()

    with Server(answer) as server:
        asking = client(server.address, width=width)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        threads = [
            threading.Thread(target=asking.resolve, args=(question(server.address, DIGEST, tag=str(number)),))
            for number in range(width)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(server.asked) == 1 + width
        assert server.connections == connections


# A client that knocks: it connects before it is asked.


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture(name="authority", scope="module")
def _authority() -> trustme.CA:
    return trustme.CA()


def _tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def _knocked(asking: RegistryClient, address: str) -> RegistryClient:
    asking.knock([question(address).reference, question(address, repository="team/other").reference])
    return asking


def _requests(asking: RegistryClient) -> int:
    return sum(one.requests for one in asking.usage())


def test_knocking_finds_that_an_insecure_registry_speaks_no_tls() -> None:
    with Server(always(manifest())) as server:
        asking = _knocked(client(server.address, width=1), server.address)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert server.methods == ["HEAD"]
        assert server.connections == 2, "one for TLS, and one that was opened beside it"
        assert _requests(asking) == 1, "the attempt by HTTPS was no request"


def test_knocking_asks_nothing() -> None:
    with Server(always(manifest())) as server:
        asking = _knocked(client(server.address, width=3), server.address)
        deadline = time.monotonic() + 5
        while server.connections < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (server.connections, server.asked, _requests(asking)) == (4, [], 0)


def test_an_insecure_registry_that_speaks_tls_is_asked_by_it(authority: trustme.CA) -> None:
    with Server(always(manifest()), _tls(authority)) as server:
        asking = _knocked(client(server.address), server.address)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert server.methods == ["HEAD"]


def test_a_secure_registry_is_asked_on_the_connection_that_knocking_made(
    authority: trustme.CA, tmp_path: pathlib.Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    with Server(always(manifest()), _tls(authority)) as server:
        asking = client(server.address, insecure=False, tls=TlsOptions(ca_path=str(tmp_path / "ca.crt")), width=1)
        _knocked(asking, server.address)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert (server.methods, server.connections) == (["HEAD"], 1)


def test_a_secure_registry_is_not_asked_in_clear_text_after_knocking() -> None:
    with Server(always(manifest())) as server:
        asking = _knocked(client(server.address, insecure=False), server.address)
        with pytest.raises(RegistryError, match="TLS"):
            asking.resolve(question(server.address, DIGEST))
        assert server.asked == []


def test_a_registry_that_is_not_there_is_told_by_the_question() -> None:
    address = f"127.0.0.1:{free_port()}"
    asking = _knocked(client(address), address)
    with pytest.raises(RegistryError, match=r"cannot be reached: .*refused"):
        asking.resolve(question(address))


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_behind_a_proxy_nobody_knocks(monkeypatch: pytest.MonkeyPatch, listener: Listener, name: str) -> None:
    monkeypatch.setenv(name, "http://proxy.invalid:3128")
    _knocked(client("{}:{}".format(*listener.place)), "{}:{}".format(*listener.place))
    assert not listener.waiting()


def test_a_blocked_registry_is_not_knocked_at(listener: Listener) -> None:
    address = "{}:{}".format(*listener.place)
    blocked = {"Prefix": address, "Location": address, "Blocked": True, "Insecure": True}
    _knocked(client(extra={address: blocked}), address)
    assert not listener.waiting()


def test_a_host_that_accepts_and_says_nothing_delays_the_question_by_no_more_than_a_moment(listener: Listener) -> None:
    address = "{}:{}".format(*listener.place)
    asking = _knocked(client(address, timeout=0.25), address)
    started = time.monotonic()
    with pytest.raises(RegistryError, match="did not answer within"):
        asking.resolve(question(address))
    assert time.monotonic() - started < 20


# Connections that are begun before it is known how the registry wants to be asked.


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("quay.io", ("quay.io", 443)),
        ("quay.io:5000", ("quay.io", 5000)),
        ("[2001:db8::1]:5000", ("2001:db8::1", 5000)),
    ],
)
def test_where_a_registry_is_connected_to(host: str, place: tuple[str, int]) -> None:
    assert place_of(host) == place


def _connected(server: Server, count: int) -> bool:
    """Whether so many connections have come, and no more; the server notes one a moment after it stands."""
    deadline = time.monotonic() + 5
    while server.connections < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.connections == count


def test_what_was_begun_serves_an_insecure_registry() -> None:
    with Server(always(manifest())) as server:
        early = begun([server.address], 2)
        assert _connected(server, 2)
        assert server.asked == [], "before anybody knocked"
        asking = _knocked(client(server.address, width=2, begun=early), server.address)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert server.methods == ["HEAD"]
        assert _connected(server, 3), "one for TLS, and one for each thread"


def test_what_was_begun_serves_a_secure_registry(authority: trustme.CA, tmp_path: pathlib.Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    with Server(always(manifest()), _tls(authority)) as server:
        early = begun([server.address], 1)
        options = TlsOptions(ca_path=str(tmp_path / "ca.crt"))
        asking = client(server.address, insecure=False, tls=options, width=1, begun=early)
        _knocked(asking, server.address)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert (server.methods, server.connections) == (["HEAD"], 1)


def test_what_was_begun_in_vain_is_told_by_the_question() -> None:
    address = f"127.0.0.1:{free_port()}"
    asking = _knocked(client(address, begun=begun([address], 2)), address)
    with pytest.raises(RegistryError, match=r"cannot be reached: .*refused"):
        asking.resolve(question(address))


def test_what_was_begun_and_never_asked_is_closed(listener: Listener) -> None:
    early = begun(["{}:{}".format(*listener.place)], 2)
    listener.accept(2)
    early.clear()
    for one in listener.accepted:
        one.settimeout(5)
        assert one.recv(1) == b""


def test_behind_a_proxy_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, listener: Listener) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    assert begun(["{}:{}".format(*listener.place)], 2) == {}
    assert not listener.waiting()


def test_a_name_that_is_no_host_is_left_to_the_question() -> None:
    assert begun(["quay.io:notaport", "[::1"], 2) == {}
