# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.
"""What this host remembers, joined for the flow: the state file, the history beside it and in the journal, and the clock."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from .._edges.history import HistoryFile
from .._edges.journal import Journal
from .._edges.state import StateFile
from .._pure.errors import StateError

if t.TYPE_CHECKING:
    from .._pure.history import Event, Who
    from .._pure.state import State


class HostMemory:
    """The memory of the user who runs this process; C(journal) is another one than the host's."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._state = StateFile()
        self._history = HistoryFile()
        self._journal = journal or Journal()

    def tidy(self) -> None:
        """Remove what processes that were killed while they wrote have left."""
        self._state.tidy()

    def read(self) -> State:
        """What is remembered."""
        return self._state.read()

    def change(self, change: t.Callable[[State], State]) -> State:
        """Replace what is remembered by what C(change) makes of it."""
        return self._state.change(change)

    def add(self, events: t.Sequence[Event]) -> None:
        """Add to the history and to systemd's journal; one that cannot be written does not keep the other from it."""
        failed: list[StateError] = []
        for add in (self._history.add, self._journal.add):
            try:
                add(events)
            except StateError as error:
                failed.append(error)
        if failed:
            raise StateError("; ".join(map(str, failed)), failed[0].reason)

    def events(self) -> tuple[Event, ...]:
        """The history, as far as it is kept."""
        return self._history.read()

    def who(self) -> Who:
        """Who runs this."""
        return self._history.who()

    def now(self) -> datetime:
        """The time, to the second, as files hold it."""
        return datetime.now(timezone.utc).replace(microsecond=0)
