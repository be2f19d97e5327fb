# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""OCI image layouts, packed or not, and podman's C(dir:) folders.

Sources: the OCI image spec's image-layout.md and annotations.md, containers/image's oci/layout and directory (how an
image is chosen), libimage's load and pull (how it is named). No I/O; every byte is hostile input.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .archive_contents import (
    Documents,
    LackingPlatformError,
    config,
    facts,
    instance,
    invalid,
    manifest,
    numbered,
    several,
    stored,
    unknown,
    unusable,
)
from .documents import DocumentError, load_object, sound
from .image_facts import ImageFacts
from .image_names import Source, Transport
from .manifests import IMAGE_TYPES, INDEX_TYPES, Manifest, digest_of
from .platforms import Platform
from .references import InvalidReferenceError, Reference, is_digest
from .texts import printable

_INDEX = "index.json"
_CONTAINERD_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"
#: BuildKit lists its attestations beside the images (its docs/attestations/attestation-storage.md).
_ATTESTATION = "vnd.docker.reference.type"
#: An index may hold indexes; nobody nests them deeper.
_DEEPEST = 4


@dataclass(frozen=True)
class _Entry:
    """One entry of the layout's index.

    C(ref_name) is what podman chooses by, C(name) what counts as its name: C(io.containerd.image.name) before
    C(ref_name), because BuildKit writes a mere tag into that.
    """

    digest: str
    ref_name: str | None
    name: str | None
    is_image: bool


def layout_images(held: Documents, source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
    """The images that C(source) names, in the layout's order; one if it has a selector or an index.

    Of a multi-platform index that is the image for C(platform). Where all are asked for, an index that has none is
    left out as long as there are other images, and so is everything that is no image.

    Raises:
        ImageError: C(archive_invalid) or C(image_unknown).
    """
    entries = _entries(held)
    if source.selector is not None:
        return (_image(held, _named(entries, source.selector), source.transport, platform),)
    if source.index is not None:
        entry: _Entry = numbered(entries, source.index)
        if not entry.is_image:
            raise unknown(f"entry @{source.index} of its index is no image")
        return (_image(held, entry, source.transport, platform),)
    found: list[ImageFacts] = []
    lacking: LackingPlatformError | None = None
    for entry in entries:
        if entry.is_image:
            try:
                found.append(_image(held, entry, source.transport, platform))
            except LackingPlatformError as error:
                lacking = error
    if lacking is not None and not found:
        raise lacking
    return tuple(found)


def folder_image(held: Documents, platform: Platform) -> ImageFacts:
    """The image of a C(dir:) folder: its C(manifest.json), and blobs that are named by their digests.

    Raises:
        ImageError: C(archive_invalid), or C(image_unknown) where it is an index without C(platform).
    """
    if not held.has("manifest.json"):
        if held.has(_INDEX):
            raise invalid("it is an OCI layout; name it with oci:")
        raise invalid("it holds no manifest.json, so it is not what podman save --format docker-dir writes")
    body = held.read("manifest.json")
    digests = [digest_of(body)]
    found = manifest(body, "manifest.json")
    if not isinstance(found, Manifest):
        digests.append(instance(found, platform))
        name = f"{_hex(digests[-1])}.manifest.json"
        found = manifest(held.blob(name, digests[-1]), name)
        if not isinstance(found, Manifest):
            raise invalid("its index holds another index for the platform")
    return _of_manifest(held, Transport.DIR, found, _hex(found.config_digest), digests, None)


def _entries(held: Documents) -> tuple[_Entry, ...]:
    if not held.has(_INDEX):
        if held.has("manifest.json"):
            raise invalid("it is no OCI layout; name it with docker-archive: if it is a file, with dir: if a folder")
        raise invalid(
            "it holds no index.json, so it is no OCI layout, which is the folder that has oci-layout and blobs/ too"
        )
    try:
        document = load_object(held.read(_INDEX), _INDEX)
    except DocumentError as error:
        raise invalid(str(error)) from None
    listed = several(document.get("manifests"), _INDEX)
    return tuple(_entry(entry, number) for number, entry in enumerate(listed))


def _entry(entry: object, number: int) -> _Entry:
    digest = entry.get("digest") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not is_digest(digest):
        raise invalid(f"entry @{number} of {_INDEX} has no valid sha256 digest")
    annotations = entry.get("annotations")
    given = annotations if isinstance(annotations, dict) else {}
    ref_name, containerd_name = (
        sound(name) if isinstance(name := given.get(key), str) and name else None
        for key in (_REF_NAME, _CONTAINERD_NAME)
    )
    media_type = entry.get("mediaType")
    is_image = _ATTESTATION not in given and (not media_type or media_type in (*IMAGE_TYPES, *INDEX_TYPES))
    return _Entry(digest, ref_name, containerd_name or ref_name, is_image)


def _named(entries: t.Sequence[_Entry], selector: str) -> _Entry:
    """The first image of that C(ref.name), which is podman's rule; else the first whose whole name it is."""
    images = [entry for entry in entries if entry.is_image]
    wanted = _usable(selector)
    for entry in images:
        if entry.ref_name == selector:
            return entry
    for entry in images:
        if entry.name == selector or (wanted is not None and entry.name and _usable(entry.name) == wanted):
            return entry
    raise unknown(f"no image in it has the name {printable(selector)}")


def _usable(name: str) -> Reference | None:
    try:
        return stored(name)
    except InvalidReferenceError:
        return None


def _image(held: Documents, entry: _Entry, transport: Transport, platform: Platform) -> ImageFacts:
    digests = [entry.digest]
    while len(digests) <= _DEEPEST:
        path = _blob(digests[-1])
        found = manifest(held.blob(path, digests[-1]), path)
        if isinstance(found, Manifest):
            config_path = _blob(found.config_digest)
            return _of_manifest(held, transport, found, config_path, digests, _name(entry, transport))
        digests.append(instance(found, platform))
    raise invalid(f"its indexes are nested more than {_DEEPEST} deep")


def _name(entry: _Entry, transport: Transport) -> Reference | None:
    """The normalised name. In an oci-archive podman refuses what is none; a layout's names are free."""
    if entry.name is None:
        return None
    try:
        return stored(entry.name)
    except InvalidReferenceError as error:
        if transport is Transport.OCI_ARCHIVE:
            raise unusable(error) from None
        return None


def _of_manifest(
    held: Documents, transport: Transport, found: Manifest, path: str, digests: list[str], name: Reference | None
) -> ImageFacts:
    read = config(held.blob(path, found.config_digest), path)
    return facts(
        transport,
        found.config_digest,
        read,
        size=found.layers_size,
        names=[name] if name else [],
        digests=digests,
    )


def _blob(digest: str) -> str:
    return f"blobs/sha256/{_hex(digest)}"


def _hex(digest: str) -> str:
    return digest.partition(":")[2]
