# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers: what the registries told, through whoever was asked, and what that took."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet.fleet import (
    AMD64,
    INDEX,
    NEW,
    NEW_DIGEST,
    OLD,
    WEB,
    answer,
    result,
)


def _usage(**other: t.Any) -> dict[str, t.Any]:
    told = {"registry": "quay.io", "requests": 2, "manifest_gets": 1, "bytes": 10, "retries": 0}
    return {**told, "rate_limit": None, "reason": None, **other}


def test_an_answer_names_the_image() -> None:
    (told,) = NOTHING_TOLD.with_results([result("a", answer())]).told.items()
    key, one = told
    assert (key, one.by, one.final) == ((WEB, AMD64), ("a",), True)
    assert one.remote is not None
    assert (one.remote.digest, one.remote.id, one.remote.size) == (NEW_DIGEST, NEW, 1000)


def test_what_was_not_opened_has_the_id_that_the_host_knows() -> None:
    remote = {"digest": INDEX, "platform_digest": None, "id": None, "size": None}
    for status, expected in (("current", OLD), ("pending", None)):
        (one,) = NOTHING_TOLD.with_results([result("a", answer(status=status, remote=remote))]).told.values()
        assert one.remote is not None
        assert (one.remote.digest, one.remote.id) == (INDEX, expected)


@pytest.mark.parametrize(
    "odd", [None, 1, {}, {"digest": "latest"}, {"digest": ["x"]}, {"digest": NEW_DIGEST[:-1], "id": NEW}]
)
def test_an_answer_without_a_digest_is_none(odd: object) -> None:
    (one,) = NOTHING_TOLD.with_results([result("a", answer(remote=odd))]).told.values()
    assert (one.remote, one.final, one.reason) == (None, False, "unknown")


def test_who_answers_something_else_than_was_asked_tells_nothing() -> None:
    strange = {"item": {"host": "a", "names": [WEB], "of": AMD64}, "images": [answer("quay.io/evil:1"), 1], "msg": "?"}
    told = NOTHING_TOLD.with_results([strange]).told
    assert [(key, one.remote, one.error) for key, one in told.items()] == [((WEB, AMD64), None, "a: ?")]


def test_the_second_answer_counts_where_the_first_was_none() -> None:
    vain = answer(remote=None, status="unknown", reason="tls", error="no\x1b")
    answers = NOTHING_TOLD.with_results([result("a", vain)])
    (one,) = answers.told.values()
    assert (one.reason, one.error) == ("tls", "no\\x1b")
    (one,) = answers.with_results([result("b", answer())]).told.values()
    assert (one.by, one.remote is not None) == (("a", "b"), True)
    (one,) = answers.with_results([result("b", answer()), result("c", vain)]).told.values()
    assert (one.by, one.remote is not None) == (("a", "b"), True)


def test_what_was_skipped_or_is_no_result_is_passed_over() -> None:
    assert NOTHING_TOLD.with_results([{"skipped": True, "item": {}}, None, 1, {}, {"item": 1}]).told == {}


def test_requests_are_added_up_and_the_scarcest_quota_is_told() -> None:
    limits = [{"remaining": left, "limit": 100, "window": 60, "source": "{{ x }}"} for left in (7, 3)]
    calls = [result("a", answer(), registries=[_usage(rate_limit=limits[0]), _usage(registry="ghcr.io")])]
    calls += [result("b", answer(), registries=[_usage(rate_limit=limits[1], reason="tls", retries=1), "odd"])]
    assert NOTHING_TOLD.with_results(calls).registries() == [
        _usage(registry="ghcr.io"),
        _usage(
            requests=4,
            manifest_gets=2,
            bytes=20,
            retries=1,
            rate_limit={**limits[1], "source": "{ { x }}"},
            reason="tls",
        ),
    ]


def test_numbers_that_are_none_count_nothing() -> None:
    (told,) = NOTHING_TOLD.with_results(
        [result("a", registries=[_usage(requests=-1, bytes="many", retries=True)])]
    ).registries()
    assert (told["requests"], told["bytes"], told["retries"]) == (0, 0, 0)
