# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is handed on of a user's own listing is all that the module documents: nothing of it gets lost on the way to root."""

from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible")

import yaml

from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine import listing
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.shapes import ListOf, Maybe
from ansible_collections.podfleet.autoupdate.plugins.modules import autoupdate_info

_RETURNED: dict[str, t.Any] = yaml.safe_load(autoupdate_info.RETURN)
_WHOSE = {"scope", "user"}


@pytest.mark.parametrize("key", [key for key, about in _RETURNED.items() if key not in ("users", "plan", "follows")])
def test_all_that_is_documented_is_handed_on(key: str) -> None:
    assert set(_RETURNED[key]["contains"]) - _WHOSE == set(_fields(listing._LISTING[key]))


def test_so_is_what_is_not_a_list() -> None:
    assert set(_RETURNED["plan"]["sample"]) == set(_fields(listing._LISTING["plan"]))
    assert set(_RETURNED["users"]["contains"]) >= {"plan", "follows"}


def test_and_what_stands_within() -> None:
    for key, within in (("workloads", "running"), ("runs", "units")):
        documented = _RETURNED[key]["contains"][within]["contains"]
        assert set(documented) == set(_fields(_fields(listing._LISTING[key])[within]))


def _fields(shape: t.Any) -> dict[str, t.Any]:
    while isinstance(shape, (Maybe, ListOf)):
        shape = shape.shape if isinstance(shape, Maybe) else shape.entry
    assert isinstance(shape, dict)
    return shape
