# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: the tags that keep images of ours, one for each unit and reference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_unit = st.from_regex(r"[a-z0-9@.-]{1,20}\.service", fullmatch=True)
_reference = st.from_regex(r"[a-z]{1,8}\.io/[a-z]{1,8}:[a-z0-9]{1,5}", fullmatch=True)
_pairs = st.tuples(_unit, _reference)


@given(_pairs)
def test_every_name_is_a_reference_that_podman_takes_and_is_known_as_ours(pair: tuple[str, str]) -> None:
    for name in (
        names.slot(*pair),
        names.slot(*pair, number=2),
        names.rejected(*pair),
        names.staged(*pair, "sha256:ab"),
    ):
        assert Reference.parse(name).name == name
        assert name.startswith("localhost/podfleet-autoupdate/")


@given(_pairs, _pairs)
def test_different_units_and_references_never_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (names.slot(*one) == names.slot(*other)) is (one == other)
    assert (names.rejected(*one) == names.rejected(*other)) is (one == other)
    assert names.slot(*one) not in (names.rejected(*other), names.slot(*one, number=2))


@given(_pairs, _pairs)
def test_what_is_staged_for_one_reference_and_platform_begins_alike(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    name = names.staged(*one, "sha256:ab")
    assert names.is_staged(name)
    assert not names.is_staged(names.slot(*one))
    assert name.startswith(names.staged_for(*other)) is (one == other)
    assert name != names.staged(*one, "sha256:cd")


def test_a_slot_is_found_again_by_the_next_release() -> None:
    """The names are on hosts: to change them is to forget every image that was kept."""
    kept = "localhost/podfleet-autoupdate/slot:5c2ddf65b17f1f76bdf92fc5e5c0bc60-1"
    assert names.slot("web.service", "quay.io/team/app:1") == kept
