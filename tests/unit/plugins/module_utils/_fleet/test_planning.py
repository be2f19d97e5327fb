# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of fleets: what is to change, what it costs, and a document that hosts take."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet import plan_report
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plan_report import human, to_result
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.planning import Planned, plan, restored, size
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import (
    fingerprint,
    for_host,
    read_plan,
    target_key,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet.fleet import (
    AMD64,
    ARM64,
    BROKEN,
    DB,
    INDEX,
    NEW,
    NEW_DIGEST,
    OLD,
    OLD_DIGEST,
    UNREACHABLE,
    WEB,
    answer,
    host,
    new_row,
    result,
    row,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
_KEY = target_key(WEB, AMD64)


def planned(told: t.Mapping[str, object], *results: object) -> Planned:
    reports, answers = read_reports(told), NOTHING_TOLD.with_results(results)
    return plan(reports, answers, id="0f" * 16, created=NOON, lasts=timedelta(hours=1))


def test_the_plan_names_what_runs_something_else() -> None:
    made = planned({"a": host(row()), "b": host(new_row())}, result("a", answer()))

    read = read_plan(made.document, NOON)
    assert (read.created, read.expires, list(read.hosts)) == (NOON, NOON + timedelta(hours=1), ["a"])
    (entry,) = read.hosts["a"]
    assert (entry.unit, entry.container, entry.before_id, entry.before_digest) == (
        "web.service",
        "web",
        OLD,
        OLD_DIGEST,
    )
    target = read.targets[entry.target]
    assert (target.key, target.digest, target.id, target.bytes) == (_KEY, NEW_DIGEST, NEW, 1000)
    assert made.summary == {"pending": 1, "current": 1}
    assert not made.empty


def test_nothing_to_do_is_an_empty_plan_that_still_names_its_targets() -> None:
    made = planned({"a": host(new_row())}, result("a", answer()))
    assert (made.empty, made.document["hosts"], list(made.document["targets"])) == (True, {}, [_KEY])
    assert read_plan(made.document, NOON).hosts == {}
    assert (
        "1 container on 1 host (1 current): nothing to do. Valid until 2026-11-21T13:00:00Z."
        in plan_report.sentence(made)
    )


@pytest.mark.parametrize(
    "running",
    [
        {"id": NEW, "digests": []},
        {"id": OLD, "digests": [OLD_DIGEST, NEW_DIGEST]},
        {"id": OLD, "digests": [INDEX]},
    ],
)
def test_any_known_digest_or_the_image_id_is_the_target(running: dict[str, t.Any]) -> None:
    remote = {"digest": NEW_DIGEST, "platform_digest": INDEX, "id": NEW, "size": 1}
    made = planned({"a": host(row(running=running))}, result("a", answer(remote=remote)))
    assert made.summary == {"current": 1}


def test_what_the_host_that_asked_did_not_open_is_known_from_one_that_runs_it() -> None:
    remote = {"digest": NEW_DIGEST, "platform_digest": None, "id": None, "size": None}
    made = planned({"a": host(row()), "b": host(new_row())}, result("a", answer(remote=remote)))
    target = made.document["targets"][_KEY]
    assert (target["id"], target["bytes"], made.bytes_to_pull()) == (NEW, None, (0, 1))


def test_a_host_cannot_say_that_the_old_image_is_the_new_one() -> None:
    remote = {"digest": NEW_DIGEST, "platform_digest": None, "id": None, "size": None}
    liar = host(row(running={"id": OLD, "digest": NEW_DIGEST, "digests": [NEW_DIGEST], "platform": AMD64}))
    asked = result("z", answer(remote=remote))
    for told, believed in (
        ({"a": liar, "b": host(row())}, None),
        ({"a": liar, "b": host(row()), "c": host(new_row())}, NEW),
    ):
        made = planned(told, asked)
        assert list(made.document["hosts"]) == ["b"]
        assert made.document["targets"][_KEY]["id"] == believed


def test_what_nobody_told_is_unknown_and_in_no_plan() -> None:
    vain = answer(remote=None, status="unknown", reason="tls", error="bad certificate")
    made = planned({"a": host(row(), row("db", DB))}, result("a", vain, answer(DB)))
    assert (made.summary, list(made.document["targets"])) == ({"unknown": 1, "pending": 1}, [target_key(DB, AMD64)])
    told = to_result(made)
    assert told["unknown"] == [{"reference": WEB, "platform": AMD64, "reason": "tls", "error": "bad certificate"}]
    assert f"{WEB} {AMD64}: unknown: tls: bad certificate" in told["table"]


def test_a_held_target_is_named_and_counted_apart() -> None:
    hold = {"by": "image", "reference": WEB, "platform": AMD64, "id": INDEX, "digests": [NEW_DIGEST]}
    other = {**hold, "reference": DB}
    made = planned({"a": host(row(), holds=[hold]), "b": host(row(), holds=[other])}, result("a", answer()))
    assert (made.summary, list(made.document["hosts"])) == ({"held": 1, "pending": 1}, ["a", "b"])
    assert made.bytes_to_pull() == (1000, 0)
    assert "(1 held, 1 pending): 1 host to update;" in plan_report.sentence(made)
    idle = planned({"a": host(row(), holds=[hold])}, result("a", answer()))
    assert (idle.empty, "1 container on 1 host (1 held): nothing to do." in plan_report.sentence(idle)) == (False, True)
    for user in ("ann", "bob"):
        made = planned({"a": host(row(user="ann"), holds=[{**hold, "user": user}])}, result("a", answer()))
        assert made.summary == {"held" if user == "ann" else "pending": 1}


def test_each_host_pulls_an_image_once_for_all_its_containers() -> None:
    both = host(row("one"), row("two"), row("db", DB))
    made = planned({"a": both, "b": both}, result("a", answer(), answer(DB)))
    assert made.bytes_to_pull() == (4000, 0)
    assert "6 containers on 2 hosts (6 pending): 2 hosts to update; at most 4.0 kB to pull." in plan_report.sentence(
        made
    )


def test_platforms_have_targets_of_their_own() -> None:
    arm = row("web", running={"platform": ARM64})
    answers = [result("a", answer()), result("b", answer(remote={"digest": NEW_DIGEST, "id": OLD}), of=ARM64)]
    made = planned({"a": host(row()), "b": host(arm)}, *answers)
    assert list(made.document["hosts"]) == ["a"]
    assert made.summary == {"pending": 1, "current": 1}


def test_hosts_that_told_nothing_and_containers_that_are_refused_are_listed() -> None:
    refused = row("odd", reason="unit_mismatch", error="is not its unit")
    made = planned({"a": host(refused, row("p", pinned=True)), "b": UNREACHABLE, "c": BROKEN})
    told = to_result(made)
    assert told["unreachable"] == [{"host": "b", "error": "no route to host"}]
    assert told["failed"] == [{"host": "c", "error": "podman: not found"}]
    assert [(one["host"], one["reason"]) for one in told["refused"]] == [("a", "unit_mismatch")]
    assert told["summary"] == {"pinned": 1, "refused": 1}
    assert told["table"] == [
        "b: unreachable: no route to host",
        "c: failed: podman: not found",
        "odd: unit_mismatch: is not its unit (1 host)",
    ]
    assert "2 hosts did not answer" in told["msg"]


def test_the_table_says_what_it_costs() -> None:
    usage = {"registry": "quay.io", "requests": 3, "manifest_gets": 1, "bytes": 9, "retries": 2, "reason": "tls"}
    limit = {"limit": 100, "remaining": 97, "window": 21600, "source": None}
    made = planned({"a": host(row())}, result("a", answer(), registries=[{**usage, "rate_limit": limit}]))
    assert to_result(made)["table"] == [
        "REFERENCE           PLATFORM     TARGET        PENDING  HELD  CURRENT  BYTES",
        "quay.io/team/web:1  linux/amd64  232323232323  1        0     0        1.0 kB",
        "quay.io: 3 requests, 2 repeated, 1 counted; 97 of 100 pulls left in 21600 s; tls",
    ]


def test_the_diff_shows_both_images_and_never_more_than_somebody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    made = planned({"a": host(row(), row("zwei"))}, result("a", answer()))
    lines = to_result(made)["diff"]
    assert lines[:7] == [
        "--- images that run",
        "+++ images of the plan",
        f" a web.service web {WEB}",
        f"-  id: {OLD}",
        f"-  digest: {OLD_DIGEST}",
        f"+  id: {NEW}",
        f"+  digest: {NEW_DIGEST}",
    ]
    monkeypatch.setattr(plan_report, "_MOST_IN_DIFF", 1)
    assert to_result(made)["diff"] == [*lines[:7], " and 1 more containers"]
    assert to_result(planned({}))["diff"] == []


def test_the_artifact_has_a_fingerprint_for_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    made = planned({"a": host(row()), "b": host(row("other"))}, result("a", answer()))
    artifact = to_result(made)["artifact"]
    assert {name: one[:32] for name, one in artifact["hosts"].items()} == {
        name: fingerprint(made.document, name) for name in ("a", "b")
    }
    assert {len(one) for one in artifact["hosts"].values()} == {48}
    assert len(set(artifact["hosts"].values())) == 2
    same = ("schema", "id", "created", "expires", "targets", "sha256")
    assert {key: artifact[key] for key in same} == {key: made.document[key] for key in same}
    monkeypatch.setattr(plan_report, "MOST_ARTIFACT", size(artifact))
    assert to_result(made)["artifact"] == artifact
    monkeypatch.setattr(plan_report, "MOST_ARTIFACT", size(artifact) - 1)
    assert to_result(made)["artifact"] is None


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2 * 10**15, "2000.0 TB")]
)
def test_bytes_are_told_in_units_that_people_use(count: int, told: str) -> None:
    assert human(count) == told


