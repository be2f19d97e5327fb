# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Beside: what others did to a group's containers while this run looked, asked and pulled.

Other runs of this collection are locked out. podman's own updates are not: they are waited for, and a container that they
have put on another image meanwhile is left to them, or its unit would be restarted twice.
"""

from __future__ import annotations

import typing as t

from .._pure.decisions import Finding
from .._pure.errors import BusyError
from .._pure.reasons import Reason, Status
from .groups import Change, Member
from .outcomes import Outcome
from .protocols import Others, Processes, Store


class Nobody:
    """No other engine is there."""

    def wait(self) -> None:
        """There is nobody to wait for."""


class Beside:
    """What is asked before a group's first name moves."""

    def __init__(self, others: Others, processes: Processes, store: Store) -> None:
        self._others = others
        self._processes = processes
        self._store = store

    def outcomes(self, group: t.Sequence[Member]) -> dict[str, Outcome]:
        """What became of the containers of members that must be left alone, by container ID; nothing of the others.

        Raises:
            StoreError: podman could not be asked.
        """
        changes = [change for member in group for change in member.changes]
        try:
            self._others.wait()
        except BusyError as error:
            busy = Outcome(Finding(Status.FAILED, error.reason, str(error)))
            return {change.workload.container_id: busy for change in changes}
        # The process that keeps a container ends with it. Where none has ended, nothing was restarted.
        if all(self._processes.owner(change.workload.main_pid) for change in changes):
            return {}
        now = {one.name: one.image_id for one in self._store.containers() if one.state == "running"}
        found: dict[str, Outcome] = {}
        for member in group:
            # A restart on the image that ran before changes nothing of what was decided.
            if any(_moved(change, now) for change in member.changes):
                found.update({change.workload.container_id: _left(change, now) for change in member.changes})
        return found


def _moved(change: Change, now: t.Mapping[str, str | None]) -> bool:
    runs = now.get(change.workload.container_name)
    return runs is not None and runs != change.workload.image_id


def _left(change: Change, now: t.Mapping[str, str | None]) -> Outcome:
    runs, target = now.get(change.workload.container_name), change.target
    if runs == target.id:
        said = "somebody else put it on the new image during this run"
        return Outcome(Finding(Status.CURRENT, Reason.SECOND_ENGINE, said), (target.id, target.digest))
    said = f"somebody else restarted {change.workload.unit} during this run, so it was left alone"
    return Outcome(Finding(Status.PENDING, Reason.SECOND_ENGINE, said), (runs, None) if _moved(change, now) else None)
