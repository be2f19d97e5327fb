# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Plans as settings: what this host was given, read with its own clock, and whether it may follow it."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime, timezone

from .._edges.state import StateFile
from .._edges.timer_settings import REGISTRY, followed
from .._pure.errors import InputError
from .._pure.plan_records import Verdict
from .._pure.plans import ExpiredPlanError
from .._update.planned import Planned, for_this_host

if t.TYPE_CHECKING:
    from .._pure.plan_records import PlanRecord
    from .._pure.state import State
    from .settings import Settings


class Remembering(t.Protocol):
    """Where a host remembers things."""

    def read(self) -> State:
        """What is remembered."""


def planned(settings: Settings) -> Planned | None:
    """What a plan says of the units that the settings are about; None where there is no plan.

    Raises:
        InputError: The plan cannot be used here; nothing was looked at.
    """
    if settings.plan is None:
        return None
    now = datetime.now(timezone.utc).replace(microsecond=0)
    found = for_this_host(settings.plan, settings.plan_host, settings.user, now)
    if found.entries and not settings.allow_follower and followed(settings.user) == REGISTRY:
        raise InputError(
            "this host's own timer follows the registry, and would soon leave what the plan says; let it follow plans"
            " instead, or say allow_follower: true"
        )
    return found


def following(settings: Settings, memory: Remembering | None = None) -> tuple[Settings, str]:
    """The settings with the last plan that the user who runs this process was given, for a timer that follows plans.

    Where there is nothing to follow, they are those of a repair alone, and the sentence says why: a plan that was only staged
    waits for somebody to activate it, and one that is over says nothing any more.

    Raises:
        StateError: What is remembered cannot be read.
        InputError: The plan cannot be used.
    """
    record = (memory or StateFile()).read().plan
    why_not = _why_not(record)
    if record is not None and not why_not:
        follower = replace(settings, plan=record.document, allow_follower=True)
        try:
            planned(follower)
        except ExpiredPlanError as error:
            why_not = str(error)
        else:
            return follower, f"following the plan {record.id}"
    return replace(settings, repair_only=True), f"{why_not}; only what was interrupted is finished or undone"


def _why_not(record: PlanRecord | None) -> str:
    if record is None:
        return "no plan was given to this host as yet"
    if record.document is None:
        return f"the plan {record.id} is too large to be kept here"
    if record.verdict is Verdict.STAGED:
        return f"the plan {record.id} was only staged, and waits to be activated"
    return ""
