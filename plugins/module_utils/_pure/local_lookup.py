# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Which local image a name means, decided as podman's library does (libimage's Runtime.LookupImage), step by step.

1. A transport: only C(containers-storage:) is looked up.
2. A full image ID: that image and nothing else.
3. Exact names, in this order: the short name's alias; C(localhost/); each unqualified-search registry; Docker Hub. A
   fully qualified name only means itself.
4. The beginning of an image ID.
5. A short name: any repository that ends with it.

Two things only podman knows: aliases of short names, and what a manifest list holds. Where they could change the answer,
the answer is what to ask podman.
"""

from __future__ import annotations

import bisect
import re
import typing as t
from dataclasses import dataclass, field

from .errors import ImageError
from .image_facts import ImageFacts
from .image_names import ImageId, Source, Transport, parse_image_name
from .manifests import Index, NoInstanceError
from .platforms import Platform
from .reasons import Reason
from .references import DOCKER_HUB, InvalidReferenceError, Reference, is_in_podmans_grammar
from .texts import printable

_LOCALHOST = "localhost"
_ID_PREFIX = "sha256:"
_HEX = re.compile(r"[a-f0-9]{1,64}\Z")
_ID_LENGTH = 64
#: C(containers-storage:) takes fewer digits for a name (containers/image, storage transport).
_SHORTEST_STORAGE_ID = 3
#: Since this version of podman a digest is only found in a repository of the name before it.
_DIGESTS_HAVE_REPOSITORIES = (4, 4)


@dataclass(frozen=True)
class Found:
    """The image that a name means.

    C(name) is the full name that it was found under; the text itself if it was found by ID, empty for
    C(containers-storage:). C(by_id) says that the text is the image's ID or begins it, however it was found: podman
    pulls nothing by such a name.
    """

    image: ImageFacts
    name: str
    by_id: bool


@dataclass(frozen=True)
class AskEngine:
    """What podman must be asked before the name can be looked up; exactly one is set.

    C(name): which image C(podman image inspect NAME) shows. C(manifest_list): what C(podman manifest inspect ID) prints.
    """

    name: str | None = None
    manifest_list: str | None = None


@dataclass(frozen=True)
class Answers:
    """What podman said: the ID of the image for each C(AskEngine.name), None for none; the content of each list."""

    images: t.Mapping[str, str | None] = field(default_factory=dict)
    lists: t.Mapping[str, Index] = field(default_factory=dict)


@dataclass(frozen=True)
class _Query:
    """What is asked for beside the name."""

    text: str
    platform: Platform | None
    manifest_list: bool
    answers: Answers

    def found(self, image: ImageFacts, name: str) -> Found:
        """One image as the answer."""
        text = self.text[len(_ID_PREFIX) :] if self.text.startswith(_ID_PREFIX) else self.text
        return Found(image, name, by_id=_bare_id(image).startswith(text))

    def unknown(self, why: str = "") -> ImageError:
        """libimage's ErrImageUnknown."""
        return ImageError(f"{printable(self.text)}: image not known{why}", Reason.IMAGE_UNKNOWN)


_Outcome = t.Union[Found, AskEngine]


