# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows: what a person writes, and whether one is open."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone, tzinfo

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.windows import Window, parse_window
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError

_EAST = timezone(timedelta(hours=2))


def _zone(name: str) -> tzinfo:
    return {"UTC": timezone.utc, "Test/East": _EAST}[name]


def _read(value: object) -> Window:
    window = parse_window(value, _zone)
    assert window is not None
    return window


@pytest.mark.parametrize("value", [None, "", {}])
def test_nothing_is_no_window(value: object) -> None:
    assert parse_window(value, _zone) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"hours": "22:00-04:00"}, Window(frozenset(range(7)), 1320, 240, timezone.utc)),
        ({"days": "mon-fri"}, Window(frozenset(range(5)), 0, 1440, timezone.utc)),
        ({"days": ["sat", "Sunday"], "timezone": "Test/East"}, Window(frozenset({5, 6}), 0, 1440, _EAST)),
        ("fri-mon 1:30 - 2:00".replace(" - ", "-"), Window(frozenset({4, 5, 6, 0}), 90, 120, timezone.utc)),
        ("Test/East sat,sun 01:00-05:00", Window(frozenset({5, 6}), 60, 300, _EAST)),
    ],
)
def test_a_window_is_read(value: object, expected: Window) -> None:
    assert _read(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "noday",
        {"hour": "1:00-2:00"},
        {"hours": "25:00-26:00"},
        {"hours": "10:00-10:00"},
        {"hours": "10:60-11:00"},
        {"hours": 3},
        {"days": "someday"},
        {"days": 3},
        {"timezone": "No/Where"},
        "mon tue",
        [1],
    ],
)
def test_what_cannot_be_meant_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="rollout_window"):
        parse_window(value, _zone)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


# 2026-11-21 is a Saturday.
@pytest.mark.parametrize(
    ("value", "now", "is_open", "opens"),
    [
        ("sat 10:00-12:00", "2026-11-21T09:59", False, "2026-11-21T10:00"),
        ("sat 10:00-12:00", "2026-11-21T10:00", True, "2026-11-28T10:00"),
        ("sat 10:00-12:00", "2026-11-21T12:00", False, "2026-11-28T10:00"),
        ("sat 22:00-04:00", "2026-11-21T23:00", True, "2026-11-28T22:00"),
        ("sat 22:00-04:00", "2026-11-22T03:59", True, "2026-11-28T22:00"),
        ("sat 22:00-04:00", "2026-11-22T04:00", False, "2026-11-28T22:00"),
        ("sat 22:00-04:00", "2026-11-21T03:00", False, "2026-11-21T22:00"),
        ("sun Test/East", "2026-11-21T21:59", False, "2026-11-21T22:00"),
        ("sun Test/East", "2026-11-21T22:00", True, "2026-11-28T22:00"),
        ("mon-fri", "2026-11-21T00:00", False, "2026-11-23T00:00"),
    ],
)
def test_it_is_open_in_its_hours_only(value: str, now: str, is_open: bool, opens: str) -> None:
    window = _read(value)
    assert window.is_open(_at(now)) == is_open
    assert window.opens(_at(now)) == _at(opens)


def test_zones_are_found_by_whoever_has_them() -> None:
    def broken(_name: str) -> t.NoReturn:
        raise OSError

    with pytest.raises(InputError, match="time zone 'Europe/Berlin'"):
        parse_window("Europe/Berlin", broken)
