# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The gate: whether units run what they should, judged side by side by looking, never by a job's result alone."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._pure.errors import StoreError
from .._pure.reasons import Reason
from .._pure.records import ListedContainer
from .outcomes import Failure
from .protocols import Store

#: How long the containers of a unit may take to appear after its job is done. Members of a pod are units of their own,
#: which start after the pod's job; for a single container the first look suffices.
_APPEAR_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.25


@dataclass(frozen=True)
class ExpectedContainer:
    """A container that must run. C(image_id) is None where any image will do; C(old_id) is the container before.

    C(image_name) finds the container of a unit that gives its container no name.
    """

    name: str
    image_name: str
    image_id: str | None = None
    old_id: str | None = None


@dataclass(frozen=True)
class Expected:
    """One unit, and all that must run in it."""

    unit: str
    containers: tuple[ExpectedContainer, ...]


class Gate:
    """Judges units after their restart."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def judge(self, expected: t.Sequence[Expected]) -> dict[str, Failure]:
        """What is wrong, by unit; a unit that runs as it should is missing from the answer."""
        deadline = time.monotonic() + _APPEAR_SECONDS
        failures: dict[str, Failure] = {}
        waiting = list(expected)
        while waiting:
            failures.update(self._look(waiting, failures))
            late = time.monotonic() >= deadline
            waiting = [
                one
                for one in waiting
                if one.unit in failures and not late and failures[one.unit].reason is not Reason.UNIT_REUSES_CONTAINER
            ]
            if waiting:
                time.sleep(_LOOK_AGAIN_SECONDS)
        return failures

    def _look(self, waiting: t.Sequence[Expected], failures: dict[str, Failure]) -> dict[str, Failure]:
        for one in waiting:
            failures.pop(one.unit, None)
        try:
            containers = self._store.containers()
        except StoreError as error:
            return {one.unit: Failure(error.reason, str(error)) for one in waiting}
        seen = {one.unit: _seen(one, containers) for one in waiting}
        return {unit: failure for unit, failure in seen.items() if failure}


def _seen(expected: Expected, containers: t.Sequence[ListedContainer]) -> Failure | None:
    for wanted in expected.containers:
        running = _running(containers, expected.unit, wanted)
        if not running:
            return Failure(Reason.NOT_RUNNING, f"container {wanted.name} does not run after the restart")
        if wanted.image_id is None or any(one.image_id == wanted.image_id for one in running):
            continue
        if any(one.id == wanted.old_id for one in running):
            return Failure(Reason.UNIT_REUSES_CONTAINER, f"{expected.unit} restarted its old container {wanted.name}")
        return Failure(Reason.NOT_RUNNING, f"container {wanted.name} runs {running[0].image_id}, not {wanted.image_id}")
    return None


def _running(containers: t.Sequence[ListedContainer], unit: str, wanted: ExpectedContainer) -> list[ListedContainer]:
    """The running containers that came in the place of an old one.

    A unit that gives its container no name makes a new one at each start; its label and image tell it.
    """
    named = [one for one in containers if one.name == wanted.name] or [
        one for one in containers if one.unit_label == unit and one.image_name == wanted.image_name
    ]
    return [one for one in named if one.state == "running"]
