# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""docker-archive: what C(docker save) and C(podman save) write.

Sources: moby's image/tarexport (C(manifest.json)), containers/image's docker/internal/tarfile (how an image is chosen).
No I/O; every byte is hostile input.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

from .archive_contents import Documents, config, facts, invalid, numbered, several, stored, unknown, unusable
from .documents import DocumentError, load, sound
from .errors import ImageError
from .image_facts import ImageFacts
from .image_names import Source, Transport
from .manifests import digest_of
from .reasons import Reason
from .references import InvalidReferenceError, Reference
from .texts import printable

_MANIFEST = "manifest.json"
#: A config's name claims a digest: <hex>.json (docker save, podman save), blobs/sha256/<hex> (Docker 25 and newer).
_CLAIM = re.compile(r"(?:sha256:)?([a-f0-9]{64})(?:\.json)?\Z")


@dataclass(frozen=True)
class _Tag:
    """A tag, as podman stores it and as it is chosen by: a short one is Docker Hub's then.

    One without C(:tag), which docker and podman never write, is C(latest) when it is stored, and cannot be chosen.
    """

    stored: Reference
    canonical: str | None


@dataclass(frozen=True)
class _Item:
    """One image: C(config) and C(layers) are names of members."""

    config: str
    layers: tuple[str, ...]
    tags: tuple[_Tag, ...]


def docker_images(held: Documents, source: Source) -> tuple[ImageFacts, ...]:
    """The images that C(source) names, in the archive's order; one if it has a selector or an index.

    An archive keeps no manifest as registries have it, so there is no digest.

    Raises:
        ImageError: C(archive_invalid), C(image_unknown), or C(bad_reference) for the selector.
    """
    if not held.has(_MANIFEST):
        if held.has("index.json"):
            raise invalid("it is an OCI layout and no docker-archive; name it with oci-archive:")
        raise invalid("it holds no manifest.json, so it is not what docker save or podman save writes")
    try:
        entries = several(load(held.read(_MANIFEST), _MANIFEST), _MANIFEST)
    except DocumentError as error:
        raise invalid(str(error)) from None
    items = tuple(_item(entry, number) for number, entry in enumerate(entries))
    if source.selector is not None:
        item, tag = _tagged(items, source.selector)
        return (_image(held, item, tag),)
    if source.index is not None:
        return (_image(held, numbered(items, source.index)),)
    return tuple(_image(held, item) for item in items)


def _item(entry: object, number: int) -> _Item:
    member = entry.get("Config") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(member, str) or not member:
        raise invalid(f"{_MANIFEST} names no config for image @{number}")
    layers, tags = (_texts(entry.get(key), f"{key} of image @{number}") for key in ("Layers", "RepoTags"))
    return _Item(sound(member), layers, tuple(map(_tag, tags)))


def _texts(value: object, what: str) -> tuple[str, ...]:
    """A list of texts; null, as Go writes an empty one, is none."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise invalid(f"{_MANIFEST}: {what} is not a list of texts")
    return tuple(map(sound, value))


def _tag(text: str) -> _Tag:
    try:
        parsed = Reference.parse(text)
        return _Tag(stored(text), parsed.canonical if text.endswith(f":{parsed.tag}") else None)
    except InvalidReferenceError as error:
        raise unusable(error) from None


def _tagged(items: t.Sequence[_Item], selector: str) -> tuple[_Item, Reference]:
    try:
        wanted = Reference.parse(selector).canonical
    except InvalidReferenceError as error:
        raise ImageError(str(error), Reason.BAD_REFERENCE) from None
    for item in items:
        for tag in item.tags:
            if tag.canonical == wanted:
                return item, tag.stored
    raise unknown(f"no image in it has the tag {printable(wanted)}")


def _image(held: Documents, item: _Item, chosen: Reference | None = None) -> ImageFacts:
    body = held.read(item.config)
    image_id = digest_of(body)
    claim = _CLAIM.match(posixpath.basename(item.config))
    if claim and f"sha256:{claim.group(1)}" != image_id:
        raise invalid(f"the content of {printable(item.config)} has another digest than its name says")
    return facts(
        Transport.DOCKER_ARCHIVE,
        image_id,
        config(body, item.config),
        size=sum(map(held.size, item.layers)),
        names=[tag.stored for tag in item.tags],
        chosen=chosen,
    )
