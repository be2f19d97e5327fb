# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Slots: the images that a unit ran before, under names of ours. Number 1 is the latest.

The names are the truth; the state file beside them says in words what each hash means, and can be made again.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from . import names
from .holds import is_normal
from .moments import read, written
from .references import is_digest

if t.TYPE_CHECKING:
    from datetime import datetime

#: As many as a run may be told to keep.
MOST = 20
#: Names beyond are left by images that were in use when they fell out; looked for as far as they can have got.
_FARTHEST = MOST + 10
_LONGEST = 300


@dataclass(frozen=True)
class Slot:
    """One image that C(unit) ran for C(reference) before. C(number) 1 is the latest; C(kept) is when it was left."""

    unit: str
    reference: str
    number: int
    id: str
    digests: frozenset[str] = frozenset()
    kept: datetime | None = None

    @property
    def name(self) -> str:
        """The name under which local storage keeps the image."""
        return names.slot(self.unit, self.reference, self.number)


def occupied(unit: str, reference: str, tags: t.Mapping[str, str]) -> dict[int, str]:
    """Slot number → image ID, from the names in local storage."""
    found = {number: tags.get(names.slot(unit, reference, number)) for number in range(1, _FARTHEST + 1)}
    return {number: image_id for number, image_id in found.items() if image_id is not None}


def shifted(before: t.Mapping[int, str], old: str) -> dict[int, str]:
    """What each slot holds once C(old) was replaced: it comes first, and everything else moves on by one.

    An image is kept once; nothing is dropped here, because the way back must stay until the new image works.
    """
    rest = [image_id for _number, image_id in sorted(before.items()) if image_id != old]
    distinct = list(dict.fromkeys(rest))
    return dict(enumerate([old, *distinct][:_FARTHEST], start=1))


def previous(held: t.Mapping[int, str]) -> str | None:
    """The image to which a unit goes back: the latest that it left."""
    return held[min(held)] if held else None


def surplus(numbers: t.Iterable[int], keep: int) -> list[int]:
    """The slots beyond the window, the oldest first."""
    return sorted((number for number in numbers if number > keep), reverse=True)


def read_slot(entry: t.Mapping[str, t.Any]) -> Slot | None:
    """The slot in one entry of the state file; None for what this release does not write."""
    if set(entry) != {"unit", "reference", "number", "name", "id", "digests", "kept"}:
        return None
    unit, number, digests, kept = entry["unit"], entry["number"], entry["digests"], read(entry["kept"])
    sound = isinstance(unit, str) and 0 < len(unit) <= _LONGEST and is_normal(entry["reference"])
    sound = sound and isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= _FARTHEST
    sound = sound and isinstance(digests, list) and all(map(is_digest, digests)) and is_digest(entry["id"])
    if not sound or (kept is None and entry["kept"] is not None):
        return None
    slot = Slot(unit, entry["reference"], number, entry["id"], frozenset(digests), kept)
    return slot if slot.name == entry["name"] else None


def written_slot(slot: Slot) -> dict[str, t.Any]:
    """One entry of the state file."""
    return {
        "unit": slot.unit,
        "reference": slot.reference,
        "number": slot.number,
        "name": slot.name,
        "id": slot.id,
        "digests": sorted(slot.digests),
        "kept": written(slot.kept) if slot.kept else None,
    }
