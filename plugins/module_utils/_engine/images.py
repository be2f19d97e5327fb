# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door for looking images up, in any store, archive, layout or registry. Nothing is changed."""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict, dataclass, field

from .._edges import containers_conf
from .._edges.command import Command, podman_info
from .._edges.credentials import CredentialFiles
from .._images.found import Image
from .._images.lookup import Answer, Engine, Entry, LookUp, World
from .._pure import image_filters, records
from .._pure.errors import EngineError, InputError
from .._pure.image_facts import ImageFacts
from .._pure.platforms import Platform
from .._pure.reasons import Reason
from .._pure.registries import RegistriesConf
from .._pure.texts import printable
from .joining import registry_client
from .settings import (
    LONGEST_TIMEOUT,
    REGISTRY_SECONDS,
    REGISTRY_WIDTH,
    Access,
    must_be_in_range,
    must_be_reachable,
)

if t.TYPE_CHECKING:
    from .._images.protocols import Archives, EngineStore, PodmanStore, Registry

#: What is wrong in none of these cases: the image is not there, and that is the answer.
_NOT_THERE = frozenset({Reason.IMAGE_UNKNOWN, Reason.NOT_FOUND})
_SHOWN_FAILURES = 3


@dataclass(frozen=True)
class ImageSettings:
    """What a caller may ask. C(names) is None for all images of the store; C(filters) are podman's own.

    C(timeout) bounds one request to a registry, in seconds.
    """

    names: tuple[str, ...] | None = None
    engine: str = Engine.PODMAN.value
    platform: str | None = None
    filters: tuple[str, ...] = ()
    manifest_list: bool = False
    timeout: float = REGISTRY_SECONDS
    access: Access = field(default_factory=Access)


@dataclass(frozen=True)
class ImageReport:
    """What was found, as C(image_info) returns it."""

    answer: Answer

    @property
    def failures(self) -> list[Entry]:
        """The queries that could not be answered; that an image is not there is an answer."""
        return [one for one in self.answer.entries if _failure(one) is not None]

    def to_result(self) -> dict[str, t.Any]:
        """Everything that was found, whatever else failed."""
        result: dict[str, t.Any] = {
            "changed": False,
            "images": [_row(one) for one in self.answer.entries],
            "registries": [asdict(usage) for usage in self.answer.registries],
        }
        if self.failures:
            result.update(failed=True, msg=self._message(), reason=_reason(self.failures[0]))
        return result

    def _message(self) -> str:
        asked = len(self.answer.entries)
        shown = [_named(one) for one in self.failures[:_SHOWN_FAILURES]]
        more = len(self.failures) - len(shown)
        told = "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
        return f"{len(self.failures)} of {asked} could not be looked up: {told}"


def image_info(settings: ImageSettings) -> ImageReport:
    """Look images up.

    Raises:
        InputError: A setting is unusable.
        EngineError: All images of a store were asked for, and the store could not be read.
        MissingLibraryError: A registry is to be asked, and requests is not there.
    """
    must_be_in_range("registry_timeout", settings.timeout, LONGEST_TIMEOUT)
    must_be_reachable(settings.access)
    engine = Engine(settings.engine)
    platform = Platform.parse(settings.platform) if settings.platform else None
    for name, given in (("filters", settings.filters), ("manifest_list", settings.manifest_list)):
        if given and engine is not Engine.PODMAN:
            raise InputError(f"{name} is for podman's store only, not for {engine.value}")
    if settings.filters and settings.names is not None:
        raise InputError("filters choose among all images of the store: leave name out, or filters")
    look_up = LookUp(_world(settings), engine, platform, manifest_list=settings.manifest_list)
    if settings.names is None:
        return ImageReport(look_up.everything(image_filters.checked(settings.filters)))
    return ImageReport(look_up.names(settings.names))


def _world(settings: ImageSettings) -> World:
    return World(_podman, _docker, _cri, _archives, lambda: _registry(settings.access, settings.timeout), _machine())


# What is not asked for is not imported.


def _podman() -> PodmanStore:
    from .._edges.podman_images import PodmanImages  # noqa: PLC0415

    return PodmanImages()


def _docker() -> EngineStore:
    from .._edges.docker import Docker  # noqa: PLC0415

    return Docker()


def _cri() -> EngineStore:
    from .._edges.cri import Cri  # noqa: PLC0415

    return Cri()


def _archives() -> Archives:
    from .._edges.archives.reader import images_of  # noqa: PLC0415

    return images_of


def _registry(access: Access, timeout: float) -> Registry:
    """registries.conf is read by podman; where there is none, there is no such file to heed either.

    A podman that fails is passed over where no such file could block a registry or lead elsewhere.
    """
    files = CredentialFiles(access.credentials, access.authfile)
    conf = RegistriesConf()
    try:
        podman = Command.podman()
    except EngineError:
        pass
    else:
        try:
            conf = records.host_facts(podman_info(podman)).registries
        except EngineError:
            if containers_conf.may_lead_elsewhere():
                raise
    return registry_client(access, files, conf, REGISTRY_WIDTH, timeout=timeout)


def _machine() -> Platform:
    return Platform.normalised("linux", os.uname().machine)


def _failure(entry: Entry) -> EngineError | None:
    error = entry.outcome
    return error if isinstance(error, EngineError) and error.reason not in _NOT_THERE else None


def _named(entry: Entry) -> str:
    """The failure with its query, which many messages name themselves."""
    said, query = str(_failure(entry)), printable(entry.query or "")
    return said if query in said else f"{query}: {said}"


def _reason(entry: Entry) -> str | None:
    outcome = entry.outcome
    reason = outcome.facts.reason if isinstance(outcome, Image) else outcome.reason
    return reason.value if reason else None


def _row(entry: Entry) -> dict[str, t.Any]:
    outcome, failure = entry.outcome, _failure(entry)
    facts = outcome.facts if isinstance(outcome, Image) else ImageFacts(None, "")
    platform = facts.platform
    return {
        "query": entry.query,
        "found": isinstance(outcome, Image),
        "reason": _reason(entry),
        "error": str(failure) if failure else None,
        "name": (isinstance(outcome, Image) and outcome.name) or facts.name,
        "id": facts.id,
        "engine_id": facts.engine_id,
        "digest": facts.digest,
        "digests": sorted(facts.digests),
        "tags": list(facts.tags),
        "repo_digests": list(facts.repo_digests),
        "platform": {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
        if platform
        else None,
        "created": facts.created,
        "size": facts.size,
        "labels": dict(facts.labels),
        "source": facts.source or None,
        "corrupted": facts.corrupted,
        "is_manifest_list": facts.is_manifest_list,
    }
