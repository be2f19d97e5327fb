# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls as a whole: the truth table, tags that move, names that podman leaves, holds, space, and what fails alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.pull import Options, Pull
from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.pull_report import PullReport
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.disk_space import Disk, Headroom
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.pull_policies import parse_pull_policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.signature_policy import SignaturePolicy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import ImageHold, State, UserHold
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._images.pull_world import (
    AMD64,
    ARM64,
    Content,
    PullWorld,
    sha,
)

WEB = "quay.io/team/web:1"
OLD, NEW = Content("old"), Content("new")
INDEX = Content("both", (AMD64, ARM64), index=True)
SIGNED = b'{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/key"}]}'
DOWN, UNKNOWN = Reason.REGISTRY_UNREACHABLE, Reason.IMAGE_UNKNOWN


@pytest.fixture
def world() -> PullWorld:
    return PullWorld()


# policy, then for each situation: (pulled, failed, reason)
_PULL, _KEEP = (True, False, None), (False, False, None)
_TABLE = {
    "always": (_PULL, (False, True, DOWN), _PULL, _PULL, (False, True, DOWN)),
    "missing": (_PULL, (False, True, DOWN), _KEEP, _KEEP, _KEEP),
    "newer": (_PULL, (False, True, DOWN), _KEEP, _PULL, (False, False, DOWN)),
    "never": ((False, True, UNKNOWN), (False, True, UNKNOWN), _KEEP, _KEEP, _KEEP),
}
_SITUATIONS = ("absent", "absent, registry down", "the same", "another", "present, registry down")


@pytest.mark.parametrize("policy", _TABLE)
@pytest.mark.parametrize("situation", range(5), ids=lambda number: _SITUATIONS[number])
def test_the_truth_table(world: PullWorld, policy: str, situation: int) -> None:
    pulled, failed, reason = _TABLE[policy][situation]
    present = situation > 1
    remote = world.registry.push(WEB, NEW if situation in (0, 3) else OLD)
    if present:
        world.store.add(OLD, WEB)
    if situation in (1, 4):
        world.registry.down.add("quay.io")

    row = world.pull_one(WEB, policy=policy)

    assert (row.pulled, row.error is not None, row.reason) == (pulled, failed, reason)
    kept = OLD if present else None
    after = None if failed and not present else (remote if pulled else kept)
    assert world.store.names.get(WEB) == (after.id() if after else None)
    assert row.before[0] == (OLD.id() if present else None)
    assert row.after[0] == (after.id() if after else None)
    assert row.changed is (pulled and (not present or remote is NEW))
    assert [name for name in world.store.names if "@" in name] == []
    assert not world.pull_one(WEB, policy=policy).changed


def test_what_was_decided_arrives_even_if_the_tag_moves_in_between(world: PullWorld) -> None:
    world.registry.push(WEB, OLD)
    world.registry.flips[WEB] = NEW

    row = world.pull_one(WEB)

    assert row.after == (OLD.id(), OLD.digest)
    assert world.store.names == {WEB: OLD.id()}
    assert world.store.pulls == [f"quay.io/team/web@{OLD.digest}"]


@pytest.mark.parametrize("present", [True, False])
def test_where_signatures_are_wanted_the_tag_is_pulled_and_another_image_refused(
    world: PullWorld, present: bool
) -> None:
    world.rules.policy = SignaturePolicy.parse(SIGNED)
    world.registry.push(WEB, NEW)
    assert world.pull_one(WEB).after == (NEW.id(), NEW.digest)
    assert world.store.pulls == [WEB]

    world.store.names.clear()
    world.store.facts.clear()
    if present:
        world.store.add(OLD, WEB)
    world.registry.flips[WEB] = Content("evil")
    row = world.pull_one(WEB, policy="always")

    assert (row.reason, row.changed) == (Reason.TAG_MOVED, False)
    assert row.before == row.after == ((OLD.id(), OLD.digest) if present else (None, None))
    assert world.store.names == ({WEB: OLD.id()} if present else {})


def test_the_digest_of_an_index_is_pulled_and_not_that_of_its_image(world: PullWorld) -> None:
    world.registry.push(WEB, INDEX)
    row = world.pull_one(WEB)
    assert world.store.pulls == [f"quay.io/team/web@{INDEX.digest}"]
    assert row.after == (INDEX.id(), INDEX.digest)
    world.registry.questions.clear()
    assert not world.pull_one(WEB, policy="newer").pulled


