# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""TCP connections that are opened before they are needed: a connection costs a round trip that nobody has to wait for."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading

_Address = tuple[str, int]
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
    whichever scheme the first request finds. C(find) makes the first one when it is known that requests will follow.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._place: _Address | None = None
        self._opened: list[socket.socket] = []
        self._lock = threading.Lock()

    def __del__(self) -> None:
        for one in self._opened:
            one.close()

    def follow(self, place: _Address, first: socket.socket) -> None:
        """Open the others, if this is the first connection of all; does not wait for them."""
        with self._lock:
            if self._place is not None:
                return
            self._place = place
            with contextlib.suppress(OSError):  # Whoever finds none here connects himself, and tells what is wrong.
                peer = first.getpeername()
                for _number in range(self._count):
                    self._opened.append(_begin(first.family, peer))

    def find(self, place: _Address, tls: ssl.SSLContext | None) -> bool:
        """Connect, and open the others; with C(tls) also see whether the place speaks TLS. False: it does not.

        Raises:
            OSError: It cannot be told, or there is nobody.
        """
        first = socket.create_connection(place, timeout=KNOCK_SECONDS)
        self.follow(place, first)
        if tls is None:
            with self._lock:
                self._opened.append(first)
            return True
        with first:
            try:
                tls.wrap_socket(first, server_hostname=place[0]).close()
            except ssl.SSLError as error:
                # A subclass tells of the connection's end, most likely, which may mean anything.
                if isinstance(
                    error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ssl.SSLWantReadError)
                ):
                    raise
                return False
        return True

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
