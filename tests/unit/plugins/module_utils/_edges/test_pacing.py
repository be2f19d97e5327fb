# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manners without a socket: turns, pauses, and what is set aside of a quota."""

from __future__ import annotations

import concurrent.futures
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.pacing import Pace, Quota
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.quotas import RateLimit
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason


def _soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def _most_at_once(pace: Pace, requests: int) -> int:
    """How many of these requests were under way at the same time."""
    lock = threading.Lock()
    under_way: set[int] = set()
    most = []

    def work(number: int) -> None:
        with pace.turn(_soon()):
            with lock:
                under_way.add(number)
                most.append(len(under_way))
            time.sleep(0.05)
            with lock:
                under_way.remove(number)

    with concurrent.futures.ThreadPoolExecutor(requests) as pool:
        list(pool.map(work, range(requests)))
    return max(most)


@pytest.mark.parametrize("width", [1, 3])
def test_no_more_than_the_width_are_under_way(width: int) -> None:
    assert _most_at_once(Pace("r", width, 10), 9) == width


def test_after_it_was_asked_to_be_slower_one_at_a_time() -> None:
    pace = Pace("r", 8, 10)
    assert pace.pause(0.01, slower=True)
    assert _most_at_once(pace, 6) == 1


def test_a_pause_for_another_cause_makes_nobody_slower() -> None:
    pace = Pace("r", 3, 10)
    assert pace.pause(0.01, slower=False)
    assert _most_at_once(pace, 9) == 3


def test_nothing_is_sent_while_a_pause_lasts() -> None:
    pace = Pace("r", 8, 10)
    started = time.monotonic()
    pace.pause(0.1, slower=True)
    with pace.turn(_soon()):
        assert time.monotonic() - started >= 0.1


def test_a_turn_that_does_not_come_in_time_is_an_error() -> None:
    pace = Pace("registry.example.com", 1, 10)
    with pace.turn(_soon()), pytest.raises(RegistryError, match="too slow") as caught, pace.turn(_soon(0.02)):
        pass
    assert "registry.example.com" in str(caught.value)
    assert caught.value.reason is Reason.REGISTRY_UNREACHABLE
    pace.pause(5, slower=True)
    with pytest.raises(RegistryError, match="asked too often") as caught, pace.turn(_soon(0.02)):
        pass
    assert caught.value.reason is Reason.RATE_LIMITED


def test_pauses_add_up_to_no_more_than_the_patience() -> None:
    pace = Pace("r", 8, patience=10)
    assert pace.pause(6, slower=True)
    assert pace.pause(5, slower=True), "it lasts already"
    assert pace.pause(9, slower=True), "three seconds more"
    assert not pace.pause(11.5, slower=True)
    assert not Pace("r", 8, patience=10).pause(3600, slower=True)


def _told(remaining: int, window: int | None = 21600) -> RateLimit:
    return RateLimit(100, remaining, window, None)


def test_without_a_budget_and_a_limit_everything_may_be_fetched() -> None:
    quota = Quota("r", None)
    for _time in range(1000):
        quota.take(2)


def test_what_a_budget_cannot_finish_is_not_begun() -> None:
    quota = Quota("r", 3)
    with quota.lease(2) as lease:
        lease.spend(lambda: None)
        lease.spend(lambda: None)
    with (
        pytest.raises(RegistryError, match="the request budget leaves 1 manifest requests, and 2 are needed") as caught,
        quota.lease(2),
    ):
        raise AssertionError("it was begun")
    assert caught.value.reason is Reason.REQUEST_BUDGET
    with quota.lease(1) as lease:
        lease.spend(lambda: None)


def test_what_was_not_needed_is_given_back() -> None:
    quota = Quota("r", 2)
    with quota.lease(2):
        pass
    with quota.lease(2) as lease:
        lease.spend(lambda: None)
    with pytest.raises(RegistryError):
        quota.take(2)
    quota.take(1)


def test_an_index_in_an_index_takes_another_one() -> None:
    quota = Quota("r", 2)
    with quota.lease(1) as lease:
        lease.spend(lambda: None)
        lease.spend(lambda: None)
        with pytest.raises(RegistryError):
            lease.spend(lambda: None)


def test_what_the_registry_has_left_counts_too() -> None:
    quota = Quota("registry.example.com", 50)
    quota.note(_told(1))
    with pytest.raises(RegistryError, match=r"registry\.example\.com leaves 1 manifest requests") as caught:
        quota.take(2)
    assert caught.value.reason is Reason.REQUEST_BUDGET
    with quota.lease(1) as lease:
        lease.spend(lambda: None)
    with pytest.raises(RegistryError, match="leaves 0"):
        quota.take(1)


def test_a_fresh_count_of_the_registry_replaces_our_own() -> None:
    quota = Quota("r", None)
    quota.note(_told(2))
    with quota.lease(1) as lease:
        lease.spend(lambda: quota.note(_told(9)))
    quota.take(9)
    with pytest.raises(RegistryError):
        quota.take(1)


def test_a_limit_of_speed_is_no_quota() -> None:
    quota = Quota("r", None)
    quota.note(_told(0, window=30))
    quota.take(2)


def test_a_request_that_failed_may_be_made_again() -> None:
    quota = Quota("r", 1)

    def fail() -> None:
        raise RegistryError("reset", Reason.REGISTRY_UNREACHABLE)

    with pytest.raises(RegistryError, match="reset"), quota.lease(1) as lease:
        lease.spend(fail)
    quota.take(1)


@given(st.integers(0, 12), st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=12))
def test_a_budget_is_never_exceeded_and_never_lost(budget: int, leases: list[tuple[int, int]]) -> None:
    quota = Quota("r", budget)
    spent = 0
    for wanted, used in leases:
        try:
            with quota.lease(wanted) as lease:
                for _time in range(min(wanted, used)):
                    lease.spend(lambda: None)
                    spent += 1
        except RegistryError:
            assert budget - spent < wanted
    assert spent <= budget
    quota.take(budget - spent)
