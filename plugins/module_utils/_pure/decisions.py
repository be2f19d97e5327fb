# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The decision for one workload: does it run what its reference names now?"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .policies import Policy
from .reasons import Reason, Status
from .references import Reference
from .start_pulls import NOTHING_SAID, StartPull


@dataclass(frozen=True)
class Finding:
    """A status with its reason and, where something is wrong, a sentence that says what."""

    status: Status
    reason: Reason | None = None
    error: str | None = None


@dataclass(frozen=True)
class RemoteImage:
    """What a registry answered for one reference and platform.

    C(digest) is what the tag answered with. The rest is known only where C(digest) told nothing and the manifest was
    opened: C(platform_digest) of an index's instance, C(id) (the config digest) and C(size) of the layers in bytes, and
    the C(layers) themselves, by digest and size.
    C(media_type) is of what the tag answered with, C(registry) the host that said so: the origin, or one of the mirrors
    that registries.conf puts before it. C(passed_over) says, a sentence each, why the mirrors before did not tell.
    """

    digest: str
    platform_digest: str | None = None
    id: str | None = None
    size: int | None = None
    layers: tuple[tuple[str, int], ...] = ()
    media_type: str | None = None
    registry: str | None = None
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workload:
    """One container that takes part in updates, with all that decides about it.

    C(image) is the image argument as its user wrote it. C(authfile) is the path that the container's own label names
    for its credentials. C(finding) is set where discovery already ends the matter. C(start) is what its definition says
    of pulling its image at every start.
    """

    container_id: str
    container_name: str
    unit: str | None
    image: str
    policy: Policy | None
    reference: Reference | None
    resolved_name: str
    image_id: str | None
    image_digest: str | None
    digests: frozenset[str]
    main_pid: int
    shared_with: tuple[str, ...] = ()
    warnings: tuple[Reason, ...] = ()
    finding: Finding | None = None
    authfile: str | None = None
    start: StartPull = NOTHING_SAID


@dataclass(frozen=True)
class Target:
    """What a workload should run: an image ID (None until it is pulled and could not be told before) and digest."""

    id: str | None
    digest: str | None
    #: The reference that the pulled image is tagged with; podman's resolved name.
    name: str
    #: What is pulled, C(repository@digest); None where the image is in local storage already.
    pull: str | None = None
    #: The authfile of the container's label, with which it is pulled.
    authfile: str | None = None
    #: Whether this is the way back that somebody asked for: what runs now is then held, and keeps no slot.
    back: bool = False


@dataclass(frozen=True)
class Decision:
    """The finding for one workload and, where it is pending, what it should run.

    C(final) decisions do not follow what their name will mean once others are decided.
    """

    finding: Finding
    digest: str | None
    target: Target | None = None
    final: bool = False


class Sameness(enum.Enum):
    """What shows that an image is the one that the registry has."""

    DIGEST = "digest"
    PLATFORM_DIGEST = "platform_digest"
    ID = "id"


def sameness(digests: t.Collection[str], image_id: str | None, remote: RemoteImage) -> Sameness | None:
    """What an image and the registry's have in common; None: they differ.

    Any recorded digest counts, of the index or of the instance, whatever repository name stands before it. After that
    the config digest does: equal ID is equal content, whatever compression or list stands between.
    """
    if remote.digest in digests:
        return Sameness.DIGEST
    if remote.platform_digest in digests:
        return Sameness.PLATFORM_DIGEST
    return Sameness.ID if remote.id is not None and remote.id == image_id else None


def decide_registry(workload: Workload, remote: RemoteImage) -> Decision:
    """Compare the running image with the registry's."""
    reference = t.cast("Reference", workload.reference)
    same = sameness(workload.digests, workload.image_id, remote)
    if same is not None:
        reason = Reason.SAME_CONTENT if same is Sameness.ID else None
        known = remote.digest if same is Sameness.DIGEST else workload.image_digest
        return Decision(Finding(Status.CURRENT, reason), known)
    target = Target(remote.id, remote.digest, reference.name, reference.at(remote.digest), workload.authfile)
    return Decision(Finding(Status.PENDING), workload.image_digest, target)


def decide_local(workload: Workload, named: tuple[str, str | None] | None) -> Decision:
    """Compare the running image with what the reference names in local storage, C((id, digest)), by image ID."""
    if named is None:
        message = f"{workload.resolved_name} names no image in local storage"
        return Decision(Finding(Status.FAILED, Reason.NO_LOCAL_TAG, message), workload.image_digest)
    image_id, digest = named
    if image_id == workload.image_id:
        return Decision(Finding(Status.CURRENT), workload.image_digest)
    return Decision(Finding(Status.PENDING), workload.image_digest, Target(image_id, digest, workload.resolved_name))
