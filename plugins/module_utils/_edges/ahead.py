# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""TCP connections that are opened before they are needed: a connection costs a round trip that nobody has to wait for."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import typing as t
import urllib.parse

_Address = tuple[str, int]
_HTTPS_PORT = 443
#: How long a connection may still be under way when it is needed; after that its user makes one himself, in seconds.
_PATIENCE = 1.0
#: How long a host has for its first connection when there is no question yet, and again for TLS, in seconds.
KNOCK_SECONDS = 1.0

#: Most likely the connection's end, which may mean anything: only OpenSSL's plain error says that the peer speaks no TLS.
_NOT_ABOUT_TLS = (
    ssl.SSLCertVerificationError,
    ssl.SSLEOFError,
    ssl.SSLSyscallError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
    ssl.SSLZeroReturnError,
)


class Ahead:
    """Connections to the one place that was connected first, for the requests that follow the first one.

    They are opened side by side as soon as the first connection stands, which shows that there is somebody, and are
    ready when the first answer is: it took at least one round trip more. No byte is sent by them, so they serve
    whichever scheme the first request finds. C(find) makes the first one when it is known that requests will follow,
    and C(begin) before it is known how the place wants to be asked.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._place: _Address | None = None
        self._opened: list[socket.socket] = []
        self._first: list[socket.socket] = []
        self._beginning: threading.Thread | None = None
        self._lock = threading.Lock()

    def __del__(self) -> None:
        for one in (*self._opened, *self._first):
            one.close()

    def begin(self, place: _Address) -> None:
        """Connect in a thread of its own, and open the others; C(find) goes on from there. Tells no failure."""

        def connect() -> None:
            with contextlib.suppress(OSError):  # Whoever asks will meet the same, and tell.
                first = socket.create_connection(place, timeout=KNOCK_SECONDS)
                self._first.append(first)
                self.follow(place, first)

        self._beginning = threading.Thread(target=connect, daemon=True)
        self._beginning.start()

    def follow(self, place: _Address, first: socket.socket) -> None:
        """Open the others, if this is the first connection of all; does not wait for them."""
        with self._lock:
            if self._place is not None:
                return
            self._place = place
            with contextlib.suppress(OSError):  # Whoever finds none here connects himself, and tells what is wrong.
                self._opened += _connecting(first, self._count)

    def find(self, place: _Address, tls: ssl.SSLContext | None) -> bool:
        """Connect, and open the others; with C(tls) also see whether the place speaks TLS. False: it does not.

        Raises:
            OSError: It cannot be told, or there is nobody.
        """
        first = self._begun()
        if first is None:
            first = socket.create_connection(place, timeout=KNOCK_SECONDS)
            self.follow(place, first)
        elif tls is not None:  # It was not known that the first one may be of no use after this.
            with self._lock:
                self._opened += _connecting(first, 1)
        if tls is None:
            with self._lock:
                self._opened.append(first)
            return True
        with first:
            try:
                tls.wrap_socket(first, server_hostname=place[0]).close()
            except _NOT_ABOUT_TLS:
                raise
            except ssl.SSLError:
                return False
        return True

    def _begun(self) -> socket.socket | None:
        if self._beginning is not None:
            self._beginning.join(KNOCK_SECONDS)
        return self._first.pop() if self._first else None

    def take(self, place: _Address, timeout: float | None) -> socket.socket | None:
        """One of the connections to this place, with its timeout in seconds; None where there is none (any more)."""
        with self._lock:
            taken = self._opened.pop(0) if self._opened and place == self._place else None
        if taken is not None and _stands(taken):
            taken.settimeout(timeout)
            return taken
        if taken is not None:
            taken.close()
        return None


def place_of(host: str) -> _Address:
    """Where a registry, C(host) or C(host:port), is connected to.

    Raises:
        ValueError: It is no such name.
    """
    parts = urllib.parse.urlsplit(f"//{host}")
    return parts.hostname or "", parts.port or _HTTPS_PORT


def is_proxied() -> bool:
    """Whether the environment names a proxy for anything: what it is for, requests finds out."""
    return any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in os.environ)


def begun(hosts: t.Iterable[str], width: int) -> dict[str, Ahead]:
    """Begin to connect to registries that will be asked by C(width) threads; nothing is sent."""
    found: dict[str, Ahead] = {}
    if not is_proxied():
        for host in hosts:
            with contextlib.suppress(ValueError):
                place, found[host] = place_of(host), Ahead(width - 1)
                found[host].begin(place)
    return found


def _connecting(first: socket.socket, count: int) -> list[socket.socket]:
    """More connections to where one stands; not waited for."""
    peer = first.getpeername()
    return [_begin(first.family, peer) for _number in range(count)]


def _begin(family: int, peer: object) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setblocking(False)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # As urllib3 does.
    one.connect_ex(peer)  # type: ignore[arg-type]
    return one


def _stands(one: socket.socket) -> bool:
    """Whether the handshake is done, and the peer has not ended it again."""
    poll = select.poll()
    poll.register(one, select.POLLOUT)
    if not poll.poll(_PATIENCE * 1000) or one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return False
    poll.modify(one, select.POLLIN)
    return not poll.poll(0)
