# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms: the names that machines, images and people use, and which variants satisfy which."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform


class Named(t.NamedTuple):
    """What somebody calls a platform, and what it is called here."""

    os: str
    architecture: str
    variant: str
    expected: str


_NAMED = [
    # L13.
    Named("LINUX", "amd64", "", "linux/amd64"),
    Named("linux", "aarch64", "", "linux/arm64"),
    Named("linux", "x86_64", "", "linux/amd64"),
    Named("linux", "x86-64", "", "linux/amd64"),
    Named("macos", "x86_64", "", "darwin/amd64"),
    Named("linux", "arm64", "8", "linux/arm64/v8"),
    Named("linux", "arm64", "V8", "linux/arm64/v8"),
    Named("linux", "armhf", "", "linux/arm/v7"),
    Named("linux", "armel", "", "linux/arm/v6"),
    Named("linux", "arm", "7", "linux/arm/v7"),
    Named("linux", "i686", "", "linux/386"),
    Named("linux", "ppc64le", "", "linux/ppc64le"),
    Named("plan9", "mos6502", "x", "plan9/mos6502/x"),
    Named("linux", "amd64", "2", "linux/amd64/2"),
]


@pytest.mark.parametrize("case", _NAMED, ids=lambda case: "/".join(case[:3]))
def test_platforms_have_one_name_each(case: Named) -> None:
    assert str(Platform.normalised(case.os, case.architecture, case.variant)) == case.expected


class Order(t.NamedTuple):
    """The variants that satisfy a platform, best first."""

    architecture: str
    variant: str
    expected: tuple[str, ...]


_ORDERS = [
    # podman's image library: from the wanted variant downwards and then none; none first where none is wanted.
    Order("arm", "v8", ("v8", "v7", "v6", "v5", "")),
    Order("arm", "v7", ("v7", "v6", "v5", "")),
    Order("arm", "v6", ("v6", "v5", "")),
    Order("arm", "v5", ("v5", "")),
    Order("arm", "", ("", "v8", "v7", "v6", "v5")),
    Order("arm64", "v8", ("v8", "")),
    Order("arm64", "", ("", "v8")),
    Order("arm64", "v9", ("v9", "")),
    Order("amd64", "", ("",)),
    Order("amd64", "v3", ("v3", "")),
]


@pytest.mark.parametrize("case", _ORDERS, ids=lambda case: f"{case.architecture}/{case.variant}")
def test_variants_are_tried_in_the_order_of_podman(case: Order) -> None:
    assert Platform("linux", case.architecture, case.variant).variants_in_order() == case.expected


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=6))
def test_normalising_twice_changes_nothing_more(os: str, architecture: str, variant: str) -> None:
    once = Platform.normalised(os, architecture, variant)
    if once.os.lower() == once.os and once.architecture.lower() == once.architecture:
        assert Platform.normalised(once.os, once.architecture, once.variant) == once


@given(st.sampled_from(["arm", "arm64", "amd64", "riscv64"]), st.sampled_from(["", "v5", "v6", "v7", "v8", "v9"]))
def test_every_platform_satisfies_itself_best_and_nothing_twice(architecture: str, variant: str) -> None:
    order = Platform("linux", architecture, variant).variants_in_order()
    assert order[0] == variant
    assert "" in order
    assert len(set(order)) == len(order)
