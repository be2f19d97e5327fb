# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Manifests and indexes: read them, and choose the instance for a platform. No I/O; every byte is hostile input."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from .documents import DocumentError, load_object
from .platforms import Platform
from .references import is_digest

IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPT = ", ".join(IMAGE_TYPES + INDEX_TYPES)
_ZSTD_ANNOTATION = "io.github.containers.compression.zstd"


class ManifestError(ValueError):
    """The body is not a manifest or index that this collection understands."""


class NoInstanceError(ManifestError):
    """The index is fine, but holds no image for the platform."""


@dataclass(frozen=True)
class Instance:
    """One image of an index."""

    digest: str
    platform: Platform | None
    zstd: bool


@dataclass(frozen=True)
class Manifest:
    """The manifest of one image: C(config_digest) is the image ID; C(layers_size) is in bytes, as transferred.

    C(layers) are the digests of the layers with their sizes, of those that have both.
    """

    config_digest: str
    layers_size: int
    layers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Index:
    """A multi-platform index (Docker: manifest list)."""

    instances: tuple[Instance, ...]

    def choose(self, platform: Platform) -> Instance:
        """The instance that podman would choose for the platform.

        Raises:
            NoInstanceError: There is none.
        """
        for variant in platform.variants_in_order():
            wanted = Platform(platform.os, platform.architecture, variant)
            matching = [instance for instance in self.instances if instance.platform == wanted]
            if matching:
                # OCI indexes may offer both compressions; podman prefers zstd, then the earlier entry.
                return next((instance for instance in matching if instance.zstd), matching[0])
        unlabelled = [instance for instance in self.instances if instance.platform is None]
        if unlabelled:
            return unlabelled[0]
        raise NoInstanceError(f"the index holds no image for {platform}")


def digest_of(body: bytes) -> str:
    """The digest of a body as registries name it."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def parse(body: bytes, what: str = "the answer") -> Manifest | Index:
    """Read a manifest or an index; C(what) says in messages where it comes from.

    Raises:
        ManifestError: The body is neither, or is of the obsolete schema 1.
    """
    try:
        document = load_object(body, what)
    except DocumentError as error:
        raise ManifestError(str(error)) from None
    if document.get("schemaVersion") == 1:
        raise ManifestError(f"{what} is of the obsolete manifest schema 1; push the image again")
    if "manifests" in document and "config" not in document:
        return Index(tuple(_instances(document["manifests"])))
    config = document.get("config")
    if not isinstance(config, dict) or not is_digest(config.get("digest")):
        raise ManifestError(f"{what} is neither a manifest nor an index")
    listed = document.get("layers")
    layers = [layer for layer in listed if isinstance(layer, dict)] if isinstance(listed, list) else []
    sized = [
        (layer.get("digest"), size) for layer in layers if isinstance(size := layer.get("size", 0), int) and size > 0
    ]
    named = tuple((digest, size) for digest, size in sized if is_digest(digest))
    return Manifest(config["digest"], sum(size for _digest, size in sized), named)


def _instances(entries: object) -> t.Iterator[Instance]:
    if not isinstance(entries, list):
        raise ManifestError("the index's list of manifests is not a list")
    for entry in entries:
        if not isinstance(entry, dict) or not is_digest(entry.get("digest")):
            raise ManifestError("the index names an instance without a valid digest")
        platform = _platform(entry.get("platform"))
        if platform is not None and platform.os == "unknown":
            continue  # BuildKit's attestations are listed as unknown/unknown and are no images.
        annotations = entry.get("annotations")
        zstd = isinstance(annotations, dict) and annotations.get(_ZSTD_ANNOTATION) == "true"
        yield Instance(entry["digest"], platform, zstd)


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    os, architecture, variant = (value.get(key, "") for key in ("os", "architecture", "variant"))
    if not (isinstance(os, str) and isinstance(architecture, str) and isinstance(variant, str) and os):
        return None
    return Platform.normalised(os, architecture, variant)
