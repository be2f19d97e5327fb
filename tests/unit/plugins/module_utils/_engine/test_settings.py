# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: what cannot be meant is refused, by its name."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.settings import (
    Access,
    Settings,
    must_be_usable,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


@pytest.mark.parametrize("value", [1, 20, 100])
@pytest.mark.parametrize("name", ["timeout", "parallel", "registry_parallel"])
def test_what_can_be_meant_passes(name: str, value: int) -> None:
    must_be_usable(dataclasses.replace(Settings(), **{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", 86401),
        ("parallel", 0),
        ("parallel", 101),
        ("registry_parallel", 0),
        ("registry_parallel", -8),
        ("registry_parallel", 101),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(InputError, match=rf"^{name} must be between 1 and "):
        must_be_usable(dataclasses.replace(Settings(), **{name: value}))


def test_no_policies_are_refused() -> None:
    with pytest.raises(InputError, match="policies is empty"):
        must_be_usable(Settings(policies=frozenset()))


@pytest.mark.parametrize("budget", [None, 0, 5])
def test_a_budget_may_be_anything_but_less_than_nothing(budget: int | None) -> None:
    must_be_usable(Settings(access=Access(request_budget=budget)))


def test_a_budget_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="request_budget must be 0 or more, not -1"):
        must_be_usable(Settings(access=Access(request_budget=-1)))
