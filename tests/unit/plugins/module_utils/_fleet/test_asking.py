# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks: every key once, by few hosts, and the same ones however many more there are."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.asking import calls, controller_calls
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet.fleet import (
    AMD64,
    ARM64,
    BROKEN,
    DB,
    INDEX,
    NEW_DIGEST,
    OLD_DIGEST,
    UNREACHABLE,
    WEB,
    answer,
    host,
    new_row,
    result,
    row,
)


def _calls(told: t.Mapping[str, object], *results: object) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (one.host, one.platform, one.names) for one in calls(read_reports(told), NOTHING_TOLD.with_results(results))
    ]


def test_of_equal_hosts_the_first_is_asked_for_all() -> None:
    both = host(row(), row("db", DB))
    fleet = {f"web{number}": both for number in range(50)}
    assert _calls(fleet) == _calls({"web0": both}) == [("web0", AMD64, (DB, WEB))]


def test_who_has_most_is_asked_first_and_others_for_the_rest_only() -> None:
    told = {"a": host(row()), "b": host(row(), row("db", DB)), "c": host(row("other", "quay.io/other:1"), row())}
    assert _calls(told) == [("b", AMD64, (DB, WEB)), ("c", AMD64, ("quay.io/other:1",))]


def test_a_reference_is_asked_for_once_for_each_platform() -> None:
    arm = row("arm", running={"platform": ARM64})
    two = [one.to_result() for one in calls(read_reports({"a": host(row()), "b": host(arm)}))]
    assert [(one["host"], one["of"], one["platform"]) for one in two] == [("a", AMD64, None), ("b", ARM64, None)]
    both = [one.to_result() for one in calls(read_reports({"a": host(row(), arm)}))]
    assert [(one["of"], one["platform"]) for one in both] == [(AMD64, AMD64), (ARM64, ARM64)]


def test_silent_hosts_are_asked_nothing() -> None:
    assert _calls({"a": UNREACHABLE, "b": BROKEN, "c": host()}) == []


def test_what_one_host_cannot_tell_another_is_asked_for() -> None:
    told = {"a": host(row(), row("db", DB)), "b": host(row()), "c": host(row())}
    vain = answer(status="unknown", remote=None, reason="auth_required")
    first = result("a", vain, answer(DB))
    assert _calls(told, first) == [("b", AMD64, (WEB,))]
    assert _calls(told, first, result("b", vain)) == [("c", AMD64, (WEB,))]
    assert _calls(told, first, result("b", vain), result("c", vain)) == []
    assert _calls(told, first, result("b", answer())) == []


def test_what_the_registry_itself_denies_is_not_asked_again() -> None:
    told = {"a": host(row()), "b": host(row())}
    assert _calls(told, result("a", answer(status="unknown", remote=None, reason="not_found"))) == []


def test_a_call_that_failed_is_made_elsewhere() -> None:
    told = {"a": host(row()), "b": host(row())}
    failed = {"item": {"host": "a", "names": [WEB], "of": AMD64}, "unreachable": True, "msg": "gone"}
    assert _calls(told, failed) == [("b", AMD64, (WEB,))]


def test_the_controller_is_told_what_the_fleet_knows() -> None:
    told = {"a": host(row(), row("arm", running={"platform": ARM64, "digests": [INDEX]})), "b": host(new_row())}
    assert controller_calls(read_reports(told)) == [
        {"host": "localhost", "names": [WEB], "platform": platform, "of": platform, "known": {WEB: known}}
        for platform, known in ((AMD64, [OLD_DIGEST, NEW_DIGEST]), (ARM64, [INDEX]))
    ]


_FLEETS = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.sets(st.integers(0, 9)), max_size=8)


@given(_FLEETS)
def test_everything_is_asked_for_once_by_one_who_has_it(fleet: dict[str, set[int]]) -> None:
    told = {name: host(*(row(f"c{one}", f"quay.io/r{one}:1") for one in sorted(has))) for name, has in fleet.items()}
    asked = [(name, one) for name, _platform, names in _calls(told) for one in names]
    assert sorted(one for _name, one in asked) == sorted(f"quay.io/r{one}:1" for one in set().union(*fleet.values()))
    assert all(int(one[len("quay.io/r") : -len(":1")]) in fleet[name] for name, one in asked)
