# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Staging: bring images to a host before their time. No tag moves and nothing is restarted.

What was staged keeps a name of ours, so that no pruning takes it, until it was activated or another image is wanted.
"""

from __future__ import annotations

import contextlib
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from .._pure import names
from .._pure.decisions import Decision, Finding
from .._pure.errors import StoreError
from .._pure.reasons import Reason, Status
from .._pure.records import Snapshot
from .discover import Discovery, local_names
from .groups import Change, Member, form_groups
from .memory import Memory, name_of
from .outcomes import Outcome
from .protocols import Store
from .report import Row
from .resolve import platform_of
from .stage import base, brought, staged_name

STAGED = Finding(Status.PENDING, Reason.STAGED)
#: Whoever has one of these has no use for what is staged for its reference.
_DONE = (Status.CURRENT, Status.UPDATED, Status.ROLLED_BACK)


def foreseen(discovery: Discovery, decisions: t.Mapping[str, Decision]) -> dict[str, Outcome]:
    """What C(stage_all) would do, by container ID. C(discovery.snapshot) has all images."""
    there = local_names(discovery.snapshot.images)
    outcomes = {}
    for change in _changes(discovery, decisions):
        kept = staged_name(change.workload, change.target, discovery.snapshot)
        after = (change.target.id, change.target.digest)
        if kept is None:
            outcomes[change.workload.container_id] = Outcome(STAGED, after)
        elif kept in there:
            outcomes[change.workload.container_id] = Outcome(STAGED, (there[kept].id, change.target.digest))
        else:
            check = Finding(Status.PENDING, Reason.CHECK_MODE)
            outcomes[change.workload.container_id] = Outcome(check, after, changed=True)
    return outcomes


def stage_all(
    discovery: Discovery,
    decisions: t.Mapping[str, Decision],
    store: Store,
    memory: Memory,
    parallel: int,
    begin: t.Callable[[t.Sequence[t.Sequence[Member]]], object],
) -> dict[str, Outcome]:
    """Have every target in local storage, each once, side by side. C(discovery.snapshot) has all images.

    C(begin) is told what leaves a name for a moment, and moves its tag where a signature is wanted.
    """
    snapshot = discovery.snapshot
    changes, outcomes = _changes(discovery, decisions), foreseen(discovery, decisions)
    together: dict[tuple[str, str | None], list[Change]] = {}
    for change in changes:
        if outcomes[_id(change)].changed:
            kept = staged_name(change.workload, change.target, snapshot) or ""
            together.setdefault((kept, change.target.authfile), []).append(change)
    if not together:
        return outcomes
    begin(form_groups([some[0] for some in together.values()]))
    with ThreadPoolExecutor(max_workers=min(parallel, len(together))) as pool:
        for some in pool.map(lambda one: _stage(one[0][0], one[1], store, memory, snapshot), together.items()):
            outcomes.update(some)
    staged = [one for one in changes if outcomes[_id(one)].finding == STAGED]
    wanted = {staged_name(one.workload, one.target, snapshot) or "" for one in staged}
    for name, image in local_names(snapshot.images).items():
        if names.is_staged(name) and name not in wanted and _of(name) in set(map(_of, wanted)):
            let_go(name, image.id, store, memory)  # Another one has taken its place.
    return outcomes


def _stage(
    kept: str, changes: t.Sequence[Change], store: Store, memory: Memory, snapshot: Snapshot
) -> dict[str, Outcome]:
    """Bring one image for all who want it, and give it the name that keeps it."""
    try:
        image_id = brought(changes[0], store, snapshot)
        outcomes = {_id(change): _brought(change, image_id, memory) for change in changes}
        if any(one.finding == STAGED for one in outcomes.values()):
            store.tag(image_id, kept)
        else:
            with contextlib.suppress(StoreError):  # It is there only where the tag was pulled.
                store.untag(image_id, kept)
        with contextlib.suppress(StoreError):
            store.untag(image_id, changes[0].target.pull or "")
    except StoreError as error:
        return {_id(change): Outcome(Finding(Status.FAILED, error.reason, str(error))) for change in changes}
    return outcomes


def _brought(change: Change, image_id: str, memory: Memory) -> Outcome:
    workload, target = change.workload, replace(change.target, id=image_id)
    if image_id == workload.image_id:
        return Outcome(Finding(Status.CURRENT, Reason.SAME_CONTENT))
    # Only the pull told which image it is.
    objection = memory.objection(workload, Decision(Finding(Status.PENDING), None, target))
    return Outcome(objection) if objection else Outcome(STAGED, (image_id, target.digest), changed=True)


def tidy(rows: t.Sequence[Row], snapshot: Snapshot, store: Store, memory: Memory, *, everything: bool) -> None:
    """Let go of what was staged for references on which everybody has arrived.

    Where the run looked at C(everything), also of what was staged for references that nobody is on any more.
    """
    staged = {name: image.id for name, image in local_names(snapshot.images).items() if names.is_staged(name)}
    if not staged:
        return
    by_prefix: dict[str, list[Status]] = {}
    for row in rows:
        name = name_of(row.workload)
        if name is not None:
            prefix = names.staged_for(name, base(platform_of(row.workload, snapshot)))
            by_prefix.setdefault(prefix, []).append(row.finding.status)
    over = {prefix for prefix, found in by_prefix.items() if all(one in _DONE for one in found)}
    if everything:
        over |= set(map(_of, staged)) - set(by_prefix)
    for name, image_id in staged.items():
        if _of(name) in over:
            let_go(name, image_id, store, memory)


def let_go(name: str, image_id: str, store: Store, memory: Memory) -> None:
    """Take a name of ours away; it stays where a container uses the image."""
    with contextlib.suppress(StoreError):
        if memory.options.prune:
            store.remove_name(name)
        else:
            store.untag(image_id, name)


def _changes(discovery: Discovery, decisions: t.Mapping[str, Decision]) -> list[Change]:
    return [
        Change(one, target) for one in discovery.workloads if (target := decisions[one.container_id].target) is not None
    ]


def _of(name: str) -> str:
    """The part of a name that all images of one reference and platform share."""
    return name.rpartition("-")[0] + "-"


def _id(change: Change) -> str:
    return change.workload.container_id
