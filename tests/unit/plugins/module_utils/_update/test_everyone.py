# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of several users' runs: each may speak for themselves only, and what is no report is not believed."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import RegistryUsage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason, Status
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.everyone import (
    Looked,
    common_warnings,
    read_report,
    together,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.report import Report
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host

_USAGE: dict[str, t.Any] = {
    "registry": "quay.io", "requests": 3, "manifest_gets": 1, "bytes": 9, "retries": 0, "reason": None,
    "rate_limit": {"limit": 100, "remaining": 9, "window": 60, "source": None},
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, t.Any]:
    """What a user's process says of a run that updated one container."""
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    told = {**host.update().run().to_result(()), "registries": [{"scope": "system", "user": None, **_USAGE}]}
    read: dict[str, t.Any] = json.loads(json.dumps(told))
    return read


def _read(document: t.Mapping[str, t.Any], user: str | None = "anna") -> Report:
    report = read_report(document, user, check_mode=False)
    assert report is not None
    return report


def test_a_report_that_was_handed_on_says_the_same(document: dict[str, t.Any]) -> None:
    again = json.loads(json.dumps(_read(document, None).to_result(())))
    assert {**document, "warned": []} == {**again, "warned": []}


def test_a_user_speaks_for_themselves_only(document: dict[str, t.Any]) -> None:
    document["updates"][0].update(scope="system", user=None, podman_updated="nonsense", extra="x" * 9999)
    document.update(summary={"updated": 9}, table=["rubbish"], msg="all is well", failed=False)
    result = together([("anna", _read(document))], [Looked("anna", 1000, looked_at=True)], check_mode=False).to_result(
        ()
    )
    (row,) = result["updates"]
    assert (row["scope"], row["user"], row["podman_updated"]) == ("user", "anna", "true")
    assert "extra" not in row
    assert result["summary"]["updated"] == 1
    assert result["table"][0].startswith("USER")
    assert result["table"][1].startswith("anna")
    assert result["msg"] == "1 container: 1 updated."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("unit", 1), ("container_id", None), ("container_name", ["x"]), ("image", "x" * 5000), ("policy", "sometimes"),
        ("shared_with", "x"), ("status", "fine"), ("status", None), ("changed", "yes"), ("reason", "because"),
        ("error", {"a": 1}), ("before", {"id": "/etc/shadow", "digest": None}), ("before", None), ("after", {"id": None}),
        ("duration", -1), ("duration", float("inf")), ("job_result", 0), ("unit", "\ud800"),
    ],
)  # fmt: skip
def test_a_row_that_no_run_makes_makes_the_report_none(document: dict[str, t.Any], key: str, value: object) -> None:
    document["updates"][0][key] = value
    assert read_report(document, "anna", check_mode=False) is None


@pytest.mark.parametrize("key", ["changed", "plan", "updates", "repaired", "registries", "warned"])
def test_a_report_with_parts_missing_is_none(document: dict[str, t.Any], key: str) -> None:
    assert read_report({name: one for name, one in document.items() if name != key}, "anna", check_mode=False) is None
    assert read_report({**document, key: 7}, "anna", check_mode=False) is None
    assert read_report({}, "anna", check_mode=False) is None


def test_one_report_of_all(document: dict[str, t.Any]) -> None:
    other = copy.deepcopy(document)
    other["updates"][0].update(status="failed", reason="job_failed", changed=False)
    other["repaired"] = [{"unit": "db.service", "did": "undone", "error": None}]
    users = [
        Looked(None, 0, looked_at=True),
        Looked("anna", 1000, looked_at=True),
        Looked("bert", 1001, looked_at=False, reason=Reason.NO_MANAGER, error="bert has no running service manager"),
        Looked("carl", 1002, looked_at=False, reason=Reason.STATE_INVALID, error="the file\nis damaged"),
    ]
    report = together([(None, _read(document, None)), ("anna", _read(other))], users, check_mode=False)
    result = report.to_result(("failed",))
    assert [(row["user"], row["status"]) for row in result["updates"]] == [(None, "updated"), ("anna", "failed")]
    assert report.count(Status.FAILED) == 1
    assert [(one["user"], {key: one[key] for key in _USAGE}) for one in result["registries"]] == [
        (None, _USAGE),
        ("anna", _USAGE),
    ]
    (repaired,) = result["repaired"]
    assert (repaired["scope"], repaired["user"], repaired["unit"]) == ("user", "anna", "db.service")
    assert [(one["user"], one["looked_at"], one["reason"]) for one in result["users"]] == [
        (None, True, None),
        ("anna", True, None),
        ("bert", False, "no_manager"),
        ("carl", False, "state_invalid"),
    ]
    assert "anna: db.service: undone" in result["msg"]
    assert "1 failed (anna: app.service: job_failed)" in result["msg"]
    assert "Not looked at: carl: the file\\nis damaged." in result["msg"]
    assert "bert" not in result["msg"]


