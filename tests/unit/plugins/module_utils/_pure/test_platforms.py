# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms: the names that machines, images and people use, and which variants satisfy which."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
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
    # What uname -m and Debian say where Go says something else.
    Named("linux", "armv7l", "", "linux/arm/v7"),
    Named("linux", "armv6l", "", "linux/arm/v6"),
    Named("linux", "ppc64el", "", "linux/ppc64le"),
    Named("linux", "loongarch64", "", "linux/loong64"),
    Named("linux", "armhf", "v6", "linux/arm/v6"),
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


_ANY_ARCHITECTURE = st.text(max_size=12) | st.sampled_from(["armhf", "ARMEL", "armv7l", "arm", "arm64", "X86_64"])


@given(st.text(max_size=12), _ANY_ARCHITECTURE, st.text(max_size=6) | st.sampled_from(["7", "V8", "v6"]))
def test_normalising_twice_changes_nothing_more(os: str, architecture: str, variant: str) -> None:
    once = Platform.normalised(os, architecture, variant)
    assert Platform.normalised(once.os, once.architecture, once.variant) == once


class Written(t.NamedTuple):
    """What a person writes, and which platform it is."""

    text: str
    platform: Platform


_WRITTEN = [
    Written("linux/amd64", Platform("linux", "amd64")),
    Written("Linux/x86_64", Platform("linux", "amd64")),
    Written("linux/arm/v7", Platform("linux", "arm", "v7")),
    Written("linux/arm64/8", Platform("linux", "arm64", "v8")),
    Written("linux/armhf", Platform("linux", "arm", "v7")),
    Written("plan9/mos6502", Platform("plan9", "mos6502")),
]


@pytest.mark.parametrize("case", _WRITTEN, ids=lambda case: case.text)
def test_a_written_platform_is_read_and_normalised(case: Written) -> None:
    assert Platform.parse(case.text) == case.platform


@pytest.mark.parametrize(
    "text",
    ["", "linux", "linux/", "/amd64", "linux/amd64/", "linux/arm/v7/x", "linux amd64", "linux/am d64", "linux/amd64\n"],
)
def test_what_is_no_platform_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="such as linux/amd64 or linux/arm/v7") as caught:
        Platform.parse(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"[a-zA-Z0-9.]{1,8}(/[a-zA-Z0-9_]{1,8}){1,2}", fullmatch=True))
def test_any_text_is_a_platform_that_comes_back_or_refused(text: str) -> None:
    try:
        found = Platform.parse(text)
    except InputError:
        return
    assert Platform.parse(str(found)) == found


class Accepted(t.NamedTuple):
    """Whether an image of one platform is taken where another is wanted."""

    wanted: str
    image: str
    expected: bool


_ACCEPTED = [
    Accepted("linux/amd64", "linux/amd64", True),
    Accepted("linux/amd64", "linux/arm64", False),
    Accepted("linux/amd64", "windows/amd64", False),
    Accepted("linux/arm", "linux/arm/v6", True),
    Accepted("linux/arm/v7", "linux/arm/v7", True),
    Accepted("linux/arm/v7", "linux/arm/v6", False),
    Accepted("linux/arm/v7", "linux/arm", True),
]


@pytest.mark.parametrize("case", _ACCEPTED, ids=lambda case: f"{case.wanted} {case.image}")
def test_an_image_in_storage_is_taken_where_nothing_says_otherwise(case: Accepted) -> None:
    assert Platform.parse(case.wanted).accepts(Platform.parse(case.image)) is case.expected


@given(st.sampled_from(["arm", "arm64", "amd64", "riscv64"]), st.sampled_from(["", "v5", "v6", "v7", "v8", "v9"]))
def test_every_platform_satisfies_itself_best_and_nothing_twice(architecture: str, variant: str) -> None:
    order = Platform("linux", architecture, variant).variants_in_order()
    assert order[0] == variant
    assert "" in order
    assert len(set(order)) == len(order)
