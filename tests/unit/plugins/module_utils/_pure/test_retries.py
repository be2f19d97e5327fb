# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When to come back: what Retry-After says in all its forms, and pauses of our own."""

from __future__ import annotations

import email.utils
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import retries

_NOW = 1_790_000_000.0


class Header(t.NamedTuple):
    """A Retry-After as it was sent, and the seconds that it means."""

    text: str | None
    seconds: float | None


_HEADERS = [
    Header("0", 0.0),
    Header("120", 120.0),
    Header(" 7 ", 7.0),
    Header("0.0005", 0.0005),
    Header("1.", 1.0),
    # As ghcr.io sends it; header bytes are read as Latin-1.
    Header("449.943µs", 449.943e-6),
    Header("449.943µs".encode().decode("latin-1"), 449.943e-6),
    Header("43.9us", 43.9e-6),
    Header("1.16676ms", 1.16676e-3),
    Header("1m30s", 90.0),
    Header("1h0m0.5s", 3600.5),
    Header("15ns", 15e-9),
    Header(email.utils.formatdate(_NOW + 30, usegmt=True), 30.0),
    Header(email.utils.formatdate(_NOW - 30, usegmt=True), 0.0),
    Header("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
    Header("Sun Nov  6 08:49:37 1994", 0.0),
    Header(None, None),
    Header("", None),
    Header("soon", None),
    Header("-5", None),
    Header("1e400", None),
    Header("5 apples", None),
    Header("1s garbage", None),
    Header("9" * 40, None),
    Header("\u0661", None),
    Header("Mon, 99 Foo 2026 99:99:99 GMT", None),
]


@pytest.mark.parametrize("header", _HEADERS, ids=lambda header: repr(header.text))
def test_every_form_of_retry_after_is_read(header: Header) -> None:
    found = retries.retry_after(header.text, _NOW)
    assert found == (None if header.seconds is None else pytest.approx(header.seconds, abs=1e-9))


@given(st.text(max_size=60) | st.text(alphabet="0123456789.hmsµun, GMTMon", max_size=60))
def test_any_header_gives_seconds_or_nothing(text: str) -> None:
    found = retries.retry_after(text, _NOW)
    assert found is None or 0 <= found < float("inf")


@given(st.integers(0, 50), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_stay_bounded(attempt: int, chance: float) -> None:
    assert 0.1 <= retries.pause(attempt, chance) <= 15
    assert retries.pause(attempt, chance) <= retries.pause(attempt + 1, chance)


def test_clients_that_failed_together_do_not_come_back_together() -> None:
    assert retries.pause(1, 0.0) < retries.pause(1, 0.5) < retries.pause(1, 0.99)
