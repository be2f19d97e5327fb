# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Stage: have every target in local storage. Pulls go by digest and move no tag."""

from __future__ import annotations

from dataclasses import replace

from .._pure.decisions import Finding
from .._pure.errors import StoreError
from .._pure.platforms import Platform
from .._pure.reasons import Reason, Status
from .._pure.records import Snapshot
from .groups import Change
from .protocols import Store
from .resolve import platform_of


def stage(change: Change, store: Store, snapshot: Snapshot) -> Change | Finding:
    """Have one target in local storage: the change with its image ID, or why there is nothing (more) to do."""
    workload, target = change.workload, change.target
    if target.pull is None:
        return change
    platform = platform_of(workload, snapshot)
    foreign = _base(platform) != _base(snapshot.host.platform)
    try:
        image_id = store.pull(target.pull, platform if foreign else None, target.authfile)
    except StoreError as error:
        return Finding(Status.FAILED, error.reason, str(error))
    if image_id == workload.image_id:
        return Finding(Status.CURRENT, Reason.SAME_CONTENT)
    return replace(change, target=replace(target, id=image_id))


def _base(platform: Platform) -> tuple[str, str]:
    return platform.os, platform.architecture
