# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What short names are pulled as: aliases from the files, and the registries that are searched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.short_names import ShortNames

DIGEST = "sha256:" + "ab" * 32
CONF = """
# "commented" = "quay.io/out"
unqualified-search-registries = ["docker.io", 'quay.io']
short-name-mode = "enforcing"   # said once

[[registry]]
prefix = "fedora"
location = "example.com/no-alias"

[aliases]
# one of each kind
"fedora" = "registry.fedoraproject.org/fedora"
'team/app' = 'quay.io/team/app'   # a comment
bare-key = "quay.io/bare"
"gone" = "quay.io/gone"
broken = quay.io/broken
"escaped\\" = "quay.io/no"

[machine]
"late" = "quay.io/late"
"""
NAMES = ShortNames().over(CONF)


def _names(text: str, *search: str, names: ShortNames = NAMES) -> list[str]:
    return [one.name for one in names.candidates(Reference.parse(text), search)]


def test_only_the_table_of_aliases_and_the_mode_are_read() -> None:
    assert NAMES.aliases == {
        "fedora": "registry.fedoraproject.org/fedora",
        "team/app": "quay.io/team/app",
        "bare-key": "quay.io/bare",
        "gone": "quay.io/gone",
    }
    assert NAMES.mode == "enforcing"


def test_a_later_file_wins_and_an_empty_alias_takes_one_away() -> None:
    names = NAMES.over('short-name-mode = "disabled"\n[aliases]\n"gone" = ""\n"fedora" = "example.com/fedora"\n')
    assert "gone" not in names.aliases
    assert (names.aliases["fedora"], names.mode) == ("example.com/fedora", "disabled")


def test_an_alias_is_the_only_candidate() -> None:
    assert _names("fedora", "docker.io", "quay.io") == ["registry.fedoraproject.org/fedora:latest"]
    assert _names("fedora:41") == ["registry.fedoraproject.org/fedora:41"]
    assert _names(f"team/app@{DIGEST}") == [f"quay.io/team/app@{DIGEST}"]


def test_a_full_name_means_itself() -> None:
    assert _names("quay.io/fedora:1", "docker.io") == ["quay.io/fedora:1"]


def test_without_an_alias_every_registry_is_searched_in_order() -> None:
    names = ShortNames()
    assert _names("web:1", "quay.io/team", "docker.io", names=names) == [
        "quay.io/team/web:1",
        "docker.io/library/web:1",
    ]
    assert _names("web", "docker.io") == ["docker.io/library/web:latest"], "enforcing, but there is no choice"


def test_disabled_knows_no_aliases() -> None:
    assert _names("fedora", "docker.io", names=ShortNames(NAMES.aliases, "disabled")) == [
        "docker.io/library/fedora:latest"
    ]


@pytest.mark.parametrize(
    ("search", "said"),
    [((), "did not resolve to an alias and no unqualified-search"), (("a.io", "b.io"), "cannot prompt without a TTY")],
)
def test_what_means_nothing_here(search: tuple[str, ...], said: str) -> None:
    with pytest.raises(ImageError, match=said) as caught:
        _names("web", *search)
    assert caught.value.reason is Reason.SHORT_NAME


def test_an_alias_that_is_no_name_is_a_clear_error() -> None:
    with pytest.raises(ImageError, match="'web'"):
        _names("web", names=ShortNames({"web": "UPPER/case"}))


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    ShortNames().over(f"[aliases]\n{text}")