@pytest.mark.parametrize(
    ("looked", "failed"),
    [
        (Looked("anna", 1000, looked_at=True), False),
        (Looked("anna", 1000, looked_at=False, reason=Reason.NO_MANAGER), False),
        (Looked("anna", 1000, looked_at=False, reason=Reason.NO_ANSWER, error="killed"), True),
    ],
)
def test_who_should_have_been_looked_at_makes_it_a_failure(looked: Looked, failed: bool) -> None:
    report = together([], [looked], check_mode=False)
    assert report.to_result(())["failed"] is failed
    assert not report.changed


@pytest.mark.parametrize(
    ("verdicts", "looked_at", "whole"),
    [
        (["converged", "converged"], True, "converged"), (["converged", "staged"], True, "staged"),
        (["staged", "halted"], True, "halted"), (["halted", "failed"], True, "failed"),
        (["converged", "converged"], False, "failed"), ([None, None], False, None),
    ],
)  # fmt: skip
def test_a_plan_ends_as_badly_as_for_the_worst_of_all(
    document: dict[str, t.Any], verdicts: list[str | None], looked_at: bool, whole: str | None
) -> None:
    reports = [
        (user, _read({**document, "plan": "a" * 32 if verdict else None, "plan_verdict": verdict}, user))
        for user, verdict in zip((None, "anna"), verdicts)
    ]
    users = [Looked("bert", 1001, looked_at, None if looked_at else Reason.NO_ANSWER)]
    report = together(reports, users, check_mode=False)
    assert (report.plan, report.plan_verdict) == ("a" * 32 if whole else None, whole)


def test_holds_that_were_set_for_a_user_make_it_changed(document: dict[str, t.Any]) -> None:
    document["updates"][0].update(changed=False, status="held", reason="user_hold")
    assert document["changed"]
    assert together([("anna", _read(document))], [], check_mode=False).changed
    document["changed"] = False
    assert not together([("anna", _read(document))], [], check_mode=False).changed


def test_what_each_was_told_of_a_registry_stays_theirs() -> None:
    """The quota of who logs in is not that of who does not, and one may be refused where the other is not."""
    quota = {"limit": 100, "remaining": 97, "window": 21600, "source": None}
    usages = {
        None: RegistryUsage("a.io", 1, 1, 1, 0, quota, None),
        "anna": RegistryUsage("a.io", 2, 0, 1, 0, None, "rate_limited"),
        "bert": RegistryUsage("a.io", 3, 0, 1, 0, {**quota, "remaining": 0}, "auth_required"),
    }
    reports = [(user, Report((), ((user, one),), (), check_mode=False)) for user, one in usages.items()]
    told = together(reports, [], check_mode=False).to_result(())["registries"]
    assert [(one["scope"], one["user"], one["requests"]) for one in told] == [
        ("system", None, 1),
        ("user", "anna", 2),
        ("user", "bert", 3),
    ]
    assert [(one["rate_limit"], one["reason"]) for one in told] == [
        (quota, None),
        (None, "rate_limited"),
        ({**quota, "remaining": 0}, "auth_required"),
    ]


@pytest.mark.parametrize("option", ["only", "exclude"])
def test_warnings_say_whose_they_are_and_patterns_need_to_match_somewhere_only(option: str) -> None:
    here, nowhere = (
        f"{option}: the pattern 'unit:web' matches no container",
        f"{option}: the pattern 'unit:wbe' matches no container",
    )
    told = common_warnings(
        [(None, ("odd", nowhere)), ("anna", (here, nowhere, "both")), ("bert", (nowhere, "both", here))]
    )
    assert told == ("odd", nowhere, "anna: both", "bert: both")
    assert common_warnings([(None, (here, "odd"))]) == (here, "odd")
    assert common_warnings([("anna", (here, "odd"))]) == (here, "anna: odd")
    assert common_warnings([(None, ("odd",)), ("anna", ("odd",))]) == ("odd",)
    assert common_warnings([]) == ()