class LocalImages:
    """All images of one podman store, ready for many look-ups.

    C(host) is the platform of the host; C(search) are its unqualified-search registries; C(podman) is its version.
    """

    def __init__(
        self,
        images: t.Iterable[ImageFacts],
        *,
        host: Platform,
        search: t.Sequence[str] = (),
        podman: tuple[int, ...] = _DIGESTS_HAVE_REPOSITORIES,
    ) -> None:
        self._host = host
        self._registries = (_LOCALHOST, *search)
        self._digests_have_repositories = podman >= _DIGESTS_HAVE_REPOSITORIES
        self._by_id = {_bare_id(image): image for image in images if _bare_id(image)}
        self._ids = sorted(self._by_id)
        self._by_name: dict[str, list[ImageFacts]] = {}
        self._by_ending: dict[str, list[tuple[str, ImageFacts]]] = {}
        self._by_digest: dict[str, list[ImageFacts]] = {}
        self._by_tag: dict[str, set[str]] = {}
        for image in self._by_id.values():
            self._index(image)

    def _index(self, image: ImageFacts) -> None:
        for name in image.tags:
            self._by_name.setdefault(name, []).append(image)
            self._by_tag.setdefault(name.rpartition(":")[2], set()).add(_bare_id(image))
        for name in (*image.tags, *image.repo_digests):
            rest = name
            while "/" in rest:
                rest = rest.partition("/")[2]
                self._by_ending.setdefault(rest, []).append((name, image))
        for name in image.repo_digests:
            self._by_name.setdefault(name, []).append(image)
        for digest in image.digests:
            self._by_digest.setdefault(digest, []).append(image)

    def look_up(
        self,
        text: str,
        *,
        platform: Platform | None = None,
        manifest_list: bool = False,
        answers: Answers | None = None,
    ) -> Found | AskEngine:
        """Look one name up.

        A C(platform) passes over images of another one, except where the name is an ID; a wanted variant that podman
        does not tell of an image counts as met. C(manifest_list) asks for the list itself. After an C(AskEngine), call
        again with its answer added; two rounds suffice.

        Raises:
            ImageError: C(image_unknown), C(bad_reference), C(bad_id), C(unsupported_transport), and
                C(not_a_manifest_list) where a list is asked for and the first image of that name is none.
        """
        query = _Query(text, platform, manifest_list, answers or Answers())
        try:
            name = parse_image_name(text)
        except ImageError as error:
            # podman's grammar is a little wider here than the one of names that can be pulled.
            if error.reason is Reason.BAD_REFERENCE and is_in_podmans_grammar(text):
                raise query.unknown(f" ({error})") from None
            raise
        if isinstance(name, Source):
            return self._behind_transport(name, query)
        if isinstance(name, ImageId):
            return self._required(self._by_full_id(name.id, query), query)
        if text.startswith("docker://"):
            raise _unsupported(Transport.DOCKER)
        if name.registry.startswith("["):
            raise ImageError(
                f"parsing reference {printable(text)!r}: podman knows no registries by IPv6 address",
                Reason.BAD_REFERENCE,
            )
        return self._short(name, query) if not name.registry else self._required(self._named(name, query), query)

    def _required(self, outcome: _Outcome | None, query: _Query) -> _Outcome:
        if outcome is None:
            raise query.unknown()
        return outcome

    def _behind_transport(self, source: Source, query: _Query) -> Found:
        """C(containers-storage:) takes the name literally: Docker Hub's if it is short, and a list is a list."""
        if source.transport is not Transport.CONTAINERS_STORAGE:
            raise _unsupported(source.transport)
        text = source.selector or ""
        name, at, image_id = text.rpartition("@")
        if at and len(image_id) == _ID_LENGTH:
            image = self._by_id.get(image_id)
            if image is None or (
                name and _repository(name) not in map(_repository_of, image.tags + image.repo_digests)
            ):
                raise query.unknown()
            return query.found(image, "")
        image = self._by_prefix(text) if len(text) >= _SHORTEST_STORAGE_ID else None
        if image is not None:
            return query.found(image, "")
        if len(text) == _ID_LENGTH and _HEX.match(text):
            raise query.unknown()
        held = self._by_name.get(Reference.parse(text).within(DOCKER_HUB).name)
        if not held:
            raise query.unknown()
        return query.found(self._best(held, query), "")

    def _by_full_id(self, image_id: str, query: _Query) -> _Outcome | None:
        image = self._by_id.get(image_id.rpartition(":")[2])
        return self._seen(image, query.text, query, any_platform=True) if image else None

    def _short(self, name: Reference, query: _Query) -> _Outcome:
        """Look up a short name; podman is asked where an alias could make another image of it."""
        try:
            plain = self._named(name, query)
            problem = None
        except ImageError as error:
            plain, problem = None, error
        if not query.manifest_list and self._alias_matters(name, plain):
            if query.text not in query.answers.images:
                return AskEngine(name=query.text)
            plain = self._answered(name, plain, query) or plain
        elif problem is not None:
            raise problem
        return self._required(plain, query)

    def _alias_matters(self, name: Reference, plain: _Outcome | None) -> bool:
        """Whether any name that an alias could stand for is another image than the one found without alias."""
        if name.digest:
            possible = {_bare_id(image) for image in self._by_digest.get(name.digest, ())}
        else:
            possible = self._by_tag.get(name.tag or "", set())
        return not possible <= self._settled(plain)

    def _settled(self, plain: _Outcome | None) -> set[str]:
        """The images that the answer without alias is or came from: a list's instance came from its list."""
        if isinstance(plain, Found):
            return {_bare_id(image) for image in (plain.image, *self._by_name.get(plain.name, ()))}
        return {plain.manifest_list.rpartition(":")[2]} if plain and plain.manifest_list else set()

    def _answered(self, name: Reference, plain: _Outcome | None, query: _Query) -> Found | None:
        """podman's own answer; None where it is of another platform than the wanted one, which podman was not told."""
        said = query.answers.images[query.text]
        image = self._by_id.get(said.rpartition(":")[2]) if said else None
        if image is None:
            raise query.unknown()
        if isinstance(plain, Found) and plain.image is image:
            return plain
        if _bare_id(image).startswith(query.text):
            return query.found(image, query.text)
        if not self._fits(image, query):
            return None
        ending = f"@{name.digest}" if name.digest else f":{name.tag}"
        names = (one for one in (*image.tags, *image.repo_digests) if one.endswith(ending))
        return query.found(image, next(names, query.text))

    def _named(self, name: Reference, query: _Query) -> _Outcome | None:
        """Exact names, then the beginning of an ID, then the endings of names."""
        candidates = [name] if name.registry else self._candidates(name, query)
        for candidate in candidates:
            held = self._by_name.get(candidate.name)
            outcome = self._seen(self._best(held, query), candidate.name, query) if held else None
            if outcome is not None:
                return outcome
        image = self._by_prefix(query.text)
        if image is not None:
            return self._seen(image, query.text, query, any_platform=True)
        return self._by_last_resort(name, query)

    def _candidates(self, name: Reference, query: _Query) -> list[Reference]:
        try:
            return [name.within(registry) for registry in (*self._registries, DOCKER_HUB)]
        except InvalidReferenceError as error:
            raise query.unknown(f" ({error})") from None

    def _by_prefix(self, text: str) -> ImageFacts | None:
        """The one image whose ID begins with the text; an ambiguous beginning is none."""
        if not _HEX.match(text):
            return None
        at = bisect.bisect_left(self._ids, text)
        matching = [one for one in self._ids[at : at + 2] if one.startswith(text)]
        return self._by_id[matching[0]] if len(matching) == 1 else None

    def _by_last_resort(self, name: Reference, query: _Query) -> _Outcome | None:
        """What the endings of names give, or in old podman the digest alone."""
        if name.digest and not self._digests_have_repositories:
            for image in self._by_digest.get(name.digest, ()):
                return self._seen(image, query.text, query, any_platform=True)
        if name.registry:
            return None
        for full_name, image in self._by_ending.get(name.name, ()):
            outcome = self._seen(image, full_name, query)
            if outcome is not None:
                return outcome
        return None

    def _seen(self, image: ImageFacts, name: str, query: _Query, *, any_platform: bool = False) -> _Outcome | None:
        """What an image in storage means to the query: itself, its instance, or None if the platform is another."""
        if query.manifest_list:
            if image.is_manifest_list:
                return query.found(image, name)
            raise ImageError(f"{printable(name)}: image is not a manifest list", Reason.NOT_A_MANIFEST_LIST)
        if image.is_manifest_list and not image.corrupted:
            index = query.answers.lists.get(_id(image))
            if index is None:
                return AskEngine(manifest_list=_id(image))
            image = self._instance(index, query)
        elif not any_platform and not self._fits(image, query):
            return None
        return query.found(image, name)

    def _instance(self, index: Index, query: _Query) -> ImageFacts:
        """The list's instance for the platform. That it is not there ends the look-up: no other name is tried."""
        try:
            chosen = index.choose(query.platform or self._host)
        except NoInstanceError as error:
            raise query.unknown(f" ({error})") from None
        for image in self._by_digest.get(chosen.digest, ()):
            if not image.is_manifest_list:
                return image
        raise query.unknown(f" (the list's instance {chosen.digest} is not in local storage)")

    def _best(self, images: t.Sequence[ImageFacts], query: _Query) -> ImageFacts:
        """Of several images with one repository@digest (platforms of one index) the wanted platform's, or the host's."""
        wanted = query.platform or self._host
        fitting = (image for image in images if image.platform is not None and wanted.accepts(image.platform))
        return next(fitting, images[0])

    def _fits(self, image: ImageFacts, query: _Query) -> bool:
        """Whether the platform is right, or cannot be told."""
        known = image.platform is not None and not image.corrupted
        return query.platform is None or not known or query.platform.accepts(t.cast("Platform", image.platform))


def _unsupported(transport: Transport) -> ImageError:
    return ImageError(
        f'unsupported transport "{transport.value}" for looking up local images', Reason.UNSUPPORTED_TRANSPORT
    )


def _id(image: ImageFacts) -> str:
    """podman's own ID of an image."""
    return image.engine_id or image.id or ""


def _bare_id(image: ImageFacts) -> str:
    return _id(image).rpartition(":")[2]


def _repository(text: str) -> str:
    return Reference.parse(text).within(DOCKER_HUB).repository


def _repository_of(name: str) -> str:
    return name.partition("@")[0] if "@" in name else name.rpartition(":")[0]
