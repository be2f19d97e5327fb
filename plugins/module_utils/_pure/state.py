# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What this collection remembers on a host: the state file's content. Reading it is strict, because holds protect."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from .documents import DocumentError, load_object
from .errors import StateError
from .platforms import Platform
from .references import InvalidReferenceError, Reference, is_digest

SCHEMA = 1


@dataclass(frozen=True)
class ImageHold:
    """An image that failed, or was left on purpose: C(reference) must not get it again on this platform.

    C(reference) is normalised; C(digests) are all that are known for the image.
    """

    reference: str
    platform: Platform
    id: str
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True)
class UserHold:
    """A reference that a person holds: it stays on what it names locally."""

    reference: str


Hold = t.Union[ImageHold, UserHold]


@dataclass(frozen=True)
class State:
    """All that is remembered. C(slots) and C(intent) belong to updates and are handed on as they are."""

    holds: tuple[Hold, ...] = ()
    slots: tuple[t.Mapping[str, t.Any], ...] = ()
    intent: t.Mapping[str, t.Any] | None = None

    def hold_against(
        self, reference: str, platform: Platform, image_id: str | None, digests: t.Collection[str]
    ) -> Hold | None:
        """The hold that keeps the reference from this image, if any; a person's before an image's."""
        found = [one for one in self.holds if _forbids(one, reference, platform, image_id, digests)]
        return min(found, key=lambda one: isinstance(one, ImageHold), default=None)

    def lifted(self, reference: str, platform: Platform) -> State:
        """The state without any hold of the reference: those of its images on this platform, and a person's."""
        return replace(self, holds=tuple(one for one in self.holds if not _concerns(one, reference, platform)))


def _concerns(hold: Hold, reference: str, platform: Platform) -> bool:
    if hold.reference != reference:
        return False
    if isinstance(hold, UserHold):
        return True
    # podman does not tell the variant of every image, so it cannot keep two images apart.
    return (hold.platform.os, hold.platform.architecture) == (platform.os, platform.architecture)


def _forbids(hold: Hold, reference: str, platform: Platform, image_id: str | None, digests: t.Collection[str]) -> bool:
    if not _concerns(hold, reference, platform):
        return False
    return isinstance(hold, UserHold) or hold.id == image_id or not hold.digests.isdisjoint(digests)


def parse_state(body: bytes, where: str) -> State:
    """Read the file's content; C(where) is its path, for the message.

    Raises:
        StateError: It is damaged, or of a newer schema; nothing of it is guessed.
    """
    try:
        return _state(load_object(body, "its content"))
    except (DocumentError, _StrangeError) as error:
        raise StateError(f"{where} cannot be used: {error}") from None


def _state(document: t.Mapping[str, t.Any]) -> State:
    if document.get("schema") != SCHEMA:
        raise _StrangeError(_about_schema(document.get("schema")))
    if set(document) != {"schema", "holds", "slots", "intent"}:
        raise _StrangeError("it does not have exactly the keys schema, holds, slots and intent")
    intent = document["intent"]
    if not (intent is None or isinstance(intent, dict)):
        raise _StrangeError("intent is neither null nor an object")
    holds = tuple(_hold(entry) for entry in _objects(document, "holds"))
    return State(holds, tuple(_objects(document, "slots")), intent)


def render_state(state: State) -> bytes:
    """The file's content."""
    document = {
        "schema": SCHEMA,
        "holds": [_rendered(one) for one in state.holds],
        "slots": list(state.slots),
        "intent": state.intent,
    }
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


class _StrangeError(ValueError):
    """Something in the document is not what this release writes."""


def _about_schema(schema: object) -> str:
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        return f"its schema is {schema}, and this release knows {SCHEMA}; use the newer release that wrote it"
    return f"its schema is not {SCHEMA}"


def _objects(document: t.Mapping[str, t.Any], key: str) -> list[dict[str, t.Any]]:
    entries = document[key]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _StrangeError(f"{key} is not a list of objects")
    return entries


def _hold(entry: t.Mapping[str, t.Any]) -> Hold:
    by, reference = entry.get("by"), entry.get("reference")
    if by == "user" and set(entry) == {"by", "reference"} and _is_normal(reference):
        return UserHold(reference)
    if by == "image" and set(entry) == {"by", "reference", "platform", "id", "digests"} and _is_normal(reference):
        platform, digests = _platform(entry["platform"]), entry["digests"]
        sound = isinstance(digests, list) and all(map(is_digest, digests))
        if platform is not None and sound and is_digest(entry["id"]):
            return ImageHold(reference, platform, entry["id"], frozenset(digests))
    raise _StrangeError("a hold is not one that this release writes")


def _rendered(hold: Hold) -> dict[str, t.Any]:
    if isinstance(hold, UserHold):
        return {"by": "user", "reference": hold.reference}
    return {
        "by": "image",
        "reference": hold.reference,
        "platform": str(hold.platform),
        "id": hold.id,
        "digests": sorted(hold.digests),
    }


def _is_normal(reference: object) -> t.TypeGuard[str]:
    try:
        return isinstance(reference, str) and Reference.parse(reference).name == reference
    except InvalidReferenceError:
        return False


def _platform(text: object) -> Platform | None:
    parts = text.split("/") if isinstance(text, str) else []
    return Platform(*parts) if len(parts) in (2, 3) and all(parts) else None
