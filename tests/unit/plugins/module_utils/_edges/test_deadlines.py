# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines: what ends a request that never meets a socket's own timeout."""

from __future__ import annotations

import concurrent.futures
import socket
import threading
import time

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.deadlines import Deadline


def test_a_deadline_that_passed_before_there_was_a_connection_ends_it_all_the_same() -> None:
    here, there = socket.socketpair()
    with here, there, Deadline(0.02):
        time.sleep(0.1)
        Deadline.watch(here)
        there.settimeout(10)
        assert there.recv(1) == b""


def test_deadlines_of_threads_do_not_meet() -> None:
    short, long = socket.socketpair(), socket.socketpair()
    ready = threading.Barrier(2)

    def work(pair: tuple[socket.socket, socket.socket], seconds: float, patience: float) -> bytes:
        with Deadline(seconds):
            Deadline.watch(pair[0])
            ready.wait(5)
            pair[1].settimeout(patience)
            try:
                return pair[1].recv(1)
            except socket.timeout:
                return b"open"

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = [pool.submit(work, short, 0.05, 10), pool.submit(work, long, 30, 0.3)]
        assert [one.result() for one in results] == [b"", b"open"]
    for one in (*short, *long):
        one.close()
