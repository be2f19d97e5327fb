# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that come before their time: no tag moves, no unit restarts, nothing is pulled twice, nothing stays for ever."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.names import is_staged, staged
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Image,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.planning import simple
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

OTHER = "quay.io/team/other:1"
PENDING = {"app": ("pending", "staged")}


@pytest.fixture
def host() -> Host:
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    return host


def kept(host: Host) -> dict[str, str]:
    return {name: image for name, image in host.tags.items() if is_staged(name)}


def name_of(image: Image, reference: str = APP) -> str:
    return staged(reference, "linux/amd64", image.digest)


def test_the_quartet(host: Host) -> None:
    before = host.state()
    checked = host.update(stage=True).check()
    assert (told(checked), checked.changed) == ({"app": ("pending", "check_mode")}, True)
    assert (host.state(), host.log) == (before, [])
    done = host.update(stage=True).run()
    assert (told(done), done.changed) == (PENDING, True)
    assert row(done, "app").after == row(checked, "app").after == (V2.id, V2.digest)
    assert host.tags == {APP: V1.id, name_of(V2): V2.id}
    assert (host.running("app"), host.done("restart"), host.memory.history) == (V1.id, [], [])
    log = list(host.log)
    for again in (host.update(stage=True).check(), host.update(stage=True).run()):
        assert (told(again), again.changed) == (PENDING, False)
        assert again.to_result([])["diff"]["after"] == ""
    assert host.log == log


@pytest.mark.parametrize("with_plan", [True, False])
def test_activation_pulls_nothing_and_lets_go(host: Host, with_plan: bool) -> None:
    plan = simple(host, V1, V2) if with_plan else None
    report = host.update(stage=True, planned=plan).run()
    assert (told(report), report.plan_verdict) == (PENDING, "staged" if with_plan else None)
    assert len(host.done("pull")) == 1
    host.broken_pulls = {f"quay.io/team/app@{V2.digest}"}
    report = host.update(planned=plan).run()
    assert (told(report), report.plan_verdict) == ({"app": ("updated", None)}, "converged" if with_plan else None)
    assert len(host.done("pull")) == 1
    assert (host.tags[APP], kept(host)) == (V2.id, {})


def test_a_plan_activates_what_was_staged_without_its_id(host: Host) -> None:
    plan = simple(host, V1, V2, ids=False)
    host.update(stage=True, planned=plan).run()
    host.update(planned=plan).run()
    assert (host.running("app"), len(host.done("pull"))) == (V2.id, 1)


def test_a_newer_image_takes_the_place(host: Host) -> None:
    host.update(stage=True).run()
    host.registry.publish(V3)
    host.update(stage=True).run()
    assert kept(host) == {name_of(V3): V3.id}
    assert V2.id not in host.images_


@pytest.mark.parametrize(("prune", "there"), [(True, False), (False, True)])
def test_what_is_not_wanted_any_more_goes(host: Host, prune: bool, there: bool) -> None:
    host.update(stage=True).run()
    host.registry.publish(V1)
    assert told(host.update(stage=True, prune=prune).run()) == {"app": ("current", None)}
    assert kept(host) == {}
    assert (V2.id in host.images_) is there


def test_what_nobody_is_on_any_more_goes_only_where_all_was_looked_at(host: Host) -> None:
    host.has(V1, OTHER)
    host.service("other.service", Recipe("other", OTHER))
    host.registry.publish(V2, OTHER)
    host.update(stage=True).run()
    host.containers_ = [one for one in host.containers_ if one.listed.name == "app"]
    host.update(stage=True, only=["unit:app"]).run()
    host.update(planned=simple(host, V1, V2), stage=True).run()
    assert set(kept(host)) == {name_of(V2), name_of(V2, OTHER)}
    host.update(stage=True).run()
    assert set(kept(host)) == {name_of(V2)}


def test_an_image_is_pulled_once_for_all(host: Host) -> None:
    host.service("second.service", Recipe("second", APP))
    report = host.update(stage=True).run()
    assert told(report) == {"app": ("pending", "staged"), "second": ("pending", "staged")}
    assert len(host.done("pull")) == 1


