# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Resolve and decide: ask the registries once for each distinct image, all side by side, and judge every workload."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._pure.decisions import Decision, Finding, RemoteImage, Workload, decide_local, decide_registry
from .._pure.errors import RegistryError
from .._pure.platforms import Platform
from .._pure.policies import Policy
from .._pure.questions import Question
from .._pure.reasons import Status
from .._pure.records import ImageRecord, Snapshot
from .discover import local_names
from .protocols import Registry

_Answer = t.Union[RemoteImage, RegistryError]
#: What makes two workloads one question: reference, platform, and the authfile of the container's label.
_Key = tuple[str, Platform, t.Optional[str]]


def resolve_all(
    workloads: t.Sequence[Workload], snapshot: Snapshot, registry: t.Callable[[int], Registry], width: int
) -> dict[str, Decision]:
    """The decision for each workload, by container ID.

    C(registry) is called only where there is something to ask, with the number of threads that will: at most C(width).
    """
    open_ = [one for one in workloads if one.finding is None]
    questions = _questions([one for one in open_ if one.policy is Policy.REGISTRY], snapshot)
    answers = _ask(questions, registry, width)
    names = local_names(snapshot.images)
    decisions = {one.container_id: Decision(one.finding, one.image_digest) for one in workloads if one.finding}
    for one in open_:
        if one.policy is Policy.LOCAL:
            decisions[one.container_id] = _decide_local(one, names)
        else:
            decisions[one.container_id] = _decide(one, answers[_key(one, snapshot)])
    return with_one_image_per_tag(workloads, decisions, snapshot)


def with_one_image_per_tag(
    workloads: t.Sequence[Workload], decisions: t.Mapping[str, Decision], snapshot: Snapshot
) -> dict[str, Decision]:
    """Let a tag that follows the registry have its way: who follows the same tag locally will meet it there.

    To be asked again whenever decisions were taken back: a tag that will not move then decides nothing for others.
    """
    registry = {one.container_id for one in workloads if one.policy is Policy.REGISTRY}
    moving = {
        decision.target.name: decision.target
        for container_id, decision in decisions.items()
        if container_id in registry and decision.target
    }
    names = local_names(snapshot.images)
    settled = dict(decisions)
    for one in workloads:
        decided = decisions[one.container_id]
        if (
            one.policy is not Policy.LOCAL
            or one.finding
            or decided.final
            or not (decided.target or decided.finding.status is Status.CURRENT)
        ):
            continue
        target = moving.get(one.resolved_name)
        if target is None:
            settled[one.container_id] = _decide_local(one, names)
        elif target.id is not None and target.id == one.image_id:
            settled[one.container_id] = Decision(Finding(Status.CURRENT), one.image_digest)
        else:
            settled[one.container_id] = Decision(Finding(Status.PENDING), one.image_digest, target)
    return settled


def _decide_local(workload: Workload, names: t.Mapping[str, ImageRecord]) -> Decision:
    image = names.get(workload.resolved_name)
    return decide_local(workload, (image.id, image.shown_digest) if image else None)


def platform_of(workload: Workload, snapshot: Snapshot) -> Platform:
    """The platform of the image that the container runs; the variant, which podman does not tell, is the host's."""
    host = snapshot.host.platform
    image = snapshot.images.get(workload.image_id or "")
    if image is None or image.platform is None or image.platform.architecture == host.architecture:
        return host
    return image.platform


def _key(workload: Workload, snapshot: Snapshot) -> _Key:
    return t.cast("t.Any", workload.reference).name, platform_of(workload, snapshot), workload.authfile


def _questions(workloads: t.Sequence[Workload], snapshot: Snapshot) -> dict[_Key, Question]:
    """One question for each reference, platform and authfile.

    Where containers run different images of one reference, only digests known to all of them spare the manifest.
    """
    questions: dict[_Key, Question] = {}
    for one in workloads:
        key = _key(one, snapshot)
        known = one.digests & questions[key].known if key in questions else one.digests
        questions[key] = Question(t.cast("t.Any", one.reference), key[1], known, one.authfile)
    return questions


def _ask(
    questions: t.Mapping[_Key, Question], registry: t.Callable[[int], Registry], width: int
) -> dict[_Key, _Answer]:
    if not questions:
        return {}
    threads = min(width, len(questions))
    client = registry(threads)
    client.prepare(questions.values())

    def ask(question: Question) -> _Answer:
        try:
            return client.resolve(question)
        except RegistryError as error:
            return error

    with ThreadPoolExecutor(max_workers=threads) as pool:
        return dict(zip(questions, pool.map(ask, questions.values())))


def _decide(workload: Workload, answer: _Answer) -> Decision:
    if isinstance(answer, RegistryError):
        return Decision(Finding(Status.UNKNOWN, answer.reason, str(answer)), workload.image_digest)
    return decide_registry(workload, answer)
