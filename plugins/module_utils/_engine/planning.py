# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Plans as settings: what this host was given, read with its own clock, and whether it may follow it."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from .._edges.state import StateFile
from .._edges.timer_settings import REGISTRY, followed
from .._pure.errors import InputError
from .._update.planned import Planned, for_this_host

if t.TYPE_CHECKING:
    from .settings import Settings


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


def remembered() -> t.Mapping[str, t.Any] | None:
    """The last plan that the user who runs this process was given; None where there is none.

    Raises:
        StateError: What is remembered cannot be read.
    """
    plan = StateFile().read().plan
    return plan.document if plan else None
