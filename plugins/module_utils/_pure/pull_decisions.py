# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The decision of a pull (podman's image library, C(Runtime.Pull)): what is fetched, and from where.

The steps are those of the library, in its order. A caller finds the name locally first (C(first_step)). Where that
does not end the matter, it asks for the candidates one after another (C(next_step)), until one is to be fetched or all
are used up (C(last_step)).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .decisions import RemoteImage
from .errors import EngineError, ImageError
from .image_facts import ImageFacts
from .image_names import ImageId, ImageName, Source, Transport
from .platforms import Platform
from .pull_policies import PullPolicy
from .questions import Question
from .reasons import Reason
from .records import HostFacts
from .references import Reference

_GZIP_FAILS = (4, 3)


@dataclass(frozen=True)
class Wanted:
    """One image to pull: the name as it was written, and what it says.

    C(name) is None where the text is no name. C(platform) is the one that was asked for, None where the host's own will do.
    """

    text: str
    name: ImageName | None
    policy: PullPolicy
    platform: Platform | None


@dataclass(frozen=True)
class Local:
    """What a name names in local storage. C(name) is the one that the look-up resolved it to, None for an ID.

    C(by_id) says that the name is an image ID or the beginning of one.
    """

    image: ImageFacts
    name: str | None
    by_id: bool = False


@dataclass(frozen=True)
class Keep:
    """The image in local storage will do. C(reason) says why it was not compared, or why a difference is none."""

    local: Local
    reason: Reason | None = None
    warning: str | None = None


@dataclass(frozen=True)
class Refuse:
    """There is nothing to pull; C(error) says why."""

    error: EngineError


@dataclass(frozen=True)
class Load:
    """The image comes from an archive, a layout or another store; policies do not apply."""

    source: Source


@dataclass(frozen=True)
class Ask:
    """These references are to be asked for, in order. C(policy) is what counts with the platform in mind.

    C(local) is the healthy image that the name names locally, C(corrupted) says that there is a damaged one.
    """

    policy: PullPolicy
    local: Local | None
    candidates: tuple[Reference, ...]
    corrupted: bool = False


@dataclass(frozen=True)
class Fetch:
    """What was decided is to be transferred: C(id) is the image ID that will arrive.

    C(reference) is what the image is then named, C(remote) what its registry answered.
    """

    reference: Reference
    remote: RemoteImage
    id: str
    corrupted: bool = False


@dataclass(frozen=True)
class Bring:
    """What a source holds is not (all) there: C(load) it, or only give C(names) to the image that is there by its ID."""

    source: Source
    image: ImageFacts
    load: bool
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pulled:
    """What a transfer brought: the image IDs that podman printed, each once, and the lines of its log."""

    ids: tuple[str, ...]
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """A store at one moment. C(names) are all names, C(repository@digest) too, with podman's IDs that they point to."""

    host: HostFacts
    images: tuple[ImageFacts, ...] = ()
    names: t.Mapping[str, str] = field(default_factory=dict)


FirstStep = t.Union[Keep, Refuse, Load, Ask]
Step = t.Union[Keep, Refuse, Fetch]
#: What a registry said: its image, or why it did not tell.
Answer = t.Union[RemoteImage, EngineError]


def first_step(
    wanted: Wanted, local: Local | None, candidates: t.Callable[[], t.Sequence[Reference]], *, by_id: bool = False
) -> FirstStep:
    """Decide as far as local storage tells.

    C(candidates) resolves a short name to what it may mean; it raises C(ImageError) where it means nothing. C(by_id)
    says that podman takes the text for an ID although it is none (64 characters of anything).
    """
    if isinstance(wanted.name, Source):
        return Load(wanted.name)
    if isinstance(wanted.name, ImageId) or by_id:
        return _by_id(wanted) if wanted.policy is PullPolicy.ALWAYS else _kept_or_unknown(wanted, local)
    corrupted = local is not None and local.image.corrupted
    local = None if corrupted else local
    policy = wanted.policy.for_platform(wanted.platform)
    if policy is PullPolicy.NEVER:
        return _kept_or_unknown(wanted, local)
    if policy is PullPolicy.MISSING and local is not None:
        return Keep(local)
    if local is not None and local.by_id:
        return _by_id(wanted) if policy is PullPolicy.ALWAYS else Keep(local)
    if local is not None and local.name is not None and wanted.platform is None:
        return Ask(policy, local, (Reference.parse(local.name),), corrupted)
    try:
        found = tuple(candidates())
    except ImageError as error:
        if policy is PullPolicy.NEWER and local is not None:
            return Keep(local, error.reason, str(error))
        return Refuse(error)
    return Ask(policy, local, found, corrupted)


def _by_id(wanted: Wanted) -> Refuse:
    message = f"pull policy is always but image has been referred to by ID ({wanted.text})"
    return Refuse(ImageError(message, Reason.BY_ID))


