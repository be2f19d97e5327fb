# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""systemd's journal: entries with fields of their own, for whoever asks the host what happened."""

from __future__ import annotations

import pathlib
import socket
import typing as t

from .._pure import journal
from .._pure.errors import StateError
from .._pure.reasons import Reason

if t.TYPE_CHECKING:
    from .._pure.history import Event

_SOCKET = pathlib.Path("/run/systemd/journal/socket")
#: How long one entry may take, in seconds: journald that hangs must not hold up anything.
_SECONDS = 5.0


class Journal:
    """The journal of this host; what is written there is this process's user's."""

    def __init__(self, path: pathlib.Path = _SOCKET) -> None:
        self._path = path

    def add(self, events: t.Sequence[Event]) -> None:
        """Add one entry for each event.

        Raises:
            StateError: The journal takes none (C(no_journal)).
        """
        if not events:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(self._path))
                for event in events:
                    connection.sendall(journal.entry(event))
        except OSError as error:
            why = error.strerror or "no answer in time"
            raise StateError(f"{self._path} takes no entry: {why}", Reason.NO_JOURNAL) from None
