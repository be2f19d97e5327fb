# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a CRI runtime (containerd, CRI-O) says of images through crictl, as L(image_facts).

crictl prints the protobuf JSON of ListImages and ImageStatus of the CRI (runtime.v1, C(api.proto)); the runtime's verbose
information stands beside it under C(info). The ID is the config digest; CRI-O leaves its C(sha256:) out.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import replace

from .errors import StoreError
from .image_configs import ImageConfigError, parse_config
from .image_facts import ImageFacts
from .reasons import Reason
from .records import image_id
from .references import is_digest

HOLDER = "cri"
_SIZE = re.compile(r"[0-9]{1,19}\Z")


def listed(document: object) -> tuple[ImageFacts, ...]:
    """The images of C(crictl images -o json).

    Raises:
        StoreError: crictl printed something else.
    """
    images = document.get("images", []) if isinstance(document, dict) else None
    if not isinstance(images, list):
        raise StoreError("crictl images printed something other than a list of images", Reason.ENGINE_FAILED)
    return tuple(_facts(image, "crictl images") for image in images)


def inspected(output: str) -> dict[str, ImageFacts]:
    """The images of C(crictl inspecti -o json), by ID: one object after another, or a list where crictl is newer.

    Raises:
        StoreError: crictl printed something else.
    """
    found = {}
    for entry in _documents(output):
        if not isinstance(entry, dict):
            raise StoreError("crictl inspecti printed something other than an object", Reason.ENGINE_FAILED)
        facts = _facts(entry.get("status"), "crictl inspecti")
        found[str(facts.id)] = _with_config(facts, entry.get("info"))
    return found


def _documents(output: str) -> t.Iterator[t.Any]:
    decoder, place = json.JSONDecoder(), 0
    while True:
        place += len(output[place:]) - len(output[place:].lstrip())
        if place == len(output):
            return
        try:
            document, place = decoder.raw_decode(output, place)
        except (ValueError, RecursionError):
            raise StoreError(
                f"crictl inspecti printed something that is not JSON: {output[place:][:200]!r}", Reason.ENGINE_FAILED
            ) from None
        yield from document if isinstance(document, list) else [document]


def _facts(image: object, what: str) -> ImageFacts:
    identity = image_id(image.get("id")) if isinstance(image, dict) else None
    if not isinstance(image, dict) or identity is None:
        raise StoreError(f"{what} printed an image without a valid ID", Reason.ENGINE_FAILED)
    tags, repo_digests = _texts(image.get("repoTags")), _texts(image.get("repoDigests"))
    digests = [name.rpartition("@")[2] for name in repo_digests if is_digest(name.rpartition("@")[2])]
    size = str(image.get("size"))
    return ImageFacts(
        id=identity,
        source=HOLDER,
        name=next(iter((*tags, *repo_digests)), None),
        digest=next(iter(digests), None),
        digests=frozenset(digests),
        tags=tags,
        repo_digests=repo_digests,
        # Protobuf's JSON writes 64-bit numbers as text.
        size=int(size) if _SIZE.match(size) else None,
    )


def _with_config(facts: ImageFacts, info: object) -> ImageFacts:
    spec = info.get("imageSpec") if isinstance(info, dict) else None
    if not isinstance(spec, dict):
        return facts
    try:
        config = parse_config(json.dumps(spec).encode())
    except ImageConfigError:
        return facts
    return replace(facts, platform=config.platform, created=config.created, labels=config.labels)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
