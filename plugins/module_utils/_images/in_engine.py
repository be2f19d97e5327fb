# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Look names up in docker's store, or in that of a CRI runtime: a short name is Docker Hub's, as both have it."""

from __future__ import annotations

import re
import typing as t

from .._pure.errors import EngineError, ImageError
from .._pure.image_facts import ImageFacts
from .._pure.image_names import ImageId, parse_image_name
from .._pure.platforms import Platform
from .._pure.reasons import Reason
from .._pure.references import DOCKER_HUB, Reference
from .._pure.texts import printable
from .found import Image, Outcome
from .protocols import EngineStore

_BEGINS_ID = re.compile(r"[a-f0-9]{1,63}\Z")


def look_up(store: EngineStore, names: t.Sequence[str], platform: Platform | None) -> list[Outcome]:
    """What each name means to the engine, in their order: by full ID, by exact name, or by the beginning of an ID.

    Raises:
        StoreError: The engine could not be asked.
    """
    images = store.images()
    if any(one.id is None for one in images) and any(_is_id(name) for name in names):
        # The engine's IDs are digests of manifests; which config is behind them only details tell.
        details = store.details([_key(one) for one in images])
        images = tuple(details.get(_key(one), one) for one in images)
    else:
        details = {}
    found = {name: _one(images, name) for name in dict.fromkeys(names)}
    wanted = {_key(one.facts): None for one in found.values() if isinstance(one, Image)}
    missing = [key for key in wanted if key not in details]
    details.update(store.details(missing))
    return [_outcome(name, found[name], details, platform) for name in names]


def everything(store: EngineStore, platform: Platform | None) -> list[Image]:
    """All images, or those of the platform.

    Raises:
        StoreError: The engine could not be asked.
    """
    details = store.details([_key(one) for one in store.images()])
    return [Image(one) for one in details.values() if _fits(one, platform)]


def _one(images: t.Sequence[ImageFacts], name: str) -> Outcome:
    try:
        parsed = parse_image_name(name)
    except ImageError as error:
        return error
    if isinstance(parsed, ImageId):
        return next((Image(one) for one in images if parsed.id in (one.id, one.engine_id)), _unknown(name))
    if not isinstance(parsed, Reference):
        return ImageError(
            f"{printable(name)}: a name with a transport is not one of an engine", Reason.UNSUPPORTED_TRANSPORT
        )
    full_name = (parsed if parsed.registry else parsed.within(DOCKER_HUB)).name
    for one in images:
        if full_name in one.tags or full_name in one.repo_digests:
            return Image(one, full_name)
    matching = [one for one in images if _BEGINS_ID.match(name) and _key(one).partition(":")[2].startswith(name)]
    return Image(matching[0]) if len(matching) == 1 else _unknown(name)


def _outcome(name: str, outcome: Outcome, details: t.Mapping[str, ImageFacts], platform: Platform | None) -> Outcome:
    if isinstance(outcome, EngineError):
        return outcome
    facts = details.get(_key(outcome.facts))
    return Image(facts, outcome.name) if facts is not None and _fits(facts, platform) else _unknown(name)


def _fits(facts: ImageFacts, platform: Platform | None) -> bool:
    return platform is None or facts.platform is None or platform.accepts(facts.platform)


def _is_id(name: str) -> bool:
    try:
        return isinstance(parse_image_name(name), ImageId)
    except ImageError:
        return False


def _unknown(name: str) -> ImageError:
    return ImageError(f"{printable(name)}: image not known", Reason.IMAGE_UNKNOWN)


def _key(facts: ImageFacts) -> str:
    return facts.engine_id or facts.id or ""
