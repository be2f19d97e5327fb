# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of a host's own engine."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.engine_words import EngineWords, read_words
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


def test_the_file_alone_is_enough() -> None:
    assert read_words(["timer.json"]) == EngineWords("timer.json")


@pytest.mark.parametrize("words", [["--validate", "timer.json"], ["timer.json", "--validate"]])
def test_an_option_may_stand_before_the_file_or_after_it(words: list[str]) -> None:
    assert read_words(words) == EngineWords("timer.json", validate=True)


@pytest.mark.parametrize("words", [["--scope=all", "timer.json"], ["timer.json", "--scope", "all"]])
def test_everybodys_containers_are_asked_for(words: list[str]) -> None:
    assert read_words(words) == EngineWords("timer.json", scope="all")
    with pytest.raises(InputError, match="--scope may be all, system, not 'some'"):
        read_words(["--scope", "some", "timer.json"])


@pytest.mark.parametrize("words", [["--follow=plan", "timer.json"], ["timer.json", "--follow", "plan"]])
def test_what_is_followed_stands_after_an_equals_sign_or_as_the_next_word(words: list[str]) -> None:
    assert read_words(words) == EngineWords("timer.json", follow="plan")
    with pytest.raises(InputError, match="--follow may be plan, registry, not 'latest'"):
        read_words(["--follow", "latest", "timer.json"])


@pytest.mark.parametrize(
    "words",
    [[], [""], ["--validate"], ["--other", "file"], ["-v", "file"], ["a", "b"], ["--validate=yes", "a"], ["a" * 5000]],
)
def test_what_it_does_not_know_is_refused(words: list[str]) -> None:
    with pytest.raises(InputError, match=r"usage: engine\.pyz .*FILE"):
        read_words(words)


@given(st.lists(st.text(max_size=8), max_size=5))
def test_it_answers_or_refuses(words: list[str]) -> None:
    with contextlib.suppress(InputError):
        assert read_words(words).path in words


def test_a_repair_is_asked_for() -> None:
    assert read_words(["--repair", "timer.json"]) == EngineWords("timer.json", repair=True)
