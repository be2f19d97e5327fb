# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Look names up in podman's store, with as few calls as the names allow, however many they are."""

from __future__ import annotations

import typing as t

from .._pure.errors import EngineError, ImageError
from .._pure.image_facts import ImageFacts
from .._pure.local_lookup import Answers, AskEngine, Found, LocalImages
from .._pure.manifests import Index
from .._pure.platforms import Platform
from .._pure.reasons import Reason
from .found import Image, Outcome
from .protocols import PodmanStore

#: A name can make podman be asked for it, and then for the list that it is.
_ROUNDS = 3


def look_up(
    store: PodmanStore, names: t.Sequence[str], platform: Platform | None, *, manifest_list: bool
) -> list[Outcome]:
    """What each name means to podman, in their order.

    Raises:
        StoreError: podman could not be asked.
    """
    host, images = store.look()
    details: dict[str, ImageFacts] = {}
    if platform is not None:
        # Only details tell an image's platform.
        details = store.details(map(_key, images))
        images = tuple(details.get(_key(one), one) for one in images)
    local = LocalImages(images, host=host.platform, search=host.registries.search, podman=host.podman_version)
    answered = _Answered(store)
    outcomes: dict[str, Found | AskEngine | EngineError] = {}
    for _round in range(_ROUNDS):
        for name in names:
            if isinstance(outcomes.get(name), (Found, EngineError)):
                continue
            outcomes[name] = _one(local, name, platform, manifest_list=manifest_list, answers=answered.so_far)
        waiting = {name: one for name, one in outcomes.items() if isinstance(one, AskEngine)}
        outcomes.update(answered.add(waiting))
    found = [one for one in outcomes.values() if isinstance(one, Found)]
    details.update(store.details({_key(one.image) for one in found} - set(details)))
    return [_outcome(name, outcomes[name], details) for name in names]


def everything(store: PodmanStore, filters: t.Sequence[str], platform: Platform | None) -> list[Image]:
    """All images, or those that pass podman's filters and are of the platform.

    Raises:
        StoreError: podman could not be asked, or refuses a filter.
    """
    _host, images = store.look(filters)
    details = store.details(map(_key, images))
    found = (details[_key(one)] for one in images if _key(one) in details)
    return [Image(one) for one in found if platform is None or (one.platform and platform.accepts(one.platform))]


class _Answered:
    """What podman was asked, each thing once; all names that wait for it in one call."""

    def __init__(self, store: PodmanStore) -> None:
        self._store = store
        self._images: dict[str, str | None] = {}
        self._lists: dict[str, Index] = {}

    @property
    def so_far(self) -> Answers:
        return Answers(self._images, self._lists)

    def add(self, questions: t.Mapping[str, AskEngine]) -> dict[str, EngineError]:
        """Ask for what names wait for; the names that wait in vain come back with the error."""
        asked = {one.name for one in questions.values() if one.name}
        self._images.update(self._store.resolve(sorted(asked - set(self._images))))
        failed: dict[str, EngineError] = {}
        for name, question in questions.items():
            key = question.manifest_list
            if key and key not in self._lists:
                try:
                    self._lists[key] = self._store.instances(key)
                except EngineError as error:
                    failed[name] = error
        return failed


def _one(
    local: LocalImages, name: str, platform: Platform | None, *, manifest_list: bool, answers: Answers
) -> Found | AskEngine | EngineError:
    try:
        return local.look_up(name, platform=platform, manifest_list=manifest_list, answers=answers)
    except ImageError as error:
        return error


def _outcome(name: str, outcome: Found | AskEngine | EngineError, details: t.Mapping[str, ImageFacts]) -> Outcome:
    if isinstance(outcome, EngineError):
        return outcome
    facts = details.get(_key(outcome.image)) if isinstance(outcome, Found) else None
    if facts is None or not isinstance(outcome, Found):
        return ImageError(f"{name}: image not known: it has gone since podman listed it", Reason.IMAGE_UNKNOWN)
    return Image(facts, None if outcome.by_id else outcome.name or None)


def _key(facts: ImageFacts) -> str:
    return facts.engine_id or facts.id or ""
