# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections opened ahead: as many as announced, to one place, and never one that is of no use."""

from __future__ import annotations

import socket
import threading
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.ahead import Ahead
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    Server,
    always,
    client,
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
