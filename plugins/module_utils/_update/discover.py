# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Discover: which containers take part, and what is known of each without asking a registry.

The rules are those of podman-auto-update(1), in its order, plus two of ours: the unit must own the container's
processes, and the reference is the one that the container was created from.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from .._pure.decisions import Finding, Workload
from .._pure.errors import StoreError
from .._pure.kube_files import KubeContainer
from .._pure.ownership import is_service_name
from .._pure.policies import LABEL, InvalidPolicyError, Policy, parse_policy
from .._pure.raw_names import RawName, find_raw_name
from .._pure.reasons import Reason, Status
from .._pure.records import AUTHFILE_LABEL, ContainerDetails, HostFacts, ImageRecord, ListedContainer, Snapshot
from .._pure.references import InvalidReferenceError, Reference
from .._pure.selection import Selection
from .._pure.start_pulls import NOTHING_SAID, StartPull
from .protocols import Definitions, Processes, Store

#: What stands between the option and the pattern in a warning.
_OF_A_PATTERN = ": the pattern "


@dataclass(frozen=True)
class Trust:
    """What is believed of a container: C(definitions) are the files that say what podman does not tell.

    C(labels) says that a unit label counts although the unit does not own the container's processes.
    """

    definitions: Definitions | None = None
    labels: bool = False


@dataclass(frozen=True)
class _Made:
    """How a container was made: its image argument, and what its definition says of pulls. C(problem) is why neither is known."""

    raw: RawName | None
    start: StartPull = NOTHING_SAID
    problem: str = "the image argument that created it cannot be told"


@dataclass(frozen=True)
class Discovery:
    """The workloads of a host, sorted, and the snapshot that they were found in."""

    workloads: tuple[Workload, ...]
    snapshot: Snapshot
    unused_patterns: tuple[tuple[str, str], ...]

    def pattern_warnings(self) -> list[str]:
        """A warning for each pattern that is most likely a typing error."""
        return [
            f"{option}{_OF_A_PATTERN}{pattern!r} matches no container that takes part in updates"
            for option, pattern in self.unused_patterns
        ]


def is_pattern_warning(text: str) -> bool:
    """Whether a warning is one of those."""
    return text.startswith(tuple(f"{option}{_OF_A_PATTERN}" for option in ("only", "exclude")))


@dataclass(frozen=True)
class _Candidate:
    """A running container with a policy label, and the container whose unit label and processes count for it."""

    container: ListedContainer
    policy: Policy | None
    invalid: str | None
    keeper: ListedContainer | None

    # What a selection looks at, as far as it is known before the container is inspected.

    @property
    def unit(self) -> str | None:
        return self.keeper.unit_label if self.keeper else None

    @property
    def container_name(self) -> str:
        return self.container.name

    @property
    def container_id(self) -> str:
        return self.container.id

    @property
    def image(self) -> str:
        return self.container.image_name

    @property
    def likely_question(self) -> Reference | None:
        """What the registry will be asked for, unless the container was made by ID, by digest or by a short name."""
        if self.policy is not Policy.REGISTRY:
            return None
        try:
            reference = Reference.parse(self.container.image_name)
        except InvalidReferenceError:
            return None
        # podman gives an image that was built here the registry «localhost», at which nobody listens.
        asked = reference.fully_qualified and not reference.digest and reference.registry != "localhost"
        return reference if asked else None