def test_somebodys_own_name_by_digest_stays(world: PullWorld) -> None:
    """Of the same image; or of another platform's, which a pull by digest would take it from."""
    mine = f"quay.io/team/web@{INDEX.digest}"
    world.registry.push(WEB, INDEX)
    world.store.add(INDEX, mine)
    assert world.pull_one(WEB, policy="always").changed
    assert world.store.names == {WEB: INDEX.id(), mine: INDEX.id()}
    assert world.pull_one(WEB, platform="linux/arm64").after[0] == INDEX.id(ARM64)
    assert world.store.names == {WEB: INDEX.id(ARM64), mine: INDEX.id()}


def test_equal_content_under_another_digest_is_not_pulled_again(world: PullWorld) -> None:
    world.store.add(OLD, WEB)
    recompressed = replace(OLD)
    world.registry.push(WEB, recompressed)
    world.store.facts[OLD.id()] = replace(world.store.facts[OLD.id()], digests=frozenset({sha("x")}), digest=sha("x"))
    row = world.pull_one(WEB, policy="newer")
    assert (row.pulled, row.changed, row.reason) == (False, False, Reason.SAME_CONTENT)


def test_an_image_keeps_the_digest_that_podman_shows_first(world: PullWorld) -> None:
    """A second digest of the same content is recorded, and the first one stays: so every run says the same."""
    world.store.add(OLD, WEB)
    world.store.facts[OLD.id()] = replace(world.store.facts[OLD.id()], digests=frozenset({sha("x")}), digest=sha("x"))
    world.registry.push(WEB, OLD)
    for _run in range(2):
        row = world.pull_one(WEB, policy="always")
        assert (row.pulled, row.changed) == (True, False)
        assert row.before == row.after == (OLD.id(), sha("x"))


def test_a_corrupted_image_counts_as_absent_and_is_pulled_again(world: PullWorld) -> None:
    world.registry.push(WEB, OLD)
    world.store.add(OLD, WEB, corrupted=True)
    assert world.pull_one(WEB, policy="never").reason is UNKNOWN
    row = world.pull_one(WEB)
    assert (row.before, row.after[0]) == ((None, None), OLD.id())
    assert (row.pulled, row.changed, row.reason) == (True, True, Reason.CORRUPTED)


def test_a_registry_that_gives_one_platform_only_is_warned_of(world: PullWorld) -> None:
    world.registry.push(WEB, OLD)
    row = world.pull_one(WEB, platform="linux/arm64")
    assert (row.platform, row.platform_mismatch) == (AMD64, True)
    again = world.pull_one(WEB, platform="linux/arm64")
    assert (again.pulled, again.changed, again.platform_mismatch) == (False, False, True)
    assert world.pull_one(WEB, platform="linux/arm64", policy="always").pulled
    warned = PullReport((again,), (), check_mode=False).to_result()["warned"]
    assert [WEB in text for text in warned] == [True]


def test_a_platform_of_the_host_is_not_taken_for_the_same_as_anothers_image(world: PullWorld) -> None:
    """An index's digest is recorded for each of its images."""
    world.registry.push(WEB, INDEX)
    world.store.add(INDEX, WEB, platform=ARM64)
    assert not world.pull_one(WEB).changed
    row = world.pull_one(WEB, platform="linux/amd64")
    assert (row.before[0], row.after[0], row.changed) == (INDEX.id(ARM64), INDEX.id(AMD64), True)


def test_a_failing_image_fails_alone_and_loses_nothing(world: PullWorld) -> None:
    other, gone, bad = "quay.io/team/other:1", "quay.io/team/gone:1", "quay.io/team/bad:1"
    for name in (other, bad):
        world.registry.push(name, NEW if name == other else OLD)
    world.store.add(Content("kept"), bad)
    world.store.failures[f"quay.io/team/bad@{OLD.digest}"] = StoreError("died", Reason.PULL_FAILED)

    rows = {row.name: row for row in world.pull(bad, gone, other, "UPPER", policy="always")}

    assert rows[other].changed
    assert rows[gone].reason is Reason.NOT_FOUND
    assert rows["UPPER"].reason is Reason.BAD_REFERENCE
    assert (rows[bad].reason, rows[bad].changed) == (Reason.PULL_FAILED, False)
    assert rows[bad].before == rows[bad].after == (Content("kept").id(), Content("kept").digest)
    assert world.store.names == {other: NEW.id(), bad: Content("kept").id()}
    result = PullReport(tuple(rows.values()), (), check_mode=False).to_result()
    assert result["failed"] is True
    assert result["msg"] == (
        "4 images: 1 pulled, 3 failed (quay.io/team/bad:1: died [pull_failed]; quay.io answers 404 for"
        " quay.io/team/gone:1 [not_found]; 'UPPER' is not an image reference: repository name must be lowercase"
        " [bad_reference])."
    )
    assert "reason" not in result, "they failed for different ones"


