# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""One question at a time, for all who want to know: units that are judged side by side share podman's answers."""

from __future__ import annotations

import threading
import typing as t

_T = t.TypeVar("_T")


class Together(t.Generic[_T]):
    """Asks C(ask) for the keys of all callers that wait. An answer is never older than the call that it is given to."""

    def __init__(self, ask: t.Callable[[t.Sequence[str]], _T]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._next: _Round[_T] | None = None

    @property
    def waiting(self) -> int:
        """How many keys the next question has by now."""
        with self._lock:
            return len(self._next.keys) if self._next else 0

    def __call__(self, keys: t.Iterable[str] = ()) -> _T:
        """The answer for at least these keys; raises what the question raised."""
        with self._lock:
            mine, leads = self._next, self._next is None
            if mine is None:
                mine = self._next = _Round()
            mine.keys.update(keys)
        if leads:
            with self._busy:  # Whoever comes while this waits joins.
                with self._lock:
                    self._next = None
                mine.run(self._ask)
        return mine.answer()


class _Round(t.Generic[_T]):
    def __init__(self) -> None:
        self.keys: set[str] = set()
        self._done = threading.Event()
        self._said: list[_T] = []
        self._error: Exception | None = None

    def run(self, ask: t.Callable[[t.Sequence[str]], _T]) -> None:
        try:
            self._said.append(ask(sorted(self.keys)))
        except Exception as error:  # noqa: BLE001 (raised again for everyone who waits)
            self._error = error
        finally:
            self._done.set()

    def answer(self) -> _T:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._said[0]
