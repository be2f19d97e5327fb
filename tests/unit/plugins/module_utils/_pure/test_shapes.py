# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of JSON: what has one, and what is left of it."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.shapes import (
    ListOf,
    Maybe,
    OneOf,
    fits,
    picked,
)

_SHAPE = {
    "name": str,
    "number": int,
    "seconds": Maybe(float),
    "sure": bool,
    "kind": OneOf(frozenset({"a", "b"})),
    "more": ListOf({"id": Maybe(str)}),
}
_SOUND: dict[str, t.Any] = {
    "name": "x", "number": 3, "seconds": 1.5, "sure": True, "kind": "a", "more": [{"id": None}, {"id": "y"}],
}  # fmt: skip
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*_SHAPE, "id", "z"]), inner, max_size=6)
    ),
)


def test_what_has_the_shape_fits_and_strange_keys_are_left_out() -> None:
    stuffed = {**_SOUND, "extra": 1, "more": [{"id": None, "extra": 2}, {"id": "y"}]}
    assert fits(_SOUND, _SHAPE)
    assert fits(stuffed, _SHAPE)
    assert picked(stuffed, _SHAPE) == _SOUND


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 1}, {"name": None}, {"name": "x" * 4097}, {"name": "\ud800"}, {"number": True}, {"number": 1.0}, {"number": -1},
        {"number": 2**63}, {"seconds": "1"}, {"seconds": float("inf")}, {"seconds": float("nan")}, {"seconds": False},
        {"sure": 1}, {"sure": None}, {"kind": "c"}, {"kind": None}, {"kind": ["a"]}, {"more": {}}, {"more": [None]},
        {"more": [{}]}, {"more": [{"id": 1}]}, {"more": [{"id": None}] * 20_001},
    ],
    ids=str,
)  # fmt: skip
def test_one_wrong_value_is_enough(wrong: dict[str, t.Any]) -> None:
    assert not fits({**_SOUND, **wrong}, _SHAPE)


@pytest.mark.parametrize("missing", _SOUND)
def test_every_key_must_be_there(missing: str) -> None:
    assert not fits({key: value for key, value in _SOUND.items() if key != missing}, _SHAPE)


@given(_json)
def test_whatever_fits_can_be_picked_and_written(value: object) -> None:
    for shape in (_SHAPE, ListOf(str), Maybe(int), float, bool, OneOf(frozenset({"a"}))):
        if fits(value, shape):
            assert fits(json.loads(json.dumps(picked(value, shape), allow_nan=False)), shape)
