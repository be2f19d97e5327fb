# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rate limits: the headers of several registries, and the two kinds of 429."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.quotas import RateLimit, is_used_up, rate_limit

_NOW = 1_790_000_000.0
_HUB = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600", "Docker-RateLimit-Source": "192.0.2.7"}


class Told(t.NamedTuple):
    """What a registry sent, and what that means."""

    who: str
    headers: dict[str, str]
    limit: RateLimit | None
    is_quota: bool = False


_TOLD = [
    Told("Docker Hub", _HUB, RateLimit(100, 76, 21600, "192.0.2.7"), is_quota=True),
    Told("Docker Hub, spaced", {"RateLimit-Limit": "100; w=21600"}, RateLimit(100, None, 21600, None)),
    Told("only what is left", {"RateLimit-Remaining": "3"}, RateLimit(None, 3, None, None), is_quota=True),
    Told(
        "GitLab",
        {"RateLimit-Limit": "60", "RateLimit-Remaining": "59", "RateLimit-Reset": str(int(_NOW) + 42)},
        RateLimit(60, 59, 42, None),
    ),
    Told(
        "GitHub",
        {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(_NOW) + 3000)},
        RateLimit(5000, 0, 3000, None),
        is_quota=True,
    ),
    Told("seconds from now", {"RateLimit-Limit": "9", "RateLimit-Reset": "50"}, RateLimit(9, None, 50, None)),
    Told(
        "a reset that is over", {"RateLimit-Limit": "9", "RateLimit-Reset": "1600000000"}, RateLimit(9, None, 0, None)
    ),
    Told("a list", {"RateLimit-Limit": "100, 100;w=60"}, RateLimit(100, None, None, None)),
    Told("nobody", {}, None),
    Told("nonsense", {"RateLimit-Limit": "many", "RateLimit-Remaining": "-1"}, None),
    Told("too long a number", {"RateLimit-Limit": "9" * 30}, None),
    Told(
        "an odd source", {**_HUB, "Docker-RateLimit-Source": "\x1b[2J"}, RateLimit(100, 76, 21600, None), is_quota=True
    ),
]


@pytest.mark.parametrize("told", _TOLD, ids=lambda told: told.who)
def test_limits_are_read_as_registries_write_them(told: Told) -> None:
    found = rate_limit(told.headers, _NOW)
    assert found == told.limit
    assert (found is not None and found.is_quota) is told.is_quota


def test_a_limit_is_shown_with_all_its_parts() -> None:
    found = rate_limit(_HUB, _NOW)
    assert found is not None
    assert found.to_result() == {"limit": 100, "remaining": 76, "window": 21600, "source": "192.0.2.7"}


class Refused(t.NamedTuple):
    """A 429 with what came along, and whether waiting is in vain."""

    what: str
    limit: RateLimit | None
    body: bytes
    pause: float | None
    used_up: bool


_NONE_LEFT = RateLimit(100, 0, 21600, None)
_REFUSED = [
    Refused("Docker Hub's quota", _NONE_LEFT, b"", None, used_up=True),
    Refused("only the body tells", None, b'{"errors":[{"message":"You have reached your pull rate limit."}]}', 1, True),
    Refused("a reset far away", _NONE_LEFT, b"", 3000, used_up=True),
    Refused("Docker Hub's guard against abuse", RateLimit(100, 76, 21600, None), b"Too Many Requests", None, False),
    Refused("none left, but soon again", _NONE_LEFT, b"", 5, used_up=False),
    Refused("a short window", RateLimit(60, 0, 30, None), b"", None, used_up=False),
    Refused("ghcr.io", None, b"toomanyrequests: retry-after: 449.943\xc2\xb5s, allowed: 44000/minute", 4e-4, False),
    Refused("quay.io", None, b"", None, used_up=False),
]


@pytest.mark.parametrize("case", _REFUSED, ids=lambda case: case.what)
def test_a_quota_that_is_used_up_is_told_from_asking_too_fast(case: Refused) -> None:
    assert is_used_up(case.limit, case.body, case.pause, patience=60) is case.used_up


_NAMES = [f"{prefix}RateLimit-{name}" for prefix in ("", "X-") for name in ("Limit", "Remaining", "Reset")]


@given(st.dictionaries(st.sampled_from(_NAMES), st.text(max_size=20) | st.integers().map(str)))
def test_any_headers_give_sound_numbers_or_nothing(headers: dict[str, str]) -> None:
    found = rate_limit(headers, _NOW)
    for number in (found.limit, found.remaining, found.window) if found else ():
        assert number is None or 0 <= number <= 10**11
