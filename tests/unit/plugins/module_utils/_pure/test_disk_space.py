# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headroom as people write it, and the disk as it fills while pulls are planned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.disk_space import Disk, Headroom, Room
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError

_TEXTS = {
    "0": 0,
    "1048576": 2**20,
    "500M": 500 * 2**20,
    "2GiB": 2 * 2**30,
    "2 gb": 2 * 2**30,
    "10k": 10 * 2**10,
    "1T": 2**40,
    "5%": 50,
    "99 %": 990,
}


@pytest.mark.parametrize("text", _TEXTS)
def test_headroom_as_people_write_it(text: str) -> None:
    assert Headroom.parse(text).of(1000) == _TEXTS[text]


@pytest.mark.parametrize("text", ["", "much", "-1", "1.5G", "100%", "5%%", "1P", "9" * 16])
def test_what_is_no_headroom(text: str) -> None:
    with pytest.raises(InputError, match="headroom"):
        Headroom.parse(text)


def test_what_does_not_fit_takes_nothing_from_the_others() -> None:
    room = Room(Disk(free=100, total=1000, layers=frozenset({"there"})), Headroom(bytes=20))
    assert room.take([("a", 50), ("a", 50), ("there", 10**9)]).fits
    need = room.take([("a", 50), ("b", 31)])
    assert (need.fits, need.bytes, need.left) == (False, 31, 30)
    assert room.take([("b", 30)]).fits
    assert room.take([("a", 50), ("b", 30)]).fits, "all of it is planned already"
    assert not room.take([("c", 1)]).fits


def test_a_disk_that_is_too_full_already_takes_only_what_needs_nothing() -> None:
    room = Room(Disk(free=10, total=1000, layers=frozenset({"there"})), Headroom(percent=5))
    assert room.take([("there", 5)]).fits
    assert not room.take([("new", 1)]).fits


@given(st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.just(7)))), st.integers(0, 60))
def test_what_is_planned_fits_together(pulls: list[list[tuple[str, int]]], free: int) -> None:
    room = Room(Disk(free, free), Headroom())
    planned = {layer for pull in pulls if room.take(pull).fits for layer in pull}
    assert sum(size for _digest, size in planned) <= free
