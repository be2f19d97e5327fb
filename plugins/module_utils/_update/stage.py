# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Stage: have every target in local storage. Pulls go by digest and move no tag.

Where the host's policy.json wants signatures the tag itself is pulled, because a signature may name it. The old tag is put
back at once, and what arrived is refused where it is another image than the decided one.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from .._pure import names
from .._pure.decisions import Finding, Target, Workload
from .._pure.errors import StoreError
from .._pure.platforms import Platform
from .._pure.reasons import Reason, Status
from .._pure.records import Snapshot
from .discover import local_names
from .groups import Change
from .protocols import Store
from .resolve import platform_of


def stage(change: Change, store: Store, snapshot: Snapshot) -> Change | Finding:
    """Have one target in local storage: the change with its image ID, or why there is nothing (more) to do."""
    workload, target = change.workload, change.target
    if target.pull is None:
        return change
    try:
        image_id = brought(change, store, snapshot)
    except StoreError as error:
        return Finding(Status.FAILED, error.reason, str(error))
    if image_id == workload.image_id:
        return Finding(Status.CURRENT, Reason.SAME_CONTENT)
    return replace(change, target=replace(target, id=image_id))


def staged_name(workload: Workload, target: Target, snapshot: Snapshot) -> str | None:
    """The name of ours under which the target is kept once it was staged; None where nothing has to be pulled."""
    if target.pull is None or target.digest is None:
        return None
    return names.staged(target.name, base(platform_of(workload, snapshot)), target.digest)


def brought(change: Change, store: Store, snapshot: Snapshot) -> str:
    """Have the target of a pull in local storage; nothing is pulled where it was staged before. The image ID.

    Raises:
        StoreError: podman did not bring it, or (C(tag_moved)) brought another image, which was refused.
    """
    workload, target = change.workload, change.target
    kept = staged_name(workload, target, snapshot)
    there = local_names(snapshot.images).get(kept or "")
    if there is not None:
        return there.id
    platform = platform_of(workload, snapshot)
    asked = None if base(platform) == base(snapshot.host.platform) else platform
    if kept and not store.takes_unsigned(target.name, target.digest or ""):
        return _brought_by_tag(target, kept, store, asked)
    return store.pull(target.pull or "", asked, target.authfile)


def _brought_by_tag(target: Target, kept: str, store: Store, platform: Platform | None) -> str:
    before = local_names(store.images()).get(target.name)
    image_id = store.pull(target.name, platform, target.authfile)
    decided = image_id == target.id
    if not decided:
        _containers, images = store.details((), (image_id,))
        decided = image_id in images and target.digest in images[image_id].digests
    if decided:
        store.tag(image_id, kept)  # Without its tag nothing else would keep it.
    if before is not None and before.id != image_id:
        store.tag(before.id, target.name)
    elif before is None:
        with contextlib.suppress(StoreError):
            store.untag(image_id, target.name)
    if decided:
        return image_id
    message = f"{target.name}: {target.digest} was decided, and another image arrived ({image_id}); it was refused"
    raise StoreError(message, Reason.TAG_MOVED)


def base(platform: Platform) -> str:
    """What tells two images apart as far as podman tells: operating system and architecture."""
    return f"{platform.os}/{platform.architecture}"