def _kept_or_unknown(wanted: Wanted, local: Local | None) -> FirstStep:
    if local is not None and not local.image.corrupted:
        return Keep(local)
    if wanted.policy is PullPolicy.NEVER:
        message = f"{wanted.text}: image not known, and the policy is never, so it is not pulled"
        return Refuse(ImageError(message, Reason.IMAGE_UNKNOWN))
    return Refuse(ImageError(f"{wanted.text}: image not known", Reason.IMAGE_UNKNOWN))


def question(wanted: Wanted, ask: Ask, candidate: Reference, host: Platform) -> Question:
    """What to ask for a candidate, for the platform that was asked for, or else for the host's.

    The digests of the local image spare the manifest only where it is an image for that platform: an index's digest is
    recorded for each of its images.
    """
    platform = wanted.platform or host
    image = ask.local.image if ask.local else None
    spared = image is not None and _is_for(image.platform, platform, exact=wanted.platform is not None)
    return Question(candidate, platform, image.digests if image and spared else frozenset())


def _is_for(found: Platform | None, platform: Platform, *, exact: bool) -> bool:
    if found is None:
        return not exact
    if (found.os, found.architecture) != (platform.os, platform.architecture):
        return False
    return not exact or found.variant == platform.variant


def next_step(ask: Ask, candidate: Reference, answer: RemoteImage) -> Step | None:
    """What follows from one candidate's answer; None: it has nothing newer, go on to the next.

    Any recorded digest of the local image counts, of the index or of the platform's own image. After that the image ID
    does: equal ID is equal content, whatever compression or list stands between.
    """
    image = ask.local.image if ask.local else None
    known = image is not None and answer.id is None
    same_content = image is not None and answer.id is not None and answer.id == image.id
    if ask.policy is PullPolicy.NEWER and ask.local is not None:
        if known:
            return None
        # Where the digests were not said to be known, they may be all the same.
        if same_content:
            same_digest = image is not None and {answer.digest, answer.platform_digest} & image.digests
            return Keep(ask.local, None if same_digest else Reason.SAME_CONTENT)
    target = answer.id or (image.id if image else None)
    if target is None:
        message = f"{candidate.name}: the registry does not tell which image this is"
        return Refuse(ImageError(message, Reason.REGISTRY_INVALID))
    return Fetch(candidate, answer, target, ask.corrupted)


def last_step(wanted: Wanted, ask: Ask, errors: t.Sequence[EngineError]) -> Keep | Refuse:
    """What follows when no candidate was fetched: C(newer) is content with what is there, and the rest has failed."""
    if ask.policy is PullPolicy.NEWER and ask.local is not None:
        return Keep(ask.local, errors[0].reason, "; ".join(map(str, errors))) if errors else Keep(ask.local)
    if not errors:
        return Refuse(ImageError(f"{wanted.text}: there is nothing that it could mean", Reason.IMAGE_UNKNOWN))
    if len(errors) == 1:
        return Refuse(errors[0])
    message = f"{len(errors)} errors occurred while pulling: {'; '.join(map(str, errors))}"
    return Refuse(ImageError(message, errors[0].reason))


def loadable(
    step: Keep | Bring | Refuse, podman: tuple[int, ...], is_gzipped: t.Callable[[], bool]
) -> Keep | Bring | Refuse:
    """The step, or a refusal where podman cannot load such a source.

    podman 4.3 fails on a docker-archive that gzip has compressed («loading tar component manifest.json»), but reads
    xz and bzip2, and every compressed oci-archive (seen on 4.3.1; 5.4.2 reads them all).
    """
    if not isinstance(step, Bring) or not step.load or step.source.transport is not Transport.DOCKER_ARCHIVE:
        return step
    if podman[:2] > _GZIP_FAILS or not is_gzipped():
        return step
    message = (
        f"{step.source}: podman 4.3 cannot load a docker-archive that is compressed with gzip; decompress it first"
    )
    return Refuse(ImageError(message, Reason.UNSUPPORTED_TRANSPORT))


def load_step(
    source: Source,
    images: t.Sequence[ImageFacts],
    stored: t.Callable[[str | None], ImageFacts | None],
    names: t.Mapping[str, str],
) -> Keep | Bring | Refuse:
    """Decide about a source by what it holds. C(stored) gives the healthy image of an ID, C(names) all local names.

    As for podman-pull(1), a source must hold one image, or have been told which one; that may have several names.
    """
    ids = {image.id for image in images}
    if len(ids) != 1:
        error = ImageError(f"{source}: it holds {len(ids)} images, and one must be chosen", Reason.AMBIGUOUS)
        return Refuse(error)
    tags = tuple(dict.fromkeys(tag for image in images for tag in image.tags))
    image = replace(images[0], tags=tags)
    there = stored(image.id)
    if there is None:
        return Bring(source, image, load=True)
    missing = tuple(tag for tag in tags if names.get(tag) != image.id)
    if missing:
        return Bring(source, image, load=False, names=missing)
    return Keep(Local(there, tags[0] if tags else None))
