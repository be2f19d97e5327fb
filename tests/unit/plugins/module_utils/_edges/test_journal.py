# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal's socket: one datagram for each event, and an error that can be told where nobody takes them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import journal as edge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.journal import Journal
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import journal
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Passage, Who
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_NOON = datetime(2026, 11, 21, tzinfo=timezone.utc)
EVENT = Event(_NOON, "1", Who(0, "root"), "web.service", "updated", None, None, "done", 2.5, ())


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "socket"))
        one.settimeout(5)
        yield one


def test_each_event_is_one_datagram(journald: socket.socket) -> None:
    events = [replace(EVENT, unit=f"{number}.service") for number in range(3)]
    Journal(Path(journald.getsockname())).add(events)
    assert [journald.recv(200_000) for _number in events] == list(map(journal.entry, events))


def test_the_longest_entry_is_taken(journald: socket.socket) -> None:
    passages = tuple(Passage("c" * 99, "x" * 9999, (f"sha256:{1:064}", None), (None, None)) for _number in range(99))
    event = replace(EVENT, error="e" * 9999, passages=passages)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(journald.recv(200_000)))
    reader.start()
    Journal(Path(journald.getsockname())).add([event])
    reader.join(5)
    assert got == [journal.entry(event)]


def test_without_a_journal_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="takes no entry") as caught:
        Journal(tmp_path / "none").add([EVENT])
    assert caught.value.reason is Reason.NO_JOURNAL
    Journal(tmp_path / "none").add([])


def test_a_journal_that_hangs_is_not_waited_for(journald: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "_SECONDS", 0.2)
    begun = time.monotonic()
    with pytest.raises(StateError, match="in time"):
        Journal(Path(journald.getsockname())).add([EVENT] * 100_000)
    assert time.monotonic() - begun < 5