def test_one_reason_for_all_failures_is_that_of_the_task(world: PullWorld) -> None:
    world.registry.push(WEB, NEW)
    for names, reason in (((WEB,), None), ((WEB, "quay.io/team/gone:1", "quay.io/team/away:1"), "not_found")):
        result = PullReport(world.pull(*names), (), check_mode=False).to_result()
        assert result.get("reason") == reason


def test_the_message_tells_what_changed_nothing_and_what_only_got_a_name(world: PullWorld) -> None:
    world.registry.push(WEB, NEW)
    source = "oci-archive:/named.tar"
    world.store.archives[source] = (OLD.facts(AMD64, "quay.io/team/named:1"),)
    world.store.add(OLD)
    world.store.add(NEW, WEB)
    rows = world.pull(WEB, source, policy="always", check=True)
    assert PullReport(rows, (), check_mode=True).sentence() == (
        "2 images: 1 would be pulled and nothing changed, 1 would be named (check mode: nothing was done)."
    )
    rows = world.pull(WEB, source, policy="always")
    assert PullReport(rows, (), check_mode=False).sentence() == "2 images: 1 pulled and nothing changed, 1 named."
    rows = world.pull(WEB, source)
    assert PullReport(rows, (), check_mode=False).sentence() == "2 images: 2 there already."


def test_an_empty_name_fails_alone(world: PullWorld) -> None:
    world.registry.push(WEB, NEW)
    empty, web = world.pull("", WEB)
    assert (empty.reason, empty.changed, web.changed) == (Reason.BAD_REFERENCE, False, True)


def test_never_says_that_it_does_not_pull(world: PullWorld) -> None:
    world.registry.push(WEB, NEW)
    row = world.pull_one(WEB, policy="never")
    assert (row.reason, "the policy is never" in str(row.error)) == (UNKNOWN, True)


def test_duplicates_are_done_once(world: PullWorld) -> None:
    world.registry.push("docker.io/library/web:latest", NEW)
    names = ("docker.io/web", "docker.io/library/web:latest", "docker.io/web")
    rows = world.pull(*names)
    assert [row.name for row in rows] == list(names[:2])
    assert {row.after[0] for row in rows} == {NEW.id()}
    assert len(world.store.pulls) == 1


def test_a_tag_and_its_digest_side_by_side(world: PullWorld) -> None:
    """What the tag's pull leaves and takes away again is what the other one wants."""
    world.registry.push(WEB, NEW)
    pinned = f"quay.io/team/web@{NEW.digest}"
    rows = world.pull(WEB, pinned, parallel=1)
    assert [(row.resolved_name, row.changed) for row in rows] == [(WEB, True), (pinned, True)]
    assert world.store.names == {WEB: NEW.id(), pinned: NEW.id()}


def test_a_short_name_goes_on_to_the_next_registry_where_one_fails() -> None:
    world = PullWorld(search=("a.example", "b.example", "c.example"))
    world.registry.push("b.example/web:latest", OLD)
    world.registry.push("c.example/web:latest", NEW)
    world.store.failures[f"b.example/web@{OLD.digest}"] = StoreError("died", Reason.PULL_FAILED)
    row = world.pull_one("web")
    assert (row.resolved_name, row.after[0]) == ("c.example/web:latest", NEW.id())
    world.store.failures.clear()
    assert world.pull_one("web", policy="newer").resolved_name == "c.example/web:latest"


def test_a_failed_transfer_of_newer_leaves_the_local_image_with_a_warning(world: PullWorld) -> None:
    world.registry.push(WEB, NEW)
    world.store.add(OLD, WEB)
    rejected = StoreError("Source image rejected", Reason.SIGNATURE_REJECTED)
    world.store.failures[f"quay.io/team/web@{NEW.digest}"] = rejected
    row = world.pull_one(WEB, policy="newer")
    assert (row.error, row.reason, row.warning) == (None, Reason.SIGNATURE_REJECTED, "Source image rejected")
    assert world.store.names == {WEB: OLD.id()}


_HOLDS = [
    UserHold(WEB),
    ImageHold(WEB, AMD64, NEW.id()),
    ImageHold(WEB, AMD64, sha("other"), frozenset({NEW.digest})),
]


