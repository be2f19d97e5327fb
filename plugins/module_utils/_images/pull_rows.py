# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Rows: what the store held before, what it holds after, and whether that is a change. One rule for check and run."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._pure.errors import EngineError
from .._pure.image_facts import ImageFacts
from .._pure.image_names import Source, Transport
from .._pure.platforms import Platform
from .._pure.pull_decisions import Bring, Fetch, Keep, Pulled, Refuse, Wanted
from .._pure.reasons import Reason
from .._pure.references import Reference
from .pull_protocols import Registry, Store
from .pull_report import NOTHING, Pair, Row
from .pull_view import View

_WITHOUT_DIGESTS = (Transport.DOCKER_ARCHIVE, Transport.DOCKER_DAEMON)
_Step = t.Union[Keep, Refuse, Fetch, Bring]


class Rows:
    """Makes the rows of one run from the view that it began with."""

    def __init__(self, store: Store, view: View, platform: Platform | None) -> None:
        self._store = store
        self._view = view
        self._platform = platform

    def predicted(self, wanted: Wanted, step: _Step, registry: Registry | None) -> Row:
        """The row that a run would give; its image's platform is asked for where only the image itself tells."""
        if isinstance(step, (Keep, Refuse)):
            return self._with_mismatch(self.settled(wanted, step))
        row = self._row(wanted, step, step.id if isinstance(step, Fetch) else step.image.id)
        return self._with_mismatch(replace(row, platform=self._platform_of(step, registry)))

    def _platform_of(self, step: Fetch | Bring, registry: Registry | None) -> Platform | None:
        """The platform of an image that is not there yet, in podman's words: without a variant."""
        if isinstance(step, Bring):
            found = step.image.platform
        else:
            here = self._view.image(step.id)
            if here is not None:
                return here.platform
            platform = self._platform or self._view.host.platform
            if registry is None or step.remote.platform_digest is not None:
                found = platform
            else:
                try:
                    found = registry.describe(_at(step.reference, step.remote.digest), platform).platform
                except EngineError:
                    return None
        return Platform(found.os, found.architecture) if found else None

    def settled(self, wanted: Wanted, step: Keep | Refuse, tried: Fetch | Bring | None = None) -> Row:
        """The row of a name for which nothing is, or was, brought."""
        if isinstance(step, Keep):
            image = step.local.image
            pair = _pair(image, wanted)
            return Row(
                wanted.text,
                step.local.name,
                pair,
                pair,
                reason=step.reason,
                warning=step.warning,
                platform=image.platform,
            )
        if tried is None:
            local = self._view.find(wanted.text, wanted.name, self._platform) if wanted.name else None
            image_ = local.image if local and not local.image.corrupted else None
            name = local.name if local else None
            return Row.failed(wanted.text, step.error, name, _pair(image_, wanted))
        name, image_ = self._before(tried)
        return Row.failed(wanted.text, step.error, name, _pair(image_, wanted))

    def brought(self, wanted: Wanted, step: Fetch | Bring, pulled: Pulled, duration: float) -> Row:
        """The row of an image that came; its platform is filled in by C(completed)."""
        row = self._row(wanted, step, self._view.id_of(pulled.ids[-1]))
        return replace(row, duration=duration, log=pulled.log)

    def completed(self, rows: t.Sequence[Row]) -> list[Row]:
        """The rows with the platforms of what came, from one more look at the store where anything did."""
        images = {}
        if any(row.pulled for row in rows):
            images = {image.engine_id or image.id: image for image in self._store.stored().images}
        return [self._with_mismatch(_arrived(row, images.get(row.after[0]) if row.pulled else None)) for row in rows]

    def _row(self, wanted: Wanted, step: Fetch | Bring, arrived: str | None) -> Row:
        name, image = self._before(step)
        before = _pair(image, wanted)
        digest = step.remote.digest if isinstance(step, Fetch) else step.image.digest
        there = self._view.image(arrived)
        if there is not None:  # podman shows the first digest that it knew the image by, whatever is added (4.3, 5.4).
            digest = _pair(there, wanted)[1]
        tags = [step.reference.name] if isinstance(step, Fetch) else list(step.image.tags)
        if isinstance(step, Fetch) and step.reference.digest:
            tags = []
        moved = any(self._view.names.get(tag) != arrived for tag in tags)
        new = there is None or (not tags and before[0] != arrived)
        return Row(
            wanted.text,
            name,
            before,
            (arrived, digest),
            pulled=isinstance(step, Fetch) or step.load,
            changed=moved or new,
            reason=Reason.CORRUPTED if isinstance(step, Fetch) and step.corrupted else None,
            platform=there.platform if there else None,
        )

    def _before(self, step: Fetch | Bring) -> tuple[str | None, ImageFacts | None]:
        """The name that moves, and the healthy image that it named when the run began."""
        if isinstance(step, Fetch):
            name = step.reference.name
            if step.reference.digest:
                found = self._view.find(name, step.reference, self._platform)
                return name, found.image if found and not found.image.corrupted else None
            return name, self._view.named(name)
        tags = step.image.tags
        return (tags[0], self._view.named(tags[0])) if tags else (None, self._view.image(step.image.id))

    def _with_mismatch(self, row: Row) -> Row:
        wanted = self._platform or self._view.host.platform
        found = row.platform
        if found is None:
            return row
        other = (found.os, found.architecture) != (wanted.os, wanted.architecture)
        variants = self._platform is not None and found.variant and wanted.variant and found.variant != wanted.variant
        return replace(row, platform_mismatch=bool(other or variants))


def _arrived(row: Row, image: ImageFacts | None) -> Row:
    return replace(row, platform=image.platform, after=(image.id or row.after[0], row.after[1])) if image else row


def _at(reference: Reference, digest: str) -> Reference:
    return replace(reference, tag=None, digest=digest)


def _pair(image: ImageFacts | None, wanted: Wanted) -> Pair:
    """Image ID and digest. What a source has by its ID alone has no digest here: podman makes one up when it loads it."""
    if image is None:
        return NOTHING
    by_id = isinstance(wanted.name, Source) and wanted.name.transport in _WITHOUT_DIGESTS
    return image.id, None if by_id else image.digest