@given(st.lists(st.lists(st.sampled_from(["old", "new"]), max_size=4), max_size=5))
def test_every_plan_is_one_that_hosts_take(fleet: list[list[str]]) -> None:
    told = {
        f"h{number}": host(*((row if what == "old" else new_row)(f"c{one}") for one, what in enumerate(rows)))
        for number, rows in enumerate(fleet)
    }
    made = planned(told, result("h0", answer()))
    read = read_plan(made.document, NOON)
    pending = {f"h{number}": rows.count("old") for number, rows in enumerate(fleet)}
    assert {name: len(entries) for name, entries in read.hosts.items()} == {n: c for n, c in pending.items() if c}
    for name in read.hosts:
        part = read_plan(for_host(made.document, name), NOON)
        assert (part.hosts, part.of) == ({name: read.hosts[name]}, read.sha256)


def _restored(artifact: object, told: t.Mapping[str, object], now: datetime = NOON) -> tuple[Planned, tuple[str, ...]]:
    return restored(artifact, read_reports(told), now)


def test_an_artifact_is_the_plan_again_where_nothing_moved() -> None:
    told = {"a": host(row(), row("db", DB)), "b": host(row()), "c": host(new_row())}
    made = planned(told, result("a", answer(), answer(DB)))
    again, odd = _restored(made.artifact(), told)
    assert (again.document, odd) == (made.document, ())


