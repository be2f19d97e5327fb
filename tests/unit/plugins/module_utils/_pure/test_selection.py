# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selection: which workloads only and exclude mean."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.selection import Pattern, Selection

_ID = "5ff6ecc6d9ba032430b2907644d1199f84d22211acad9f4eccd858aabe8c64e8"


class _Workload(t.NamedTuple):
    unit: str | None = "web.service"
    container_name: str = "front"
    container_id: str = _ID
    image: str = "quay.io/team/app:1"


_WEB = _Workload()


def test_a_pattern_can_be_about_one_owners_units() -> None:
    some = Selection.parse(["unit@kim:web"], ["container@root:front"], "kim")
    assert some.takes(_WEB)
    for user in (None, "kai"):
        assert not Selection.parse(["unit@kim:web"], [], user).takes(_WEB)
        assert Selection.parse(["unit@kim:web"], [], user).unused([_WEB]) == (("only", "unit@kim:web"),)
    assert Selection.parse(["unit@root:web"], []).takes(_WEB)
    assert not Selection.parse(["unit@root:web"], [], "kim").takes(_WEB)
    with pytest.raises(InputError):
        Pattern.parse("unit@kim:")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("unit:web.service", True),
        ("unit:web", True),
        ("unit:w*", True),
        ("unit:*.service", True),
        ("unit:we[a-b]", True),
        ("unit:we", False),
        ("unit:front", False),
        ("unit:WEB", False),
        ("unit:web.service.service", False),
        ("container:front", True),
        ("container:fr?nt", True),
        (f"container:{_ID}", True),
        (f"container:{_ID[:12]}", True),
        (f"container:{_ID[:11]}", False),
        ("container:web", False),
        ("image:quay.io/team/*", True),
        ("image:*:1", True),
        ("image:quay.io/team/app", False),
        ("image:app:1", False),
        ("web", True),
        ("front", True),
        ("quay.io/*", True),
        ("quay.io/team/app:1", True),
        ("*", True),
        ("other", False),
        ("registry:web", False),
    ],
)
def test_a_pattern_means_what_its_prefix_says_or_any_of_the_three(pattern: str, expected: bool) -> None:
    assert Pattern.parse(pattern).matches(_WEB) is expected


def test_a_container_without_unit_matches_no_unit() -> None:
    assert not Pattern.parse("unit:*").matches(_Workload(unit=None))
    assert Pattern.parse("*").matches(_Workload(unit=None))


@pytest.mark.parametrize("pattern", ["", "unit:", "container:", "image:"])
def test_an_empty_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="is empty"):
        Selection.parse([], [pattern])


class Taken(t.NamedTuple):
    """Two lists, and whether the workload takes part."""

    only: tuple[str, ...]
    exclude: tuple[str, ...]
    expected: bool


@pytest.mark.parametrize(
    "case",
    [
        Taken((), (), True),
        Taken(("unit:web",), (), True),
        Taken(("unit:db",), (), False),
        Taken(("unit:db", "front"), (), True),
        Taken((), ("front",), False),
        Taken((), ("unit:db",), True),
        Taken(("unit:web",), ("front",), False),
        Taken(("unit:db",), ("front",), False),
    ],
    ids=str,
)
def test_exclude_wins_over_only(case: Taken) -> None:
    assert Selection.parse(case.only, case.exclude).takes(_WEB) is case.expected


def test_patterns_that_match_nothing_are_told_with_their_option() -> None:
    selection = Selection.parse(["unit:web", "unit:wbe", "nothing*"], ["unit:nobody", "db*"])
    nothing = (("only", "unit:wbe"), ("only", "nothing*"), ("exclude", "unit:nobody"))
    assert selection.unused([_WEB, _Workload(unit="db.service")]) == nothing
    all_of_them = [("only", one) for one in ("unit:web", "unit:wbe", "nothing*")]
    assert selection.unused([]) == (*all_of_them, ("exclude", "unit:nobody"), ("exclude", "db*"))


def test_a_pattern_of_exclude_may_match_what_only_does_not_take() -> None:
    assert Selection.parse(["unit:db"], ["unit:web"]).unused([_WEB, _Workload(unit="db.service")]) == ()