def discover(
    store: Store,
    processes: Processes,
    selection: Selection,
    policies: t.Collection[Policy],
    begin: t.Callable[[t.Callable[[], HostFacts], t.Collection[Reference]], None] | None = None,
    trust: Trust = Trust(),
) -> Discovery:
    """Find the workloads that take part. No registry is contacted, nothing is changed.

    The snapshot holds the images that candidates run. Where decisions will follow, C(begin) is given: it is told as soon
    as possible what registries will most likely be asked for, and for those that follow local names all images are noted.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        # Side by side: nothing but the judgement needs the host's facts, which take podman the longest.
        host = pool.submit(store.host)
        containers = store.containers()
        candidates = _candidates(containers)
        if begin and Policy.REGISTRY in policies:
            likely = {one.likely_question for one in candidates if selection.takes(one)}
            references = [one for one in likely if one is not None]
            if references:
                begin(host.result, references)
        follow_names = begin and Policy.LOCAL in {one.policy for one in candidates}.intersection(policies)
        images = pool.submit(store.images) if follow_names else None
        details, opened = _inspect(store, candidates) if candidates else ({}, {})
        snapshot = Snapshot(containers, {**(images.result() if images else {}), **opened}, host.result())
    found = [
        _workload(one, details, snapshot.images, processes, trust)
        for one in candidates
        if one.container.id in details  # else it vanished during the scan, which is nobody's failure
    ]
    wanted = [one for one in found if one.policy is None or one.policy in policies]
    taken = [one for one in wanted if selection.takes(one)]
    workloads = tuple(sorted(taken, key=lambda one: (one.unit or "", one.container_name, one.container_id)))
    return Discovery(_with_sharers(workloads, snapshot.containers), snapshot, selection.unused(wanted))


def workloads_of(
    store: Store, processes: Processes, units: t.Collection[str], definitions: Definitions | None
) -> tuple[tuple[Workload, ...], dict[str, ImageRecord]]:
    """All running containers of these units, whether they take part in updates or not, and the images of local storage."""
    containers = store.containers()
    infra = {one.pod: one for one in containers if one.is_infra and one.pod}
    candidates = []
    for one in containers:
        keeper = infra.get(one.pod) if one.pod else one
        if one.state == "running" and not one.is_infra and keeper and keeper.unit_label in units:
            candidates.append(_Candidate(one, None, None, keeper))
    if not candidates:
        return (), {}
    details, opened = _inspect(store, candidates)
    images = {**opened, **store.images()}
    trust = Trust(definitions)
    found = [_workload(one, details, images, processes, trust) for one in candidates if one.container.id in details]
    return tuple(sorted(found, key=lambda one: (one.unit or "", one.container_name, one.container_id))), images


def _inspect(
    store: Store, candidates: t.Sequence[_Candidate]
) -> tuple[dict[str, ContainerDetails], dict[str, ImageRecord]]:
    """One call for all candidates, the keepers of their pods, and the images that they run."""
    containers = {one.container.id for one in candidates} | {one.keeper.id for one in candidates if one.keeper}
    running = {one.container.image_id for one in candidates if one.container.image_id}
    return store.details(sorted(containers), sorted(running))


def _candidates(containers: t.Sequence[ListedContainer]) -> list[_Candidate]:
    infra = {one.pod: one for one in containers if one.is_infra and one.pod}
    candidates = []
    for container in containers:
        if container.state != "running" or container.is_infra:
            continue
        invalid = None
        try:
            policy = parse_policy(container.labels.get(LABEL))
        except InvalidPolicyError as error:
            policy, invalid = None, str(error)
        if policy or invalid:
            keeper = infra.get(container.pod) if container.pod else container
            candidates.append(_Candidate(container, policy, invalid, keeper))
    return candidates


def _workload(
    candidate: _Candidate,
    details: t.Mapping[str, ContainerDetails],
    images: t.Mapping[str, ImageRecord],
    processes: Processes,
    trust: Trust,
) -> Workload:
    container, keeper = candidate.container, candidate.keeper
    detail = details[container.id]
    image = images.get(container.image_id or "")
    keeper_detail = details.get(keeper.id) if keeper else None
    made = _made(container, detail, keeper, keeper_detail, trust.definitions)
    raw = made.raw
    workload = Workload(
        container_id=container.id,
        container_name=container.name,
        unit=keeper.unit_label if keeper else None,
        image=raw.text if raw else detail.image_name,
        policy=candidate.policy,
        reference=raw.reference if raw else None,
        resolved_name=detail.image_name,
        image_id=container.image_id,
        image_digest=image.shown_digest if image else None,
        digests=image.digests if image else frozenset(),
        main_pid=keeper_detail.conmon_pid if keeper_detail else 0,
        warnings=(Reason.ANONYMOUS_VOLUME,) if detail.has_anonymous_volume else (),
        authfile=container.labels.get(AUTHFILE_LABEL) or None,
        start=made.start,
    )
    if candidate.invalid:
        return replace(workload, finding=Finding(Status.FAILED, Reason.INVALID_POLICY, candidate.invalid))
    if raw and raw.pinned:
        return replace(workload, finding=Finding(Status.PINNED))
    objection = _label_objection(workload, in_pod=bool(container.pod))
    objection = objection or _owner_objection(workload, processes, trusted=trust.labels)
    objection = objection or _reference_objection(workload, made.problem)
    return replace(workload, finding=objection or _authfile_objection(workload, image))


def _made(
    container: ListedContainer,
    detail: ContainerDetails,
    keeper: ListedContainer | None,
    keeper_detail: ContainerDetails | None,
    definitions: Definitions | None,
) -> _Made:
    """The command that made a container says how; that of a pod from Kubernetes YAML is not kept, the file says it."""
    unit = keeper.unit_label if keeper else None
    if detail.create_command or definitions is None or not (container.pod and unit and is_service_name(unit)):
        raw = find_raw_name(detail.create_command, detail.image_name, container.image_id)
        return _Made(raw, StartPull.of_command(detail.create_command, raw.text) if raw else NOTHING_SAID)
    try:
        said = definitions.kube_containers(unit, keeper_detail.create_command if keeper_detail else ())
    except StoreError as error:
        return _Made(None, problem=str(error))
    return _made_by_kube(container, detail, said)


def _made_by_kube(container: ListedContainer, detail: ContainerDetails, said: t.Sequence[KubeContainer]) -> _Made:
    named = {(one.image, one.pull_policy) for one in said if one.is_called(container.name)}
    if len(named) != 1:
        times = "does not name it" if not named else "names it more than once"
        return _Made(None, problem=f"the Kubernetes YAML of its unit {times}")
    ((image, policy),) = named
    raw = find_raw_name(("", image), detail.image_name, container.image_id)
    problem = f"the Kubernetes YAML of its unit says {image[:200]!r}, but it was made from {detail.image_name}"
    return _Made(raw, StartPull(policy, kube=True), problem)


def _label_objection(workload: Workload, *, in_pod: bool) -> Finding | None:
    """What forbids to restart the unit that the label names, as far as the label itself tells."""
    if not workload.unit:
        whose = "the infra container of its pod has" if in_pod else "it has"
        return _failed(Reason.NO_UNIT_LABEL, f"{whose} no PODMAN_SYSTEMD_UNIT label")
    if not is_service_name(workload.unit):
        return _failed(Reason.UNIT_MISMATCH, f"{workload.unit[:80]!r} is not the name of a service")
    return None


def _owner_objection(workload: Workload, processes: Processes, *, trusted: bool) -> Finding | None:
    """Whether the unit really has the container's processes; a C(trusted) label needs only a manager that is reached."""
    owner = processes.owner(workload.main_pid)
    if owner is not None and owner.is_of_other_manager:
        return _failed(Reason.OTHER_MANAGER, f"its processes belong to {owner.unit}")
    if not trusted and (owner is None or owner.unit != workload.unit):
        whose = f"to {owner.unit}" if owner else "to no unit"
        return _failed(Reason.UNIT_MISMATCH, f"its label names {workload.unit}, but its processes belong {whose}")
    return None


