# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history's lines: written, read back, and never a reason to fail when one is damaged."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import (
    Event,
    Passage,
    Who,
    events,
    line,
    newer_half,
)

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
IDS = [f"sha256:{number:064x}" for number in range(3)]
EVENT = Event(
    NOON, "5f0c", Who(0, "root", "anna"), "web.service", "rolled_back", "job_failed", "no", "failed", 1.25,
    (Passage("web", "quay.io/team/web:1", (IDS[0], IDS[1]), (IDS[0], None)),),
)  # fmt: skip
_WRITTEN: dict[str, t.Any] = json.loads(line(EVENT))

_maybe = st.none() | st.text(max_size=20)
_content = st.tuples(st.sampled_from([None, *IDS]), st.sampled_from([None, *IDS]))
_events = st.builds(
    Event,
    st.just(NOON),
    st.text(max_size=9),
    st.builds(Who, st.integers(0, 99999), st.text(max_size=9), _maybe),
    st.text(max_size=20),
    st.sampled_from(["updated", "rolled_back", "failed"]),
    _maybe,
    _maybe,
    _maybe,
    st.none() | st.integers(0, 10**6).map(lambda number: number / 1000),
    st.lists(st.builds(Passage, st.text(max_size=9), st.text(max_size=9), _content, _content), max_size=3).map(tuple),
    st.sampled_from([None, "0f" * 16]),
)


@given(st.lists(_events, max_size=5))
def test_what_was_written_is_read_in_its_order(given_: list[Event]) -> None:
    assert events(b"".join(map(line, given_))) == tuple(given_)


@given(_events, st.integers(0, 1000), st.binary(max_size=200))
def test_damage_costs_only_the_damaged_line(event: Event, cut: int, rubbish: bytes) -> None:
    whole = line(EVENT)
    broken = line(event)[:-1][:cut]
    body = whole + broken + b"\n" + rubbish.replace(b"\n", b"") + b"\n" + whole
    read = events(body)
    assert read[0] == read[-1] == EVENT
    assert len(read) >= 2


_STRANGE: dict[str, dict[str, object]] = {
    "a time that is none": {"time": "noon"},
    "a user's number that is none": {"uid": "0"},
    "a negative number": {"uid": -1},
    "a verdict with spaces": {"verdict": "all is well"},
    "a unit that is no text": {"unit": None},
    "a reason that is no text": {"reason": 1},
    "seconds that are none": {"seconds": "1"},
    "a plan that is no text": {"plan": 1},
    "one key more": {"more": 1},
    "changes that are no list": {"changes": {}},
    "a change that is no object": {"changes": [1]},
    "a change with less": {"changes": [{"container": "web"}]},
    "a change of nothing": {"changes": [{**_WRITTEN["changes"][0], "image": None}]},
    "an ID that is none": {"changes": [{**_WRITTEN["changes"][0], "after": {"id": "ab", "digest": None}}]},
    "content that is none": {"changes": [{**_WRITTEN["changes"][0], "before": "ab"}]},
}


@pytest.mark.parametrize("case", _STRANGE)
def test_a_line_that_is_not_ours_is_passed_over(case: str) -> None:
    assert events(json.dumps({**_WRITTEN, **_STRANGE[case]}).encode()) == ()
    assert events(json.dumps(_WRITTEN).encode()) == (EVENT,)


def test_long_errors_are_cut_and_longer_lines_not_read() -> None:
    assert events(line(replace(EVENT, error="x" * 9999))) == (replace(EVENT, error="x" * 500),)
    assert events(line(replace(EVENT, unit="x" * 70000))) == ()


@given(st.lists(_events, min_size=2, max_size=20))
def test_the_newer_half_is_whole_lines_from_the_end(given_: list[Event]) -> None:
    body = b"".join(map(line, given_))
    newer = newer_half(body)
    assert body.endswith(newer)
    assert len(newer) <= (len(body) + 1) // 2
    kept = events(newer)
    assert kept == tuple(given_[len(given_) - len(kept) :])
    assert newer_half(b"") == b""
