# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What the look-up of images needs of the world; the edges implement it."""

from __future__ import annotations

import typing as t

from .._pure.image_facts import ImageFacts
from .._pure.image_names import Source
from .._pure.manifests import Index
from .._pure.platforms import Platform
from .._pure.questions import RegistryUsage
from .._pure.records import HostFacts
from .._pure.references import Reference


class PodmanStore(t.Protocol):
    """podman's store; images are keyed by podman's own ID, C(engine_id) where it is set and C(id) elsewhere."""

    def look(self, filters: t.Sequence[str] = ()) -> tuple[HostFacts, tuple[ImageFacts, ...]]:
        """The host, and all images, or those that pass podman's filters; without what only details tell."""

    def details(self, keys: t.Iterable[str]) -> dict[str, ImageFacts]:
        """All about some images; what has vanished is missing."""

    def resolve(self, names: t.Iterable[str]) -> dict[str, str | None]:
        """The key of the image that podman itself takes each name for."""

    def instances(self, key: str) -> Index:
        """What a manifest list holds."""


class EngineStore(t.Protocol):
    """The store of docker or of a CRI runtime; images are keyed by the engine's own ID."""

    def images(self) -> tuple[ImageFacts, ...]:
        """All images, without what only details tell."""

    def details(self, ids: t.Sequence[str]) -> dict[str, ImageFacts]:
        """All about some images."""


class Archives(t.Protocol):
    """Archives, layouts and folders."""

    def __call__(self, source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
        """The images of a source."""


class Registry(t.Protocol):
    """Registries."""

    def describe(self, reference: Reference, platform: Platform) -> ImageFacts:
        """What a registry holds under a reference."""

    def usage(self) -> tuple[RegistryUsage, ...]:
        """What was asked so far, by registry."""
