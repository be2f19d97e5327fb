# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of Ansible become plain ones, whatever they are made of."""

from __future__ import annotations

import collections
import json
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plain import plain


class _Marked(str):
    """As templating marks strings."""


class _Number(int):
    """As templating marks numbers."""


_JSON: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(_JSON)
def test_what_is_json_stays_as_it_is(value: object) -> None:
    assert plain(value) == value
    assert json.dumps(plain(value)) == json.dumps(value)


def test_nothing_of_another_type_is_left() -> None:
    value = collections.UserDict({_Marked("a"): (_Marked("x"), _Number(1), True, 1.5, None, object)})
    found = plain(value)
    assert found["a"][:5] == ["x", 1, True, 1.5, None]
    assert [type(one) for one in (found, *found, found["a"], *found["a"])] == [
        dict,
        str,
        list,
        str,
        int,
        bool,
        float,
        type(None),
        str,
    ]


def test_what_is_absurdly_deep_is_cut() -> None:
    deep: object = "end"
    for _level in range(5000):
        deep = {"a": [deep]}
    found = plain(deep)
    for _level in range(25):
        (found,) = found["a"]
    assert found is None
