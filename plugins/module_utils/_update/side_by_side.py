# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Groups side by side: while units of some groups stop and start, the images of the next ones are pulled."""

from __future__ import annotations

import collections
import contextlib
import threading
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from .._pure.decisions import Finding
from .._pure.reasons import Reason, Status
from .activate import Transaction
from .admission import Failures
from .groups import Member
from .outcomes import Outcome

#: So many that most images are there before the first unit is down, and needs the processors for itself. More would let
#: the first restart wait, and ask a registry for too much at once.
_PULLS = 6
_Group = tuple[Member, ...]


def move_all(
    groups: t.Sequence[_Group],
    width: int,
    failures: Failures,
    begin: t.Callable[[], Transaction],
    ended: t.Callable[[t.Sequence[Member], t.Mapping[str, Outcome]], None],
) -> dict[str, Outcome]:
    """Move every group by a transaction of its own, at most C(width) at once; outcomes by container ID.

    C(ended) is told of every group as soon as it has been activated, from the thread that did it.

    Groups whose restarts take the same unit along (a gateway that requires both) are moved one after the other: that one of
    them cannot have it up must not be told of the other.

    At most as many are staged ahead. What is not activated any more because too many failed has moved no tag.
    Where this is told to end, what is being moved comes to its end, and nothing else is begun.
    """
    width = min(width, len(groups))
    ahead = threading.Semaphore(2 * width)
    leaving = threading.Event()
    turns = _Turns(groups)

    def stage(group: _Group) -> Transaction:
        ahead.acquire()  # Given back when the group has been activated. # pylint: disable=consider-using-with
        transaction = begin()
        if not (failures.too_many() or leaving.is_set()):
            transaction.stage(group)
        return transaction

    def activate(group: _Group, transaction: Transaction) -> dict[str, Outcome]:
        with contextlib.ExitStack() as stack:
            stack.callback(ahead.release)
            stack.enter_context(turns.turn(group))
            if leaving.is_set():
                return {}
            if why := failures.too_many():
                return transaction.leave(group, Finding(Status.PENDING, Reason.MAX_FAILURES, why))
            outcomes = transaction.activate()
            ended(group, outcomes)
            failures.note(group, outcomes)
            return outcomes

    with ThreadPoolExecutor(min(width, _PULLS)) as stagers, ThreadPoolExecutor(width) as movers:
        staging: dict[Future[Transaction], _Group] = {stagers.submit(stage, group): group for group in groups}
        moving: list[Future[dict[str, Outcome]]] = []
        try:
            for one in as_completed(staging):
                moving.append(movers.submit(activate, staging[one], one.result()))
            return {key: outcome for each in moving for key, outcome in each.result().items()}
        except BaseException:  # A signal, most likely. The pools are waited for, so nobody in them may wait for ever.
            leaving.set()
            for staged in staging:
                staged.cancel()
            for moved in moving:
                moved.cancel()
            ahead.release(len(groups))
            raise


class _Turns:
    """Lets groups that take the same unit along begin one after the other."""

    def __init__(self, groups: t.Sequence[_Group]) -> None:
        often = collections.Counter(unit for group in groups for unit in _taken_along(group))
        self._locks = {unit: threading.Lock() for unit, times in often.items() if times > 1}

    @contextlib.contextmanager
    def turn(self, group: _Group) -> t.Iterator[None]:
        """Wait for a group's turn, and keep it."""
        with contextlib.ExitStack() as stack:
            for unit in sorted(_taken_along(group) & set(self._locks)):  # In one order, so nobody waits in a circle.
                stack.enter_context(self._locks[unit])
            yield


def _taken_along(group: _Group) -> set[str]:
    return {unit for member in group for unit in member.units}
