# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What podman says of images, and what its storage has on disk, as L(image_facts). Reading the text is done here, running podman is not.

podman's ID of an image is the digest of its config, but not always: a manifest list has a random one, and an image that
was pulled in part (zstd:chunked) one that is made of the digests of its parts. Only the index of the storage tells.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t
from dataclasses import dataclass, replace

from .errors import StoreError
from .image_configs import utc
from .image_facts import ImageFacts
from .platforms import Platform
from .reasons import Reason
from .records import image_id, objects
from .references import is_digest

HOLDER = "podman"
#: Where containers/storage keeps the manifest with a digest, and the instances of a manifest list, beside an image.
_MANIFEST_KEY = "manifest-"
_LIST_KEY = "instances.json"


@dataclass(frozen=True)
class StoredImage:
    """One image in the index of containers/storage (C(images.json)).

    C(engine_id) is podman's ID. C(config_digest) is None for a manifest list, and where the storage does not know it.
    """

    engine_id: str
    names: tuple[str, ...]
    digests: frozenset[str]
    config_digest: str | None
    is_manifest_list: bool


def listed(document: object) -> tuple[ImageFacts, ...]:
    """The images of C(podman images --format json). Platforms are not in it; lists look like images there.

    Raises:
        StoreError: podman printed something else.
    """
    return tuple(_facts(entry, utc(entry.get("CreatedAt"))) for entry in objects(document, "podman images"))


def inspected(document: object) -> dict[str, ImageFacts]:
    """The images of C(podman image inspect), by podman's ID.

    Raises:
        StoreError: podman printed something else.
    """
    entries = objects(document, "podman image inspect")
    return {t.cast("str", facts.id): facts for facts in (_facts(one, utc(one.get("Created"))) for one in entries)}


def stored(document: object) -> tuple[StoredImage, ...]:
    """The images in C(images.json); entries that are not as they should be are left out, for podman has the last word."""
    entries = document if isinstance(document, list) else []
    found = (_stored(entry) for entry in entries if isinstance(entry, dict))
    return tuple(one for one in found if one is not None)


def as_stored(facts: ImageFacts, image: StoredImage | None) -> ImageFacts:
    """What podman says of an image, put right by what its storage knows of it."""
    if image is None:
        return facts
    if image.is_manifest_list:
        # A list has no config, and its ID is drawn by lot.
        return replace(
            facts,
            id=None,
            engine_id=image.engine_id,
            is_manifest_list=True,
            reason=facts.reason or Reason.ID_NOT_CONFIG,
        )
    digests = facts.digests | image.digests
    if image.config_digest is None:
        return replace(facts, id=None, engine_id=image.engine_id, digests=digests, reason=Reason.ID_NOT_CONFIG)
    engine_id = None if image.config_digest == image.engine_id else image.engine_id
    return replace(facts, id=image.config_digest, engine_id=engine_id, digests=digests)


def only_stored(image: StoredImage) -> ImageFacts:
    """What can be said of an image that podman's listing leaves out."""
    repositories = {_repository(name) for name in image.names}
    facts = ImageFacts(
        id=image.engine_id,
        source=HOLDER,
        name=_first(_tags(image.names)),
        digest=min(image.digests, default=None),
        digests=image.digests,
        tags=_tags(image.names),
        repo_digests=tuple(sorted(f"{repository}@{one}" for repository in repositories for one in image.digests)),
    )
    return as_stored(facts, image)


def key_of(facts: ImageFacts) -> str:
    """podman's own ID of an image, by which it is asked for."""
    return t.cast("str", facts.engine_id or facts.id)


def graph(document: object) -> tuple[str, tuple[str, ...]]:
    """The storage driver and the folders of the storage, from C(podman info); its own first, then what it only reads."""
    store = document.get("store") if isinstance(document, dict) else None
    if not isinstance(store, dict):
        return "", ()
    driver, options = store.get("graphDriverName"), store.get("graphOptions")
    more = options.get(f"{driver}.additionalImageStores") if isinstance(options, dict) else None
    roots = [store.get("graphRoot"), *(more if isinstance(more, list) else [])]
    plain = isinstance(driver, str) and re.fullmatch(r"[a-z0-9-]+", driver)
    return (t.cast("str", driver), tuple(one for one in roots if isinstance(one, str))) if plain else ("", ())


def _facts(entry: t.Mapping[str, t.Any], created: str | None) -> ImageFacts:
    identity = image_id(entry.get("Id"))
    if identity is None:
        raise StoreError("podman printed an image without a valid ID")
    digest = entry.get("Digest") if is_digest(entry.get("Digest")) else None
    repo_digests = _texts(entry.get("RepoDigests"))
    recorded = (name.rpartition("@")[2] for name in repo_digests)
    tags = _tags(_texts(entry.get("RepoTags") or entry.get("Names")))
    os, architecture = entry.get("Os"), entry.get("Architecture")
    return ImageFacts(
        id=identity,
        source=HOLDER,
        name=_first(tags) or _first(repo_digests),
        digest=digest,
        digests=frozenset(one for one in (*recorded, digest) if is_digest(one)),
        tags=tags,
        repo_digests=repo_digests,
        platform=Platform.normalised(os, architecture) if _text(os) and _text(architecture) else None,
        created=created or _moment(entry.get("Created")),
        size=_count(entry.get("Size")),
        labels=_labels(entry.get("Labels")),
    )


def _stored(entry: t.Mapping[str, t.Any]) -> StoredImage | None:
    identity = image_id(entry.get("id"))
    if identity is None:
        return None
    keys = _texts(entry.get("big-data-names"))
    manifests = {key[len(_MANIFEST_KEY) :] for key in keys if key.startswith(_MANIFEST_KEY)}
    configs = [key for key in keys if is_digest(key)]
    return StoredImage(
        engine_id=identity,
        names=_texts(entry.get("names")),
        digests=frozenset(one for one in (*manifests, entry.get("digest")) if is_digest(one)),
        # More than one would be an image that nobody writes; then the ID is the better witness.
        config_digest=identity if identity in configs else configs[0] if len(configs) == 1 else None,
        is_manifest_list=_LIST_KEY in keys,
    )


def _moment(seconds: object) -> str | None:
    try:
        return utc(dt.datetime.fromtimestamp(t.cast("int", seconds), dt.timezone.utc).isoformat())
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _tags(names: t.Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if "@" not in name)


def _repository(name: str) -> str:
    bare = name.partition("@")[0]
    slash = bare.rfind("/") + 1
    return bare[:slash] + bare[slash:].partition(":")[0]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _text(value: object) -> t.TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _labels(value: object) -> dict[str, str]:
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _first(values: t.Sequence[str]) -> str | None:
    return values[0] if values else None
