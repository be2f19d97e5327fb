# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a pull needs of the world. The edges implement it; a test hands in others."""

from __future__ import annotations

import typing as t

from .._pure.decisions import RemoteImage
from .._pure.disk_space import Disk
from .._pure.image_facts import ImageFacts
from .._pure.image_names import Source
from .._pure.local_lookup import AskEngine
from .._pure.manifests import Index
from .._pure.platforms import Platform
from .._pure.pull_decisions import Pulled, Stored
from .._pure.questions import Question, RegistryUsage
from .._pure.references import Reference
from .._pure.signature_policy import SignaturePolicy
from .._pure.state import State


class Store(t.Protocol):
    """The images of one podman store. Every method raises C(StoreError)."""

    def stored(self) -> Stored:
        """The host and all its images; those that are damaged say so."""

    def answer(self, asked: AskEngine) -> str | Index | None:
        """What only podman knows for a look-up: an image ID or None for a name, an index for a list."""

    def disk(self) -> Disk | None:
        """The storage's file system; None where it cannot be told."""

    def pull(self, source: str, platform: Platform | None) -> Pulled:
        """Transfer what podman-pull(1) calls a source; called from several threads."""

    def tag(self, image_id: str, *names: str) -> None:
        """Give an image names."""

    def untag(self, image_id: str, name: str) -> None:
        """Take a name from an image; the image stays."""


class Registry(t.Protocol):
    """The registries behind all references; called from several threads. Methods raise C(RegistryError)."""

    def resolve(self, question: Question) -> RemoteImage:
        """Answer one question."""

    def describe(self, reference: Reference, platform: Platform) -> ImageFacts:
        """What the registry holds under a tag or digest for one platform."""

    def usage(self) -> tuple[RegistryUsage, ...]:
        """What was asked so far."""


class Sources(t.Protocol):
    """Archives, layouts, folders and other engines."""

    def images_of(self, source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
        """The images that a source holds, or the one that it names. Raises C(EngineError)."""

    def is_gzipped(self, source: Source) -> bool:
        """Whether an archive is compressed with gzip. Raises C(EngineError)."""


class Rules(t.Protocol):
    """What this host says about names, signatures and holds."""

    def candidates(self, reference: Reference, search: t.Sequence[str]) -> tuple[Reference, ...]:
        """What a reference may mean, in order: itself, or what a short name is looked for as. Raises C(ImageError).

        C(search) are the host's unqualified-search registries.
        """

    def signatures(self) -> SignaturePolicy:
        """The host's policy.json."""

    def state(self) -> State:
        """What this collection remembers. Raises C(StateError)."""

    def lift(self, reference: str, platform: Platform) -> None:
        """Forget the holds of a reference. Raises C(StateError)."""
