# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The transfer of one image: what was decided is what arrives, and a tag only moves to that.

A pull by digest moves no tag; the tag is set afterwards, and the name C(repository@digest) that podman gave is taken
away again. Where the host's policy.json wants signatures the tag itself is pulled, because a signature may name it; what
arrived is then compared with what was decided, and the old tag is put back where that is another image.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._pure.errors import ImageError, StoreError
from .._pure.platforms import Platform
from .._pure.pull_decisions import Bring, Fetch, Pulled
from .._pure.reasons import Reason
from .pull_protocols import Rules, Store
from .pull_view import View


class Transfer:
    """Brings what was decided into one store; called from several threads."""

    def __init__(self, store: Store, view: View, rules: Rules, platform: Platform | None) -> None:
        self._store = store
        self._view = view
        self._rules = rules
        self._platform = platform
        self._kept = frozenset(view.names)

    def keep(self, names: t.Iterable[str]) -> None:
        """Names that are wanted themselves, beside those that were there before: they are never taken away."""
        self._kept |= frozenset(names)

    def fetch(self, step: Fetch) -> Pulled:
        """Pull what a registry answered with, and name it.

        Raises:
            StoreError: podman did not bring or name it; the old tag is where it was.
            ImageError: C(tag_moved): another image came and was refused.
        """
        by_digest = step.reference.at(step.remote.digest)
        if step.reference.digest:
            return self._store.pull(by_digest, self._platform)
        held_by = self._view.names.get(by_digest, step.id)
        if held_by != step.id or not self._rules.signatures().takes_unsigned(step.reference, step.remote.digest):
            # Somebody's own name repository@digest would go to this image, and could not be given back.
            return self._fetch_by_tag(step)
        pulled = self._store.pull(by_digest, self._platform)
        try:
            self._store.tag(pulled.ids[-1], step.reference.name)
        finally:
            if by_digest not in self._kept:
                with contextlib.suppress(StoreError):  # A name too many, which the next pull takes away.
                    self._store.untag(pulled.ids[-1], by_digest)
        return pulled

    def _fetch_by_tag(self, step: Fetch) -> Pulled:
        name = step.reference.name
        pulled = self._store.pull(name, self._platform)
        arrived = pulled.ids[-1]
        if arrived == step.id or self._has_digest(arrived, step.remote.digest):
            return pulled
        old = self._view.names.get(name)
        if old is not None:
            self._store.tag(old, name)
        else:
            self._store.untag(arrived, name)
        message = f"{name}: {step.remote.digest} was decided, and another image arrived ({arrived}); it was refused"
        raise ImageError(message, Reason.TAG_MOVED)

    def _has_digest(self, image_id: str, digest: str) -> bool:
        """Whether an image has the digest: where podman's ID is not the config digest, IDs say nothing."""
        return any(image.id == image_id and digest in image.digests for image in self._store.stored().images)

    def bring(self, step: Bring, text: str) -> Pulled:
        """Load a source, or name the image that is there.

        Raises:
            StoreError: podman did not.
        """
        if step.load:
            pulled = self._store.pull(text, self._platform)
            if step.image.tags:  # podman 4.3 does not give all of them.
                self._store.tag(pulled.ids[-1], *step.image.tags)
            return pulled
        self._store.tag(t.cast("str", step.image.id), *step.names)
        return Pulled((t.cast("str", step.image.id),))
