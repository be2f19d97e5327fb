# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""How images in local storage compare with what their names mean in the registry, decided from what both said."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .decisions import RemoteImage, Sameness, sameness
from .errors import EngineError, ImageError
from .image_facts import ImageFacts
from .image_names import ImageId, ImageName, Source
from .reasons import ImageStatus, Reason
from .references import Reference

#: Names that no store and no registry could ever make sense of.
UNUSABLE = frozenset({Reason.BAD_REFERENCE, Reason.BAD_ID, Reason.UNSUPPORTED_TRANSPORT})


@dataclass(frozen=True)
class Comparison:
    """What is known of one name.

    C(status) is None as long as the registry has to be asked for C(reference). C(local) is the image that the name means
    in local storage, None where there is none.
    """

    query: str
    status: ImageStatus | None = None
    reason: Reason | None = None
    error: str | None = None
    local: ImageFacts | None = None
    reference: Reference | None = None
    remote: RemoteImage | None = None

    @property
    def known(self) -> frozenset[str]:
        """The digests that make opening the registry's manifest unnecessary: none of a damaged image."""
        return frozenset() if self.local is None or self.local.corrupted else self.local.digests

    def failed(self, error: EngineError) -> Comparison:
        """This one, where somebody did not tell."""
        return replace(self, status=ImageStatus.UNKNOWN, reason=error.reason, error=str(error))


def seen_locally(
    query: str, parsed: ImageName | ImageError, local: ImageFacts | ImageError, full_name: str | None
) -> Comparison:
    """What a name and local storage tell before any registry is asked.

    C(full_name) is the name that the image was found under; None where it was found by its ID.
    """
    seen = Comparison(query, local=local if isinstance(local, ImageFacts) else None)
    if isinstance(parsed, Source):
        return seen.failed(
            ImageError(f"{parsed}: only a name that a registry knows can be compared", Reason.UNSUPPORTED_TRANSPORT)
        )
    error = parsed if isinstance(parsed, ImageError) else local
    if isinstance(error, ImageError) and error.reason is not Reason.IMAGE_UNKNOWN:
        return seen.failed(error)
    sound = seen.local is not None and not seen.local.corrupted
    fixed = isinstance(parsed, ImageId) or (seen.local is not None and full_name is None)
    if fixed:
        gone = replace(seen, status=ImageStatus.MISSING, reason=Reason.BY_ID, error=Reason.BY_ID.text)
        return replace(seen, status=ImageStatus.PINNED) if sound else gone
    reference = _reference(t.cast("Reference", parsed), full_name)
    if sound and reference.digest is not None:
        return replace(seen, status=ImageStatus.PINNED)
    if not reference.fully_qualified:
        message = f"{query} is not in local storage, and does not say which registry to ask"
        return seen.failed(ImageError(message, Reason.SHORT_NAME))
    return replace(seen, reference=reference)


def _reference(parsed: Reference, full_name: str | None) -> Reference:
    """What a registry is asked for: for a short name, what podman found it under, as C(podman pull) does."""
    return Reference.parse(full_name) if full_name and not parsed.fully_qualified else parsed


def told(seen: Comparison, answer: RemoteImage | EngineError) -> Comparison:
    """What follows from the registry's answer."""
    if isinstance(answer, EngineError):
        return seen.failed(answer)
    seen = replace(seen, remote=answer)
    if seen.local is None:
        return replace(seen, status=ImageStatus.MISSING)
    if seen.local.corrupted:
        return replace(seen, status=ImageStatus.MISSING, reason=Reason.CORRUPTED, error=Reason.CORRUPTED.text)
    same = sameness(seen.local.digests, seen.local.id, answer)
    if same is None:
        return replace(seen, status=ImageStatus.PENDING)
    reason = Reason.SAME_CONTENT if same is Sameness.ID else None
    return replace(seen, status=ImageStatus.CURRENT, reason=reason)
