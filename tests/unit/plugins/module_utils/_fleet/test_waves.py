# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of waves, and hosts in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.waves import (
    DEFAULT_WAVES,
    WaveSize,
    parse_waves,
    split,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


@pytest.mark.parametrize(
    ("value", "sizes"),
    [
        ([1, "10%", "100%"], "1 10% 100%"),
        ("1, 10 %,100%", "1 10% 100%"),
        (5, "5"),
        ("25%", "25%"),
        (["3"], "3"),
    ],
)
def test_sizes_are_read(value: object, sizes: str) -> None:
    assert " ".join(map(str, parse_waves(value))) == sizes


@pytest.mark.parametrize(
    "value", ["", [], [0], ["0%"], ["101%"], [-1], ["a"], [True], True, ["10%%"], [1.5], {"a": 1}, None, [1] * 101]
)
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="rollout_waves"):
        parse_waves(value)


def test_the_default_is_one_then_a_tenth_then_all() -> None:
    hosts = [f"h{number}" for number in range(50)]
    assert [len(wave) for wave in split(hosts, (), DEFAULT_WAVES)] == [1, 5, 44]
    assert [len(wave) for wave in split(hosts[:6], (), DEFAULT_WAVES)] == [1, 1, 4]
    assert split((), (), DEFAULT_WAVES) == ()


def test_canaries_are_a_wave_of_their_own_in_the_order_of_the_hosts() -> None:
    hosts = ["a", "b", "c", "d"]
    assert split(hosts, {"d", "b", "elsewhere"}, (WaveSize(1),)) == (("b", "d"), ("a",), ("c",))
    assert split(hosts, hosts, DEFAULT_WAVES) == (tuple(hosts),)


@given(
    st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=60),
    st.sets(st.text(min_size=1, max_size=3), max_size=5),
    st.lists(st.builds(WaveSize, st.integers(1, 100), st.booleans()), min_size=1, max_size=5),
)
def test_every_host_is_in_one_wave_and_no_wave_is_empty(
    hosts: list[str], canaries: set[str], sizes: list[WaveSize]
) -> None:
    waves = split(hosts, canaries, sizes)
    assert all(waves)
    assert sorted(host for wave in waves for host in wave) == sorted(hosts)
    rest = [host for wave in waves for host in wave if host not in canaries]
    assert rest == [host for host in hosts if host not in canaries]
