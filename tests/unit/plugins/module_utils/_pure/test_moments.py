# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time: what a person may write, and what files hold."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.moments import parse_moment, read, written


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(timezone.utc)))
def test_what_was_written_is_read(moment: datetime) -> None:
    assert read(written(moment)) == moment.replace(microsecond=0)


@given(st.text())
def test_nothing_else_is_read(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("text", [None, 1, "2026-11-21T12:00:00", "2026-1-2T3:04:05Z", "2026-02-30T00:00:00Z"])
def test_almost_is_not_enough(text: object) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-21", "2026-11-21T00:00:00Z"),
        ("2026-11-21 18:30", "2026-11-21T18:30:00Z"),
        ("2026-11-21T18:30:05Z", "2026-11-21T18:30:05Z"),
        ("2026-11-21t18:30:05z", "2026-11-21T18:30:05Z"),
        ("2026-11-21T00:30:00+01:00", "2026-11-20T23:30:00Z"),
    ],
)
def test_a_person_may_write_it_so(text: str, meant: str) -> None:
    assert written(parse_moment(text)) == meant


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-13-01", "2026-02-30", "26-01-01", "2026-11-21T25:00", "0001-01-01T00:00+23:59", "1"]
)
def test_but_not_so(text: str) -> None:
    with pytest.raises(InputError, match="is not a time: write for example"):
        parse_moment(text)


@given(st.text())
def test_anything_is_a_moment_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert parse_moment(text).utcoffset() == timedelta(0)
