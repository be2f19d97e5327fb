# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image configs: every byte comes from a stranger."""

from __future__ import annotations

import contextlib
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_configs import (
    ImageConfig,
    ImageConfigError,
    parse_config,
    utc,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform


def _parsed(**document: object) -> ImageConfig:
    return parse_config(json.dumps(document).encode())


def test_a_config_tells_platform_time_and_labels() -> None:
    found = _parsed(
        os="linux",
        architecture="arm64",
        variant="8",
        created="2026-05-01T12:00:00.120+02:00",
        config={"Labels": {"a": "b", "empty": ""}, "Env": ["PATH=/bin"]},
        rootfs={"type": "layers", "diff_ids": []},
    )
    assert found == ImageConfig(Platform("linux", "arm64", "v8"), "2026-05-01T10:00:00.12Z", {"a": "b", "empty": ""})


def test_a_config_that_says_nothing_is_a_config() -> None:
    assert _parsed() == ImageConfig(None, None, {})


@pytest.mark.parametrize(
    "document",
    [
        {"os": "linux"},
        {"architecture": "amd64"},
        {"os": "", "architecture": "amd64"},
        {"os": "linux", "architecture": ["amd64"]},
        {"created": 5, "config": []},
        {"created": "yesterday", "config": {"Labels": None}},
        {"created": None, "config": {"Labels": ["a=b"]}},
        {"config": {"Labels": {"a": 1, "b": None, "c": ["d"]}}},
    ],
)
def test_what_is_not_as_the_spec_says_counts_as_not_said(document: dict[str, object]) -> None:
    assert _parsed(**document) == ImageConfig(None, None, {})


def test_a_variant_that_is_no_text_is_none() -> None:
    assert _parsed(os="linux", architecture="amd64", variant=8).platform == Platform("linux", "amd64")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe\xfd", b'{"a": "\xe9"}', b"[" * 500_000, b'{"a":' * 200_000],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ImageConfigError):
        parse_config(body)


def test_half_a_surrogate_pair_becomes_what_can_be_written() -> None:
    (label,) = parse_config(rb'{"config": {"Labels": {"\ud83d": "a\udc00b \ud83d\ude00"}}}').labels.items()
    assert label == ("\N{REPLACEMENT CHARACTER}", "a\N{REPLACEMENT CHARACTER}b \N{GRINNING FACE}")


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z"),
        ("2026-05-01t12:00:00z", "2026-05-01T12:00:00Z"),
        ("2026-05-01T12:00:00.000Z", "2026-05-01T12:00:00Z"),
        ("2026-05-01T12:00:00.123456789Z", "2026-05-01T12:00:00.123456789Z"),
        ("2026-05-01T12:00:00.123456789123Z", "2026-05-01T12:00:00.123456789Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
        ("2025-12-31T23:30:00.5-01:30", "2026-01-01T01:00:00.5Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("2023-02-29T00:00:00Z", None),
        ("2026-05-01T24:00:00Z", None),
        ("2026-05-01T12:00:00+24:00", None),
        ("2026-05-01T12:00:00", None),
        ("2026-05-01", None),
        ("\uff12026-05-01T12:00:00Z", None),
        ("2026-05-01T12:00:00Z\n", None),
        ("", None),
        (None, None),
        (0, None),
    ],
)
def test_times_are_utc(text: object, normalised: str | None) -> None:
    assert utc(text) == normalised


@given(
    st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 12, 31)),
    st.integers(-23 * 60, 23 * 60),
)
def test_a_time_is_the_same_moment_in_utc(moment: dt.datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    normalised = utc(zoned.isoformat())
    assert normalised is not None
    assert normalised.endswith("Z")
    whole, _dot, fraction = normalised[:-1].partition(".")
    told = dt.datetime.fromisoformat(whole).replace(
        microsecond=int(fraction.ljust(6, "0") or 0), tzinfo=dt.timezone.utc
    )
    assert told == zoned
    assert utc(normalised) == normalised


@given(
    st.binary()
    | st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_no_body_does_anything_but_tell_or_be_refused(body: bytes) -> None:
    with contextlib.suppress(ImageConfigError):
        json.dumps(dict(parse_config(body).labels), ensure_ascii=False).encode()
