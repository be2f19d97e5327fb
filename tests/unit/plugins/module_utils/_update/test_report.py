# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: what a module returns of a run, and what a person reads of it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import PODMAN_UPDATED, Status
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.report import Report, table
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row


@pytest.fixture
def host() -> Host:
    """A host with an update, a failure, and a container that is current."""
    host = Host()
    host.has(V1, APP, "quay.io/team/bad:1", "quay.io/team/same:1")
    host.service("app.service", Recipe("app", APP))
    host.service("bad.service", Recipe("bad", "quay.io/team/bad:1"), fails_on={V3.id})
    host.service("same.service", Recipe("same", "quay.io/team/same:1"))
    host.registry.publish(V2)
    host.registry.publish(V3, "quay.io/team/bad:1")
    host.registry.publish(V1, "quay.io/team/same:1")
    return host


def test_a_row_has_the_documented_keys(host: Host) -> None:
    found = row(host.update().run(), "app")
    result = found.to_result()
    assert found.workload.container_id == result["container_id"]
    assert result.pop("duration") >= 0
    assert result == {
        "unit": "app.service",
        "scope": "system",
        "user": None,
        "container": f"{result['container_id'][:12]} (app)",
        "container_id": result["container_id"],
        "container_name": "app",
        "image": APP,
        "policy": "registry",
        "status": "updated",
        "changed": True,
        "podman_updated": "true",
        "reason": None,
        "error": None,
        "before": {"id": V1.id, "digest": V1.digest},
        "after": {"id": V2.id, "digest": V2.digest},
        "shared_with": [],
        "job_result": "done",
    }


def test_the_report_has_the_documented_keys_and_is_json(host: Host) -> None:
    result = host.update().run().to_result(["failed", "rolled_back"])
    again = json.loads(json.dumps(result))
    assert set(again) == {
        *("failed", "warned", "changed", "updates", "summary", "registries", "repaired", "table", "diff", "msg"),
        *("plan", "plan_verdict"),
    }
    assert [one["unit"] for one in again["updates"]] == ["app.service", "bad.service", "same.service"]
    assert again["summary"] == {
        **dict.fromkeys([status.value for status in Status], 0),
        "current": 1,
        "updated": 1,
        "rolled_back": 1,
    }
    assert again["registries"][0]["registry"] == "quay.io"


@pytest.mark.parametrize(
    ("fail_on", "failed"), [(["failed", "rolled_back"], True), (["failed"], False), (["current"], True), ([], False)]
)
def test_the_statuses_that_fail_are_the_callers_choice(host: Host, fail_on: list[str], failed: bool) -> None:
    assert host.update().run().to_result(fail_on)["failed"] is failed


def test_every_status_is_told_in_podmans_words_too(host: Host) -> None:
    result = host.update().run().to_result([])
    assert {one["podman_updated"] for one in result["updates"]} == {"true", "rolled back", "false"}
    for one in result["updates"]:
        assert one["podman_updated"] == {status.value: word for status, word in PODMAN_UPDATED.items()}[one["status"]]


def test_the_diff_shows_what_changed_and_nothing_else(host: Host) -> None:
    diff = host.update().check().to_result([])["diff"]
    assert diff["after_header"] == "images that would run"
    assert diff["before"].splitlines()[:3] == [f"app.service app {APP}", f"  id: {V1.id}", f"  digest: {V1.digest}"]
    assert diff["after"].splitlines()[:3] == [f"app.service app {APP}", f"  id: {V2.id}", f"  digest: {V2.digest}"]
    assert "same" not in diff["before"] + diff["after"]
    done = host.update().run().to_result([])["diff"]
    assert done["after_header"] == "images that run now"
    assert "bad" not in done["after"], "it was rolled back"


def test_a_diff_of_an_unknown_id_says_so(host: Host) -> None:
    host.registry.tells_ids = False
    assert "  id: known after the pull" in host.update().check().to_result([])["diff"]["after"]


@pytest.mark.parametrize(
    ("names", "check", "sentence"),
    [
        ((), False, "No running container that was asked for takes part in updates."),
        (("same",), False, "1 container: 1 current."),
        (("app", "same"), True, "2 containers: 1 current, 1 pending (check mode: nothing was done)."),
        (("app", "bad", "same"), False, "3 containers: 1 current, 1 updated, 1 rolled_back (bad.service: job_failed)."),
    ],
)
def test_one_sentence_says_it_all(host: Host, names: tuple[str, ...], check: bool, sentence: str) -> None:
    update = host.update(only=[*names, "nothing"])
    assert (update.check() if check else update.run()).sentence() == sentence


def test_the_sentence_names_who_needs_attention_but_not_everybody() -> None:
    host = Host()
    host.has(V1, APP)
    for number in range(7):
        host.service(f"u{number}.service", Recipe(f"c{number}", APP, policy="fake_xyz"))
    named = ", ".join(f"u{number}.service: invalid_policy" for number in range(5))
    assert host.update().check().sentence() == (
        f"7 containers: 7 failed ({named}, and 2 more) (check mode: nothing was done)."
    )


def test_the_table_is_aligned_and_short(host: Host) -> None:
    lines = host.update().run().to_result([])["table"]
    assert lines[0].split() == ["UNIT", "CONTAINER", "IMAGE", "POLICY", "STATUS", "REASON", "BEFORE", "AFTER"]
    assert lines[1].split() == ["app.service", "app", APP, "registry", "updated", "-", V1.id[7:19], V2.id[7:19]]
    assert len({line.index(word) for line, word in zip(lines, ("STATUS", "updated", "rolled_back", "current"))}) == 1


def test_a_table_without_rows_is_its_header() -> None:
    assert table(["A", "BB"], []) == ["A  BB"]
    assert Report((), (), (), check_mode=False).to_result([])["table"] == [
        "UNIT  CONTAINER  IMAGE  POLICY  STATUS  REASON  BEFORE  AFTER"
    ]