def test_local_names_have_theirs(host: Host) -> None:
    host.has(V1, OTHER)
    host.service("local.service", Recipe("local", OTHER, "local"))
    host.has(V3, OTHER)
    report = host.update(stage=True).run()
    assert told(report) == {"app": ("pending", "staged"), "local": ("pending", "staged")}
    assert not row(report, "local").changed


def test_what_cannot_be_pulled_is_told_and_moves_nothing(host: Host) -> None:
    host.broken_pulls = {f"quay.io/team/app@{V2.digest}"}
    plan = simple(host, V1, V2)
    report = host.update(stage=True, planned=plan).run()
    assert (told(report), report.plan_verdict) == ({"app": ("failed", "pull_failed")}, "failed")
    assert host.tags == {APP: V1.id}
    assert [one.verdict for one in host.memory.history] == ["failed"]


def test_the_same_content_is_not_kept(host: Host) -> None:
    host.registry.tells_ids = False
    host.registry.publish(Image(V1.label, "better"))
    report = host.update(stage=True).run()
    assert (told(report), report.changed) == ({"app": ("current", "same_content")}, False)
    assert host.tags == {APP: V1.id}


def test_held_images_are_not_staged(host: Host) -> None:
    host.services["app.service"].fails_on = {V2.id}
    host.update().run()
    host.registry.tells_ids = False
    pulls = len(host.done("pull"))
    assert told(host.update(stage=True).run()) == {"app": ("held", "bad_digest")}
    assert (kept(host), len(host.done("pull"))) == ({}, pulls)


def test_what_only_the_pull_tells_to_be_held_is_not_kept(host: Host) -> None:
    host.services["app.service"].fails_on = {V2.id}
    host.update().run()
    host.registry.tells_ids = False
    host.registry.publish(Image(V2.label, "better"))
    assert told(host.update(stage=True).run()) == {"app": ("held", "bad_digest")}
    assert kept(host) == {}


def test_a_way_back_leaves_what_is_staged(host: Host) -> None:
    host.update().run()
    host.registry.publish(V3)
    host.update(stage=True).run()
    assert told(host.update(back=True, only=["*"]).run()) == {"app": ("rolled_back", None)}
    assert kept(host) == {name_of(V3): V3.id}


class TestSignatures:
    """Where podman takes only what is signed, the tag is pulled, and goes back at once."""

    @pytest.fixture
    def signed(self, host: Host) -> Host:
        host.signed = {APP}
        return host

    def test_staging_leaves_the_tag(self, signed: Host) -> None:
        report = signed.update(stage=True).run()
        assert told(report) == PENDING
        assert signed.done("pull") == [(APP, "")]
        assert signed.tags == {APP: V1.id, name_of(V2): V2.id}
        assert signed.memory.state.intents == ()

    def test_an_update_ends_as_any_other(self, signed: Host) -> None:
        assert told(signed.update().run()) == {"app": ("updated", None)}
        assert (signed.done("pull"), signed.tags[APP], kept(signed)) == ([(APP, "")], V2.id, {})

    def test_another_image_than_the_planned_one_is_refused(self, signed: Host) -> None:
        plan = simple(signed, V1, V2)
        signed.registry.publish(V3)
        for stage in (True, False):
            report = signed.update(stage=stage, planned=plan).run()
            assert told(report) == {"app": ("failed", "tag_moved")}
            assert V3.id in str(row(report, "app").finding.error)
            assert (signed.tags, signed.running("app")) == ({APP: V1.id}, V1.id)

    def test_a_tag_that_was_not_there_is_taken_away(self, signed: Host) -> None:
        del signed.tags[APP]
        assert told(signed.update(stage=True, rollback=False).run()) == PENDING
        assert signed.tags == {name_of(V2): V2.id}

    def test_an_interrupted_pull_of_a_tag_is_undone_by_the_next_run(self, signed: Host) -> None:
        signed.dies_after_pull = True
        with pytest.raises(KeyboardInterrupt):
            signed.update(stage=True).run()
        assert signed.tags[APP] == V2.id
        signed.dies_after_pull = False
        report = signed.update(stage=True, only=["nothing"]).run()
        assert [(one.unit, one.did) for one in report.repaired] == [("app.service", "undone")]
        assert (signed.tags[APP], signed.memory.state.intents) == (V1.id, ())
