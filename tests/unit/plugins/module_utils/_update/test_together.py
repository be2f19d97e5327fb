# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that several threads have at the same time are asked once, and nobody gets an answer from before."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.together import Together


def test_one_caller_gets_its_own_answer_each_time() -> None:
    asked: list[list[str]] = []

    def ask(keys: t.Sequence[str]) -> int:
        asked.append(list(keys))
        return len(asked)

    together = Together(ask)
    assert [together(), together(["b", "a"]), together(["c"])] == [1, 2, 3]
    assert asked == [[], ["a", "b"], ["c"]]


def test_who_comes_while_a_question_is_asked_shares_the_next_one() -> None:
    first_asked, go_on = threading.Event(), threading.Event()
    asked: list[set[str]] = []

    def ask(keys: t.Sequence[str]) -> set[str]:
        asked.append(set(keys))
        if len(asked) == 1:
            first_asked.set()
            assert go_on.wait(30)
        return set(keys)

    together = Together(ask)
    with ThreadPoolExecutor(max_workers=9) as pool:
        first = pool.submit(together, ["first"])
        assert first_asked.wait(30)
        later = [pool.submit(together, [str(number)]) for number in range(8)]
        while together.waiting < 8:
            threading.Event().wait(0.01)
        go_on.set()
        assert first.result(30) == {"first"}
        for number, one in enumerate(later):
            assert str(number) in one.result(30)
    assert asked == [{"first"}, {str(number) for number in range(8)}]


def test_an_error_is_everybodys_and_the_next_question_is_asked_anew() -> None:
    asked = []

    def ask(keys: t.Sequence[str]) -> int:
        asked.append(keys)
        if len(asked) == 1:
            raise OSError("no")
        return 2

    together = Together(ask)
    with pytest.raises(OSError, match="no"):
        together()
    assert together() == 2
