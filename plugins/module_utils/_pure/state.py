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
from .holds import Hold, ImageHold, UserHold, read_hold, with_image, written_hold
from .intents import Intent, read_intent, written_intent
from .interruptions import Interruption, counted, read_interruption, written_interruption
from .plan_records import PlanRecord, read_record, written_record
from .platforms import Platform
from .slots import Slot, read_slot, written_slot

if t.TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Hold", "ImageHold", "State", "UserHold", "parse_state", "render_state"]

SCHEMA = 1

_Entry = t.TypeVar("_Entry")


@dataclass(frozen=True)
class State:
    """All that is remembered."""

    holds: tuple[Hold, ...] = ()
    slots: tuple[Slot, ...] = ()
    #: What runs are about to do, or have been interrupted in.
    intents: tuple[Intent, ...] = ()
    #: The last plan that was given here, and how it ended.
    plan: PlanRecord | None = None
    #: Images that runs were interrupted with, and that neither worked since nor are held.
    interruptions: tuple[Interruption, ...] = ()

    def hold_against(
        self,
        reference: str,
        platform: Platform,
        image_id: str | None,
        digests: t.Collection[str],
        unit: str | None = None,
    ) -> Hold | None:
        """The hold that keeps the reference from this image, if any; a person's before an image's."""
        found = [one for one in self._concerning(reference, platform, unit) if one.forbids(image_id, digests)]
        return min(found, key=lambda one: isinstance(one, ImageHold), default=None)

    def lifted(self, reference: str, platform: Platform, unit: str | None = None) -> State:
        """The state without any hold of the reference (those of its images on this platform, and a person's), and without a count."""
        gone = self._concerning(reference, platform, unit)
        left = replace(self, holds=tuple(one for one in self.holds if one not in gone)) if gone else self
        return left.arrived([reference])

    def holding(self, image: ImageHold) -> State:
        """The state with one more image held."""
        left = tuple(one for one in self.interruptions if (one.reference, one.id) != (image.reference, image.id))
        return replace(self, holds=with_image(self.holds, image), interruptions=left)

    def knowing(self, image: ImageHold) -> State:
        """The state with one more image held; the same state where nothing of it is new."""
        for one in self.holds:
            if isinstance(one, ImageHold) and one.same_as(image) and image.digests <= one.digests:
                return self
        return self.holding(image)

    def held_by_user(self, holds: t.Sequence[UserHold]) -> State:
        """The state in which these, and no others, are the holds of people."""
        images = tuple(one for one in self.holds if isinstance(one, ImageHold))
        return replace(self, holds=(*dict.fromkeys(holds), *images))

    def at(self, now: datetime) -> State:
        """The state without the holds that have ended by now."""
        over = [one for one in self.holds if isinstance(one, UserHold) and one.is_over(now)]
        return replace(self, holds=tuple(one for one in self.holds if one not in over)) if over else self

    def keeping(self, unit: str, reference: str, slots: t.Sequence[Slot]) -> State:
        """The state with these slots, and no others, for one unit and reference; sorted, so that equal is equal."""
        others = [one for one in self.slots if (one.unit, one.reference) != (unit, reference)]
        order = sorted([*others, *slots], key=lambda one: (one.unit, one.reference, one.number))
        return replace(self, slots=tuple(order))

    def intending(self, intents: t.Sequence[Intent]) -> State:
        """The state with these intents, each in the place of what the same run said of the same unit before."""
        said = {(one.run, one.unit) for one in intents}
        return replace(self, intents=(*(one for one in self.intents if (one.run, one.unit) not in said), *intents))

    def without_intents(self, runs: t.Collection[str]) -> State:
        """The state without the intents of these runs."""
        left = tuple(one for one in self.intents if one.run not in runs)
        return self if left == self.intents else replace(self, intents=left)

    def interrupted(self, reference: str, platform: Platform, image_id: str) -> int:
        """How often in a row runs were interrupted with this image."""
        found = (one for one in self.interruptions if (one.reference, one.platform) == (reference, platform))
        return next((one.times for one in found if one.id == image_id), 0)

    def counting(self, interruptions: t.Sequence[Interruption]) -> State:
        """The state in which these are counted."""
        known = self.interruptions
        for one in interruptions:
            known = counted(known, one)
        return replace(self, interruptions=known)

    def arrived(self, references: t.Collection[str]) -> State:
        """The state without counts for references on which an image works now."""
        left = tuple(one for one in self.interruptions if one.reference not in references)
        return self if left == self.interruptions else replace(self, interruptions=left)

    def _concerning(self, reference: str, platform: Platform, unit: str | None) -> list[Hold]:
        return [one for one in self.holds if one.concerns(reference, platform, unit)]


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
    if document.get("schema") != SCHEMA or isinstance(document["schema"], bool):
        raise _StrangeError(_about_schema(document.get("schema")))
    if set(document) != {"schema", "holds", "slots", "intents", "plan", "interruptions"}:
        raise _StrangeError("it does not have exactly the keys schema, holds, slots, intents, plan and interruptions")
    plan = read_record(document["plan"])
    if plan is None and document["plan"] is not None:
        raise _StrangeError("plan is neither null nor what this release writes")
    return State(
        _entries(document, "holds", read_hold),
        _entries(document, "slots", read_slot),
        _entries(document, "intents", read_intent),
        plan,
        _entries(document, "interruptions", read_interruption),
    )


def render_state(state: State) -> bytes:
    """The file's content."""
    document = {
        "schema": SCHEMA,
        "holds": [written_hold(one) for one in state.holds],
        "slots": [written_slot(one) for one in state.slots],
        "intents": [written_intent(one) for one in state.intents],
        "plan": written_record(state.plan) if state.plan else None,
        "interruptions": [written_interruption(one) for one in state.interruptions],
    }
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


class _StrangeError(ValueError):
    """Something in the document is not what this release writes."""


def _about_schema(schema: object) -> str:
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        return f"its schema is {schema}, and this release knows {SCHEMA}; use the newer release that wrote it"
    return f"its schema is not {SCHEMA}"


def _entries(
    document: t.Mapping[str, t.Any], key: str, understand: t.Callable[[t.Mapping[str, t.Any]], _Entry | None]
) -> tuple[_Entry, ...]:
    entries = document[key]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _StrangeError(f"{key} is not a list of objects")
    understood = [understand(entry) for entry in entries]
    if None in understood:
        raise _StrangeError(f"an entry of {key} is not one that this release writes")
    return tuple(t.cast("list[_Entry]", understood))
