# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Interruptions: how often runs did not live to see a unit up on an image, which may be what took their host down."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .holds import is_normal
from .moments import read, written
from .platforms import Platform
from .references import is_digest

if t.TYPE_CHECKING:
    from datetime import datetime

#: An image that was interrupted so often in a row is left and held: once may be an accident.
TOO_OFTEN = 2
_LONGEST = 300
_MOST = 1_000_000


@dataclass(frozen=True)
class Interruption:
    """One image that was being activated when runs were interrupted, C(times) in a row, in C(unit) at C(last) last."""

    reference: str
    platform: Platform
    id: str
    times: int
    unit: str
    last: datetime

    @property
    def too_often(self) -> bool:
        """Whether it is not to be tried again."""
        return self.times >= TOO_OFTEN


def counted(known: t.Sequence[Interruption], new: Interruption) -> tuple[Interruption, ...]:
    """With a new count, in the place of any other for its reference: another image between them ends a row."""
    return (*(one for one in known if (one.reference, one.platform) != (new.reference, new.platform)), new)


def read_interruption(entry: t.Mapping[str, t.Any]) -> Interruption | None:
    """What is in one entry of the state file; None for what this release does not write."""
    if set(entry) != {"reference", "platform", "id", "times", "unit", "last"}:
        return None
    times, unit, last = entry["times"], entry["unit"], read(entry["last"])
    platform = Platform.read(entry["platform"])
    sound = isinstance(times, int) and not isinstance(times, bool) and 1 <= times <= _MOST
    sound = sound and is_normal(entry["reference"]) and is_digest(entry["id"])
    sound = sound and isinstance(unit, str) and len(unit) <= _LONGEST
    if not sound or platform is None or last is None:
        return None
    return Interruption(entry["reference"], platform, entry["id"], times, unit, last)


def written_interruption(one: Interruption) -> dict[str, t.Any]:
    """One entry of the state file."""
    return {
        "reference": one.reference,
        "platform": str(one.platform),
        "id": one.id,
        "times": one.times,
        "unit": one.unit[:_LONGEST],
        "last": written(one.last),
    }
