# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns: how far apart restarts begin."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.turns import Turns


def test_the_first_does_not_wait() -> None:
    begun = time.monotonic()
    Turns(processors=1).wait()
    assert time.monotonic() - begun < Turns(processors=1).gap / 2


def test_threads_begin_a_gap_after_each_other() -> None:
    turns = Turns(processors=8)

    def begin(_number: int) -> float:
        turns.wait()
        return time.monotonic()

    with ThreadPoolExecutor(5) as pool:
        begun = sorted(pool.map(begin, range(5)))
    assert begun[-1] - begun[0] >= 4 * turns.gap * 0.9


def test_a_turn_that_nobody_took_is_not_saved_up() -> None:
    turns = Turns(processors=64)
    turns.wait()
    time.sleep(3 * turns.gap)
    turns.wait()
    begun = time.monotonic()
    turns.wait()
    assert time.monotonic() - begun >= turns.gap * 0.5


@pytest.mark.parametrize("processors", [1, 2, 16])
def test_more_processors_follow_faster(processors: int) -> None:
    assert Turns(processors).gap == pytest.approx(Turns(1).gap / processors)


def test_the_gap_follows_the_quickest_of_the_last_starts() -> None:
    turns = Turns(2)
    usual = turns.gap
    turns.started(0.05)
    quick = turns.gap
    assert quick == pytest.approx(usual / 3)
    for _start in range(8):
        turns.started(0.2)
    assert turns.gap == pytest.approx(4 * quick)


def test_a_start_that_waits_for_something_does_not_keep_others_for_ever() -> None:
    turns = Turns(2)
    for _start in range(10):
        turns.started(300.0)
    assert turns.gap == pytest.approx(4 * Turns(2).gap)


def test_who_is_in_a_hurry_waits_less() -> None:
    assert Turns(2, hurried=True).gap < Turns(2).gap


@pytest.mark.parametrize("seconds", [0.0, -3.0])
def test_what_was_no_start_does_not_count(seconds: float) -> None:
    """systemd's moments of a start that failed stand in another order, or are zero."""
    turns = Turns(2)
    turns.started(seconds)
    assert turns.gap == Turns(2).gap
