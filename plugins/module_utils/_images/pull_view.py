# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The local store while names are decided: one look at it, and podman's answers where it must be asked."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._pure.errors import ImageError
from .._pure.image_facts import ImageFacts
from .._pure.image_names import ImageName, Source, Transport
from .._pure.local_lookup import Answers, AskEngine, LocalImages
from .._pure.manifests import Index
from .._pure.platforms import Platform
from .._pure.pull_decisions import Local, Stored
from .._pure.references import Reference
from .pull_protocols import Store

#: An alias, then a list behind it; a third round would be a defect.
_MOST_ROUNDS = 3


class View:
    """The host and its images as they were when the run began."""

    def __init__(self, store: Store, stored: Stored) -> None:
        self._store = store
        self.host = stored.host
        self._by_id = {image.engine_id or image.id: image for image in stored.images}
        self.names = {name: self.id_of(engine_id) for name, engine_id in stored.names.items()}
        self._by_id.update({image.id: image for image in stored.images if image.id})
        self._local = LocalImages(
            stored.images,
            host=self.host.platform,
            search=self.host.registries.search,
            podman=self.host.podman_version,
        )

    def id_of(self, engine_id: str) -> str:
        """The image ID behind podman's own ID of an image, where that is another one and known."""
        found = self._by_id.get(engine_id)
        return (found.id if found else None) or engine_id

    def image(self, image_id: str | None) -> ImageFacts | None:
        """A healthy image by its ID."""
        found = self._by_id.get(image_id)
        return None if found is None or found.corrupted else found

    def named(self, name: str) -> ImageFacts | None:
        """The healthy image that a full name points to."""
        return self.image(self.names.get(name))

    def find(self, text: str, name: ImageName, platform: Platform | None) -> Local | None:
        """What a name names in local storage. A platform that is the host's own filters nothing."""
        if isinstance(name, Source) and name.transport is not Transport.CONTAINERS_STORAGE:
            return None
        # Behind docker:// a name is what it was parsed to; the look-up knows no such transport.
        asked = name.name if isinstance(name, Reference) and text.startswith("docker://") else text
        answers = Answers()
        for _round in range(_MOST_ROUNDS):
            try:
                found = self._local.look_up(asked, platform=self._filter(platform), answers=answers)
            except ImageError:
                return None
            if not isinstance(found, AskEngine):
                unnamed = found.by_id and found.name == asked
                return Local(found.image, None if unnamed else found.name or None, found.by_id)
            answers = _added(answers, found, self._store.answer(found))
        return None

    def _filter(self, platform: Platform | None) -> Platform | None:
        host = self.host.platform
        if platform is None or platform.variant:
            return platform
        return None if (platform.os, platform.architecture) == (host.os, host.architecture) else platform


def _added(answers: Answers, asked: AskEngine, said: str | Index | None) -> Answers:
    if asked.name is not None:
        known: t.Mapping[str, str | None] = {**answers.images, asked.name: said if isinstance(said, str) else None}
        return replace(answers, images=known)
    index = said if isinstance(said, Index) else Index(())
    return replace(answers, lists={**answers.lists, asked.manifest_list or "": index})
