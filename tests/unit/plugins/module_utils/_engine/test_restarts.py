# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry for restarts: which names it takes. What it does is tested on hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.restarts import checked_names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


def test_a_service_may_be_named_without_its_suffix_and_counts_once() -> None:
    assert checked_names(["web", "db.service", "web.service", "db"]) == ["web.service", "db.service"]


@pytest.mark.parametrize("name", ["", "a b", "../etc/passwd", "a/b", "web\n", "web.socket/x", "x" * 300, "sshd@"])
def test_what_is_no_service_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(InputError, match="name: ") as caught:
        checked_names(["web", name])
    assert len(str(caught.value)) < 300


def test_there_is_a_bound() -> None:
    assert len(checked_names([f"u{number}" for number in range(1000)])) == 1000
    with pytest.raises(InputError, match="more than 1000"):
        checked_names([f"u{number}" for number in range(1001)])


@given(st.lists(st.text(max_size=20), max_size=5))
def test_whatever_is_accepted_is_a_plain_name_of_a_service(names: list[str]) -> None:
    try:
        accepted = checked_names(names)
    except InputError:
        return
    assert all(one.endswith(".service") and "/" not in one and one.isprintable() for one in accepted)
    assert len(set(accepted)) == len(accepted)
