# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The jobs of members: every unit of a member that is restarted by us, in the same moment, and what all of them ended with.

Beside it what a way back needs of systemd first: that failures are forgotten, and how often units were started by then.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import replace

from .._pure.errors import UnitError
from .._pure.health import job_failure
from .._pure.units import JobOutcome
from .groups import Member
from .protocols import Units

STAYS_STOPPED = "somebody stopped it meanwhile, so it stays stopped"
_DOWN = ("inactive", "deactivating", "failed")
_MOVING = ("activating", "deactivating")
_NOTICED_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.1


def restart(members: t.Sequence[Member], units: Units) -> dict[str, JobOutcome]:
    """Restart members side by side; by the members' first units, what their jobs ended with. Never raises."""
    if not members:
        return {}
    try:
        jobs = units.restart([root for one in members for root in one.roots])
    except UnitError as error:
        return {one.unit: JobOutcome("failed", 0.0, str(error)) for one in members}
    return {one.unit: _together(one, jobs) for one in members}


def _together(member: Member, jobs: t.Mapping[str, JobOutcome]) -> JobOutcome:
    """The job that failed, or the longest."""
    for root in member.roots:
        job = jobs[root]
        if not job.done:
            failure = job_failure(root, job)
            refused = all(jobs[each].refused for each in member.roots)
            return replace(job, error=failure.error, refused=refused) if failure else job
    return max((jobs[root] for root in member.roots), key=lambda job: job.duration)


def stopped_by_others(jobs: t.Mapping[str, JobOutcome], names: t.Iterable[str], units: Units) -> frozenset[str]:
    """The units whose jobs gave way to a stop: somebody's, or that of the host. They are not for us to start again."""
    cancelled = [name for name in names if name in jobs and jobs[name].result == "canceled"]
    until = time.monotonic() + _NOTICED_SECONDS
    while cancelled:
        try:
            facts = units.facts(cancelled)
        except UnitError:
            break  # What is done next will tell.
        # A start gives way before the stop has begun; and what fails again and again has such moments too.
        if not any(one.active_state in _MOVING for one in facts.values()) or time.monotonic() >= until:
            return frozenset(unit for unit, one in facts.items() if one.active_state in _DOWN)
        time.sleep(_LOOK_AGAIN_SECONDS)
    return frozenset()


def forget_failures(names: t.Iterable[str], units: Units) -> None:
    """Let no start limit refuse what is restarted next. Never raises."""
    for name in sorted(names):
        # The restart says what is wrong; a failure counter that stays is no reason to give up.
        with contextlib.suppress(UnitError):
            units.reset_failed([name])


def counted_restarts(names: t.Sequence[str], units: Units) -> dict[str, int]:
    """Where systemd's counters stand: it was about to start failed units by itself, and may have counted that."""
    try:
        return {unit: facts.n_restarts for unit, facts in units.facts(names).items()}
    except UnitError:
        return {}  # The gate asks again, and tells.