def _reference_objection(workload: Workload, problem: str) -> Finding | None:
    """Whether there is something to follow."""
    if workload.reference is None or workload.image_id is None:
        return _failed(Reason.RAW_NAME_UNKNOWN, problem)
    if workload.policy is Policy.REGISTRY and not workload.reference.fully_qualified:
        return _failed(Reason.SHORT_NAME, f"{workload.image!r} does not name its registry")
    return None


def _authfile_objection(workload: Workload, image: ImageRecord | None) -> Finding | None:
    """An image must not choose the file with which its registry is asked; a container's own label may."""
    if workload.policy is not Policy.REGISTRY or workload.authfile is None:
        return None
    if image is not None and image.labels.get(AUTHFILE_LABEL) != workload.authfile:
        return None
    whose = "comes from its image" if image else "may come from its image, which is gone"
    return Finding(Status.UNKNOWN, Reason.AUTHFILE_UNTRUSTED, f"the label {AUTHFILE_LABEL} {whose}")


def _failed(reason: Reason, error: str) -> Finding:
    return Finding(Status.FAILED, reason, error)


def _with_sharers(workloads: tuple[Workload, ...], containers: t.Sequence[ListedContainer]) -> tuple[Workload, ...]:
    """Note beside each workload which others, that take no part, would meet a moved tag at their next start."""
    taking_part = {one.container_id for one in workloads if one.finding is None}
    others: dict[str, dict[str, str]] = {}
    for container in containers:
        if container.id not in taking_part and not container.is_infra:
            others.setdefault(container.image_name, {})[container.id] = container.name or container.id[:12]

    def beside(workload: Workload) -> tuple[str, ...]:
        sharers = others.get(workload.resolved_name, {})
        return tuple(sorted(sharers[id_] for id_ in sharers if id_ != workload.container_id))

    return tuple(replace(one, shared_with=beside(one)) for one in workloads)


def with_all_images(snapshot: Snapshot, store: Store) -> Snapshot:
    """The snapshot with all images of local storage, and with their names as they are now."""
    now = store.images()
    known = {key: replace(one, names=now[key].names) for key, one in snapshot.images.items() if key in now}
    return replace(snapshot, images={**now, **known})


def local_names(images: t.Mapping[str, ImageRecord]) -> dict[str, ImageRecord]:
    """Which image each name in local storage points to."""
    return {name: image for image in images.values() for name in image.names}
