# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Look up images wherever they are: each name goes to what can hold it, and one that fails loses no other."""

from __future__ import annotations

import concurrent.futures
import enum
import typing as t
from dataclasses import dataclass

from .._pure.errors import EngineError, ImageError, RegistryError
from .._pure.image_facts import ImageFacts
from .._pure.image_names import Source, Transport, parse_image_name
from .._pure.platforms import Platform
from .._pure.questions import RegistryUsage
from .._pure.reasons import Reason
from .._pure.references import DOCKER_TRANSPORT, Reference
from .._pure.texts import printable
from . import in_engine, in_podman
from .found import Image, Outcome
from .protocols import Archives, EngineStore, PodmanStore, Registry

#: How many questions a registry is asked at once.
_WIDTH = 8


class Engine(str, enum.Enum):
    """Whose store is meant by a name that does not say."""

    PODMAN = "podman"
    DOCKER = "docker"
    CRI = "cri"


@dataclass(frozen=True)
class World:
    """How to come to what holds images; nothing is started or imported that no name needs."""

    podman: t.Callable[[], PodmanStore]
    docker: t.Callable[[], EngineStore]
    cri: t.Callable[[], EngineStore]
    archives: t.Callable[[], Archives]
    registry: t.Callable[[], Registry]
    #: The platform of this machine.
    platform: Platform


@dataclass(frozen=True)
class Entry:
    """The answer to one query, which is None where all images were asked for; a source with several images gives several."""

    query: str | None
    outcome: Outcome


@dataclass(frozen=True)
class Answer:
    """All answers in the order of the queries, and what registries were asked for it."""

    entries: tuple[Entry, ...]
    registries: tuple[RegistryUsage, ...] = ()


class _Place(enum.Enum):
    """What can hold an image of a name."""

    PODMAN = enum.auto()
    DOCKER = enum.auto()
    CRI = enum.auto()
    ARCHIVE = enum.auto()
    REGISTRY = enum.auto()


_TRANSPORTS = frozenset(one.value for one in Transport)
_STORES = {Engine.PODMAN: _Place.PODMAN, Engine.DOCKER: _Place.DOCKER, Engine.CRI: _Place.CRI}


class LookUp:
    """One run over some names."""

    def __init__(self, world: World, engine: Engine, platform: Platform | None, *, manifest_list: bool) -> None:
        self._world = world
        self._engine = engine
        self._platform = platform
        self._manifest_list = manifest_list

    def everything(self, filters: t.Sequence[str]) -> Answer:
        """All images of the engine's store; C(filters) are podman's.

        Raises:
            StoreError: The engine could not be asked.
        """
        if self._engine is Engine.PODMAN:
            images = in_podman.everything(self._world.podman(), filters, self._platform)
        else:
            images = in_engine.everything(self._store(), self._platform)
        return Answer(tuple(Entry(None, one) for one in images))

    def names(self, queries: t.Sequence[str]) -> Answer:
        """Each query's images. What goes wrong is in the entry of the query that it concerns."""
        places: dict[_Place, list[str]] = {}
        outcomes: dict[str, list[Outcome]] = {}
        for query in dict.fromkeys(queries):
            try:
                places.setdefault(self._place(query), []).append(query)
            except ImageError as error:
                outcomes[query] = [error]
        usage: tuple[RegistryUsage, ...] = ()
        for place, found in places.items():
            if place is _Place.REGISTRY:
                answers, usage = self._in_registries(found)
                outcomes.update(answers)
            else:
                outcomes.update(self._in_place(place, found))
        return Answer(tuple(Entry(query, one) for query in queries for one in outcomes[query]), usage)

    def _place(self, query: str) -> _Place:
        name = self._parsed(query)
        if isinstance(name, Source):
            stores = {Transport.CONTAINERS_STORAGE: _Place.PODMAN, Transport.DOCKER_DAEMON: _Place.DOCKER}
            return stores.get(name.transport, _Place.ARCHIVE)
        return _Place.REGISTRY if query.startswith(DOCKER_TRANSPORT) else _STORES[self._engine]

    def _parsed(self, query: str) -> object:
        try:
            return parse_image_name(query)
        except ImageError:
            # podman's grammar for its own store is a little wider; everywhere else this is the end.
            if self._engine is not Engine.PODMAN or query.partition(":")[0] in _TRANSPORTS:
                raise
            return None

    def _in_place(self, place: _Place, queries: t.Sequence[str]) -> dict[str, list[Outcome]]:
        try:
            if place is _Place.ARCHIVE:
                return {query: self._in_archive(query) for query in queries}
            if place is _Place.PODMAN:
                found = in_podman.look_up(
                    self._world.podman(), queries, self._platform, manifest_list=self._manifest_list
                )
            else:
                store = self._world.docker() if place is _Place.DOCKER else self._world.cri()
                found = in_engine.look_up(store, [_within_engine(query) for query in queries], self._platform)
        except EngineError as error:
            return {query: [error] for query in queries}
        return {query: [one] for query, one in zip(queries, found)}

    def _in_archive(self, query: str) -> list[Outcome]:
        source = t.cast("Source", parse_image_name(query))
        try:
            images = self._world.archives()(source, self._wanted)
        except EngineError as error:
            return [error]
        fitting = [one for one in images if self._fits(one)]
        if images and not fitting:
            return [ImageError(f"{printable(query)}: {self._others(images)}", Reason.IMAGE_UNKNOWN)]
        return [Image(one) for one in fitting]

    def _in_registries(self, queries: t.Sequence[str]) -> tuple[dict[str, list[Outcome]], tuple[RegistryUsage, ...]]:
        """Many at once. A missing library is no answer of a registry: it ends the run, and may be mended by another Python."""
        try:
            registry = self._world.registry()
        except EngineError as error:
            return {query: [error] for query in queries}, ()
        with concurrent.futures.ThreadPoolExecutor(max_workers=_WIDTH) as pool:
            found = pool.map(lambda query: [self._described(registry, query)], queries)
            return dict(zip(queries, found)), registry.usage()

    def _described(self, registry: Registry, query: str) -> Outcome:
        reference: Reference = t.cast("Reference", parse_image_name(query))
        try:
            facts = registry.describe(reference, self._wanted)
        except EngineError as error:
            return error
        if not self._fits(facts):
            return RegistryError(f"{printable(query)}: {self._others([facts])}", Reason.NOT_FOUND)
        return Image(facts, reference.name)

    def _fits(self, facts: ImageFacts) -> bool:
        """Whether an image that no index offered is one for the platform, where one was asked for."""
        return self._platform is None or facts.platform is None or self._platform.runs(facts.platform)

    def _others(self, images: t.Iterable[ImageFacts]) -> str:
        there = sorted({str(one.platform) for one in images})
        return f"there is no image for {self._platform}, but for {printable(', '.join(there))}"

    def _store(self) -> EngineStore:
        return self._world.docker() if self._engine is Engine.DOCKER else self._world.cri()

    @property
    def _wanted(self) -> Platform:
        return self._platform or self._world.platform


def _within_engine(query: str) -> str:
    """The name as the engine has it, without the transport that leads to the engine."""
    return query[len("docker-daemon:") :] if query.startswith("docker-daemon:") else query