@pytest.mark.parametrize("hold", _HOLDS)
def test_a_held_target_is_refused_unless_its_hold_is_lifted(world: PullWorld, hold: UserHold | ImageHold) -> None:
    others = (UserHold("quay.io/team/other:1"), ImageHold(WEB, ARM64, NEW.id()))
    world.rules.remembered = State((hold, *others))
    world.registry.push(WEB, NEW)
    world.store.add(OLD, WEB)

    assert world.pull_one(WEB).error is None
    row = world.pull_one(WEB, policy="newer")
    assert (row.reason, row.changed) == (Reason.HELD, False)
    assert row.error is not None
    assert world.store.names == {WEB: OLD.id()}

    assert world.pull_one(WEB, policy="newer", lift_holds=True).changed
    assert world.rules.remembered.holds == others
    assert world.pull_one(WEB, policy="always").error is None


def test_another_image_passes_a_hold_without_ending_it(world: PullWorld) -> None:
    held = State((ImageHold(WEB, AMD64, OLD.id()),))
    world.rules.remembered = held
    world.registry.push(WEB, NEW)
    assert world.pull_one(WEB).changed
    assert world.rules.remembered == held


def test_what_cannot_fit_is_not_pulled(world: PullWorld) -> None:
    """Layers that are there, or come with an earlier image, need nothing."""
    shared, big = (sha("shared"), 60), (sha("big"), 50)
    names = [f"quay.io/team/{word}:1" for word in ("a", "b", "c")]
    world.registry.push(names[0], Content("a", layers=(shared, (sha("there"), 10**9))))
    world.registry.push(names[1], Content("b", layers=(shared, big)))
    world.registry.push(names[2], Content("c", layers=(shared,)))
    world.store.space = Disk(free=200, total=1000, layers=frozenset({sha("there")}))

    rows = world.pull(*names, headroom=Headroom.parse("10%"))

    assert [(row.reason, row.bytes) for row in rows] == [(None, 60), (Reason.NO_SPACE, None), (None, 0)]
    assert "at least 50 bytes; 40 are left for them" in str(rows[1].error)
    assert "200 of 1000 bytes are free, and headroom keeps 100" in str(rows[1].error)
    assert [row.bytes for row in world.pull(names[1])] == [110]


def test_a_variant_is_looked_up_strictly(world: PullWorld) -> None:
    v6, v7 = Platform("linux", "arm", "v6"), Platform("linux", "arm", "v7")
    both = Content("arm", (v7, v6), index=True)
    world.registry.push(WEB, both)
    world.store.add(both, WEB, platform=v6)
    row = world.pull_one(WEB, platform="linux/arm/v7")
    assert (row.after[0], row.platform_mismatch) == (both.id(v7), False)


def test_what_others_did_meanwhile_is_seen_before_anything_is_brought(world: PullWorld) -> None:
    """Another run brought a newer image under the name, while this one was about to: it must not put the older one there."""
    world.store.add(OLD, WEB)
    world.registry.push(WEB, Content("between"))

    def others() -> None:
        world.store.add(world.registry.push(WEB, NEW), WEB)

    options = Options(policy=parse_pull_policy("newer"))
    world.others = others
    report = Pull(world.edges(), options).run([WEB])
    (row,) = report.rows
    assert (row.pulled, row.changed, row.after[0]) == (False, False, NEW.id())
    assert world.store.names == {WEB: NEW.id()}
    assert world.store.pulls == []


def test_a_hold_that_came_meanwhile_counts(world: PullWorld) -> None:
    world.store.add(OLD, WEB)
    world.registry.push(WEB, NEW)

    def others() -> None:
        world.rules.remembered = State((UserHold(WEB),))

    world.others = others
    (row,) = Pull(world.edges(), Options(policy=parse_pull_policy("newer"))).run([WEB]).rows
    assert (row.reason, row.pulled) == (Reason.HELD, False)
    assert world.store.names == {WEB: OLD.id()}


def test_who_brings_nothing_takes_no_lock(world: PullWorld) -> None:
    def others() -> None:
        raise AssertionError

    world.store.add(OLD, WEB)
    world.others = others
    (row,) = Pull(world.edges(), Options(policy=parse_pull_policy("missing"))).run([WEB]).rows
    assert not row.changed
    world.registry.push(WEB, NEW)
    (row,) = Pull(world.edges(), Options(policy=parse_pull_policy("newer"))).check([WEB]).rows
    assert row.changed