def test_an_artifact_names_no_host_that_is_not_as_it_was_planned() -> None:
    both = host(row(), row("db", DB))
    made = planned(dict.fromkeys("abcde", both), result("a", answer(), answer(DB)))
    other = row(running={"id": INDEX, "digests": []})
    moved = {
        "a": both,
        "b": host(other, row("db", DB)),
        "c": UNREACHABLE,
        "d": host(new_row(), new_row("db", DB)),
        "f": both,
    }
    again, odd = _restored(made.artifact(), moved)
    # Who does not answer is told as such, and who was not asked not at all.
    assert (list(again.document["hosts"]), odd) == (["a"], ("b",))
    assert read_plan(again.document, NOON).id == made.document["id"]
    told = to_result(again, odd)
    assert (told["plan_drift"], [one["host"] for one in told["unreachable"]]) == (["b"], ["c"])
    assert any(line.startswith("b: plan_drift: ") for line in told["table"])
    assert "and 5 more" in to_result(again, [f"h{number}" for number in range(25)])["table"]


def test_an_artifact_misses_a_container_that_is_gone() -> None:
    """Also where the others run their targets already, as after a rollout that was interrupted."""
    before = host(row(), row("db", DB), new_row("idle"))
    made = planned(dict.fromkeys("abcd", before), result("a", answer(), answer(DB)))
    arrived = (new_row(), new_row("db", DB))
    now = {
        "a": host(*arrived, new_row("idle")),
        "b": host(arrived[0], new_row("idle")),
        "c": host(*arrived),
        "d": host(*arrived, new_row("idle"), new_row("more")),
    }
    again, odd = _restored(made.artifact(), now)
    assert (again.document["hosts"], odd) == ({}, ("b", "c", "d"))


def test_an_artifact_whose_targets_were_changed_fits_nowhere() -> None:
    told = {"a": host(row())}
    artifact = planned(told, result("a", answer())).artifact()
    artifact["targets"][_KEY]["digest"] = INDEX
    assert _restored(artifact, told)[1] == ("a",)


def test_what_is_no_artifact_or_has_expired_is_refused() -> None:
    artifact = planned({"a": host(row())}, result("a", answer())).artifact()
    for odd in (None, [], {}, {**artifact, "hosts": []}, {**artifact, "schema": 2}, {**artifact, "targets": {"x": 1}}):
        with pytest.raises(InputError, match="the plan is refused"):
            _restored(odd, {})
    with pytest.raises(InputError, match="expired"):
        _restored(artifact, {}, NOON + timedelta(hours=2))
