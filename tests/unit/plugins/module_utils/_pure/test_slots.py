# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots: what is where after an update, and what is read back from names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.slots import (
    MOST,
    Slot,
    occupied,
    previous,
    read_slot,
    shifted,
    surplus,
    written_slot,
)

UNIT, WEB = "web.service", "quay.io/team/web:1"
IDS = [f"sha256:{number:064x}" for number in range(6)]


def test_ten_updates_move_everything_on_by_one() -> None:
    held: dict[int, str] = {}
    for number in range(5):
        held = shifted(held, IDS[number])
    assert held == {1: IDS[4], 2: IDS[3], 3: IDS[2], 4: IDS[1], 5: IDS[0]}
    assert surplus(held, 2) == [5, 4, 3]
    assert surplus(held, 0) == [5, 4, 3, 2, 1]
    assert surplus(held, 5) == []


@given(st.dictionaries(st.integers(1, MOST), st.sampled_from(IDS)), st.sampled_from(IDS))
def test_what_was_left_last_comes_first_and_nothing_is_lost_or_kept_twice(before: dict[int, str], old: str) -> None:
    after = shifted(before, old)
    assert previous(after) == after[1] == old
    assert list(after) == list(range(1, len(after) + 1))
    assert sorted(after.values()) == sorted({*before.values(), old})
    assert shifted(after, old) == after


@given(st.dictionaries(st.integers(1, MOST), st.sampled_from(IDS)))
def test_names_alone_tell_the_slots(held: dict[int, str]) -> None:
    tags = {names.slot(UNIT, WEB, number): image_id for number, image_id in held.items()}
    others = {names.slot("other.service", WEB): IDS[0], names.slot(UNIT, "quay.io/team/web:2"): IDS[0], WEB: IDS[1]}
    assert occupied(UNIT, WEB, {**others, **tags}) == held
    assert previous(held) == (held[min(held)] if held else None)


def test_a_slot_knows_its_name_and_is_written_with_it() -> None:
    slot = Slot(UNIT, WEB, 3, IDS[0])
    assert slot.name == names.slot(UNIT, WEB, 3)
    assert written_slot(slot)["name"] == slot.name
    assert read_slot(written_slot(slot)) == slot
