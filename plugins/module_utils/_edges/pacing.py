# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Manners towards one registry: how many requests are under way, when to come back, and how much of a quota is left."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from .._pure.errors import RegistryError
from .._pure.quotas import RateLimit
from .._pure.reasons import Reason


class Pace:
    """Lets at most C(width) requests be under way; after a 429 one at a time, and none while a pause lasts.

    All pauses of a run add up to at most C(patience) seconds.
    """

    def __init__(self, host: str, width: int, patience: float) -> None:
        self.patience = patience
        self._host = host
        self._changed = threading.Condition()
        self._width = max(1, width)
        self._under_way = 0
        self._not_before = 0.0
        self._paused = 0.0
        self._slower = False

    @contextlib.contextmanager
    def turn(self, until: float) -> t.Iterator[None]:
        """Wait for one's turn, but not beyond C(until) (monotonic seconds).

        Raises:
            RegistryError: It did not come in time.
        """
        with self._changed:
            while True:
                now = time.monotonic()
                pause = self._not_before - now
                if pause <= 0 and self._under_way < self._width:
                    break
                if now >= until:
                    raise self._late()
                self._changed.wait(min(until - now, pause) if pause > 0 else until - now)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _late(self) -> RegistryError:
        if self._slower:
            return RegistryError(f"{self._host} is asked too often, and was too slow then", Reason.RATE_LIMITED)
        return RegistryError(f"{self._host} was too slow for its turn to come", Reason.REGISTRY_UNREACHABLE)

    def pause(self, seconds: float, *, slower: bool) -> bool:
        """Send nothing for some seconds, and C(slower) then one at a time; False where that would take too long."""
        with self._changed:
            if slower:
                self._slower = True
                self._width = 1
            now = time.monotonic()
            begin, end = max(now, self._not_before), now + seconds
            if end <= begin:
                return True  # A longer pause lasts already.
            if self._paused + end - begin > self.patience:
                return False
            self._paused += end - begin
            self._not_before = end
            return True


class Quota:
    """What may still be fetched of manifests: of the caller's budget, and of what the registry says is left."""

    def __init__(self, host: str, budget: int | None) -> None:
        self.told: RateLimit | None = None
        self._host = host
        self._lock = threading.Lock()
        self._budget = budget
        self._left: int | None = None
        self._promised = 0

    def note(self, limit: RateLimit) -> None:
        """The registry told its limits."""
        with self._lock:
            self.told = limit
            self._left = limit.remaining if limit.is_quota else None

    @contextlib.contextmanager
    def lease(self, gets: int) -> t.Iterator[Lease]:
        """Set aside what opening an image takes; what was not needed is given back.

        Raises:
            RegistryError: There is not that much left; nothing was begun.
        """
        self.take(gets)
        lease = Lease(self, gets)
        try:
            yield lease
        finally:
            self._give_back(lease.left)

    def take(self, gets: int) -> None:
        """Set aside some requests.

        Raises:
            RegistryError: There are not that many left.
        """
        with self._lock:
            for left, what in (
                (self._budget, "the request budget leaves"),
                (None if self._left is None else self._left - self._promised, f"{self._host} leaves"),
            ):
                if left is not None and left < gets:
                    message = f"{what} {max(0, left)} manifest requests, and {gets} are needed to open the image"
                    raise RegistryError(message, Reason.REQUEST_BUDGET)
            if self._budget is not None:
                self._budget -= gets
            self._promised += gets

    def spent(self, *, told: bool) -> None:
        """One that was set aside was used; C(told): its answer told the limits, and counts itself there."""
        with self._lock:
            self._promised -= 1
            if self._left is not None and not told:
                self._left -= 1

    def _give_back(self, gets: int) -> None:
        with self._lock:
            self._promised -= gets
            if self._budget is not None:
                self._budget += gets


class Lease:
    """Requests that are set aside for one image."""

    def __init__(self, quota: Quota, gets: int) -> None:
        self.left = gets
        self._quota = quota

    def spend(self, fetch: t.Callable[[], t.Any]) -> t.Any:
        """Use one; where none is left (an index in an index), another one is taken.

        Raises:
            RegistryError: No other one is left, or the fetch failed.
        """
        if self.left == 0:
            self._quota.take(1)
            self.left += 1
        before = self._quota.told
        answer = fetch()
        self.left -= 1
        self._quota.spent(told=self._quota.told is not before)
        return answer
