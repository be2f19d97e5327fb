# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Compare images in podman's storage with the registries: look all names up, ask each registry once for each image."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .._pure.comparisons import UNUSABLE, Comparison, seen_locally, told
from .._pure.decisions import RemoteImage
from .._pure.errors import ImageError, RegistryError, StoreError
from .._pure.image_facts import ImageFacts
from .._pure.image_names import ImageName, parse_image_name
from .._pure.manifests import Index
from .._pure.platforms import Platform
from .._pure.questions import Question, RegistryUsage
from .._pure.reasons import ImageStatus
from .._pure.records import HostFacts
from .._pure.references import Reference
from .found import Image, Outcome
from .in_podman import look_up
from .protocols import PodmanStore
from .registry_protocols import Registry

#: More threads than this wait for each other rather than for registries.
_MOST_THREADS = 64

_Key = tuple[str, Platform]
_Connect = t.Callable[[HostFacts, int], Registry]


@dataclass(frozen=True)
class Compared:
    """What was found of each name, in the order asked, and what registries were asked for."""

    images: tuple[Comparison, ...]
    registries: tuple[RegistryUsage, ...]

    @property
    def unusable(self) -> tuple[Comparison, ...]:
        """Those whose name means nothing anywhere."""
        return tuple(one for one in self.images if one.status is ImageStatus.UNKNOWN and one.reason in UNUSABLE)


def compare(
    store: PodmanStore, registry: _Connect, names: t.Sequence[str], platform: Platform | None, width: int
) -> Compared:
    """Compare each name's image in local storage with what the name means in its registry.

    C(registry) is called only where there is something to ask. C(width) is how many requests one registry gets at once.

    Raises:
        StoreError: podman could not be asked.
    """
    looked = _Looked(store)
    parsed = {name: _parse(name) for name in names}
    texts = [_local_text(name, parsed[name]) for name in parsed]
    outcomes = look_up(looked, texts, platform, manifest_list=False) if texts else []
    seen = {name: _seen(name, parsed[name], outcome) for name, outcome in zip(parsed, outcomes)}
    keys = {
        name: (one.reference.name, platform or _platform_of(one.local, looked.host))
        for name, one in seen.items()
        if one.status is None and one.reference is not None
    }
    questions = _questions(seen, keys)
    client = registry(looked.host, width) if questions else None
    answers = _ask(client, questions, width) if client else {}
    done = {name: told(one, answers[keys[name]]) if name in keys else one for name, one in seen.items()}
    return Compared(tuple(done[name] for name in names), client.usage() if client else ())


class _Looked:
    """A store that is listed once."""

    def __init__(self, store: PodmanStore) -> None:
        self._store = store
        self.host, self._images = store.look()

    def look(self, filters: t.Sequence[str] = ()) -> tuple[HostFacts, tuple[ImageFacts, ...]]:
        """The one listing of all images."""
        del filters
        return self.host, self._images

    def details(self, keys: t.Iterable[str]) -> dict[str, ImageFacts]:
        """All about some images."""
        return self._store.details(keys)

    def resolve(self, names: t.Iterable[str]) -> dict[str, str | None]:
        """What podman itself takes each name for."""
        return self._store.resolve(names)

    def instances(self, key: str) -> Index:
        """What a manifest list holds."""
        return self._store.instances(key)


def _parse(name: str) -> ImageName | ImageError:
    try:
        return parse_image_name(name)
    except ImageError as error:
        return error


def _local_text(name: str, parsed: ImageName | ImageError) -> str:
    """What is looked up in storage: C(docker://) stands before names of registries only."""
    return parsed.name if isinstance(parsed, Reference) and "://" in name else name


def _seen(name: str, parsed: ImageName | ImageError, outcome: Outcome) -> Comparison:
    if isinstance(outcome, Image):
        return seen_locally(name, parsed, outcome.facts, outcome.name)
    if isinstance(outcome, StoreError):
        raise outcome
    return seen_locally(name, parsed, ImageError(str(outcome), outcome.reason), None)


def _platform_of(local: ImageFacts | None, host: HostFacts) -> Platform:
    """The platform of the image in storage; what podman does not tell of it is the host's."""
    known = local.platform if local else None
    if known is None or (known.architecture == host.platform.architecture and not known.variant):
        return host.platform
    return known


def _questions(seen: t.Mapping[str, Comparison], keys: t.Mapping[str, _Key]) -> dict[_Key, Question]:
    """One question for each reference and platform, however its name was written."""
    questions: dict[_Key, Question] = {}
    for name, key in keys.items():
        one = seen[name]
        known = one.known & questions[key].known if key in questions else one.known
        questions[key] = Question(t.cast("Reference", one.reference), key[1], known)
    return questions


def _ask(client: Registry, questions: t.Mapping[_Key, Question], width: int) -> dict[_Key, RemoteImage | RegistryError]:
    client.prepare(questions.values())

    def ask(question: Question) -> RemoteImage | RegistryError:
        try:
            return client.resolve(question)
        except RegistryError as error:
            return error

    registries = {question.reference.registry for question in questions.values()}
    threads = min(len(questions), width * len(registries), max(width, _MOST_THREADS))
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return dict(zip(questions, pool.map(ask, questions.values())))
