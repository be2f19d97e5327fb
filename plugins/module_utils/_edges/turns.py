# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Turns: restarts begin one after the other, as fast as this machine's processors can follow.

Between the end of a container's old process and the start of its new one lies work for the processors, and none of waiting.
Where more restarts begin than the machine can work at, each unit is down for longer and the last one is done no sooner.
"""

from __future__ import annotations

import collections
import math
import os
import threading
import time

#: What is expected of a unit's start before enough were seen, in seconds.
_USUAL_START = 0.15
_SEEN = 8
#: A start that takes longer waits for something: its work is not known, and need not keep others waiting.
_LONGEST_START = 0.6
#: How far apart restarts begin on two processors, as a multiple of the time that a start takes: so that a unit is down for
#: about as long as if nothing else were done, or so that the processors have no pause.
_CALM, _HURRIED = 2.9, 2.0


class Turns:
    """Spaces what several threads begin, by how long starts took lately on this many processors."""

    def __init__(self, processors: int | None = None, *, hurried: bool = False) -> None:
        self._factor = (_HURRIED if hurried else _CALM) * 2 / (processors or _processors())
        self._starts = collections.deque([_USUAL_START], maxlen=_SEEN)
        self._begun = -math.inf
        self._lock = threading.Lock()

    @property
    def gap(self) -> float:
        """How far apart restarts begin now, in seconds."""
        # The quickest one: others may have waited for something, or for each other.
        return self._factor * min(_LONGEST_START, *self._starts)

    def started(self, seconds: float) -> None:
        """Note how long a unit's start took."""
        if seconds > 0:
            self._starts.append(seconds)

    def wait(self) -> None:
        """Wait for the caller's turn: it begins a gap after the turn before it."""
        with self._lock:  # Whoever comes later waits here, and then for as long as is right by then.
            time.sleep(max(0.0, self._begun + self.gap - time.monotonic()))
            self._begun = time.monotonic()


def _processors() -> int:
    """How many processors this process may use (sched_getaffinity(2))."""
    return max(1, len(os.sched_getaffinity(0)))
