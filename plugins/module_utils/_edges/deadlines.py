# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""An end for a request, whatever its peer does: bytes that drip never meet a socket's own timeout."""

from __future__ import annotations

import contextlib
import socket
import threading


class Deadline:
    """Ends one request of the current thread for good, from its first connection to its last byte."""

    _current = threading.local()

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._over = False
        self.expired = False

    def __enter__(self) -> Deadline:
        Deadline._current.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._timer.cancel()
        Deadline._current.deadline = None
        with self._lock:
            self._over = True
            self._let_go()

    @classmethod
    def watch(cls, connected: socket.socket | None) -> None:
        """Note the socket that the current thread is about to speak on."""
        deadline: Deadline | None = getattr(cls._current, "deadline", None)
        if deadline is not None and connected is not None:
            deadline.guard(connected)

    def guard(self, connected: socket.socket) -> None:
        """End this connection when the time is up, at once if it is already.

        It is known by a descriptor of its own: TLS takes the socket's away, and closing it here would pull the TLS
        state away under the reading thread.
        """
        with self._lock:
            self._let_go()
            with contextlib.suppress(OSError):  # It may be closed already.
                self._socket = socket.fromfd(connected.fileno(), connected.family, connected.type)
            if self.expired:
                self._shut()

    def _end(self) -> None:
        with self._lock:
            self.expired = not self._over
            if self.expired:
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
