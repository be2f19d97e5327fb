# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots: what is kept of earlier images, what is let go, and the way back that somebody asks for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.holds import ImageHold, UserHold
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import State, render_state
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Image,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

ONLY = ["unit:app"]
IMAGES = [Image(str(number)) for number in range(1, 12)]


def _slot(number: int = 1, unit: str = "app.service", reference: str = APP) -> str:
    return names.slot(unit, reference, number)


@pytest.mark.parametrize(("keep", "prune"), [(1, True), (3, True), (0, True), (1, False), (3, False)])
def test_ten_updates_keep_what_was_asked_for_and_nothing_else(host: Host, keep: int, prune: bool) -> None:
    for image in IMAGES[1:]:
        host.registry.publish(image)
        assert told(host.update(keep=keep, prune=prune).run()) == {"app": ("updated", None)}
    kept = {_slot(number): IMAGES[-1 - number].id for number in range(1, keep + 1)}
    assert host.tags == {APP: IMAGES[-1].id, **kept}
    there = {one.id for one in IMAGES} if not prune else {IMAGES[-1].id, *kept.values()}
    assert set(host.images_) == there
    slots = host.memory.state.slots
    assert {one.name: one.id for one in slots} == kept
    assert all(one.digests and one.kept == host.memory.clock for one in slots)


def test_an_image_that_others_name_or_use_stays(host: Host) -> None:
    host.tags["localhost/mine:1"] = V1.id
    host.has(V2, "quay.io/team/other:1")
    host.registry.publish(V2, "quay.io/team/other:1")
    host.service("other.service", Recipe("other", "quay.io/team/other:1", policy=None))
    for image in IMAGES[1:4]:
        host.registry.publish(image)
        host.update().run()
    assert set(host.images_) == {V1.id, V2.id, V3.id, IMAGES[3].id}
    assert host.tags["localhost/mine:1"] == V1.id


def test_what_a_container_keeps_from_going_goes_later(host: Host) -> None:
    host.service("old.service", Recipe("old", APP, policy=None))
    for image in IMAGES[1:4]:
        host.registry.publish(image)
        host.update().run()
    assert V1.id in host.images_
    assert V2.id not in host.images_
    host.containers_ = [one for one in host.containers_ if one.listed.name != "old"]
    host.registry.publish(IMAGES[4])
    host.update().run()
    assert set(host.images_) == {IMAGES[3].id, IMAGES[4].id}


def test_a_unit_that_fails_does_not_keep_others_from_letting_go(host: Host) -> None:
    other = "quay.io/team/other:1"
    host.has(Image("a"), other)
    host.service("other.service", Recipe("other", other), fails_on={Image("b").id})
    host.registry.publish(Image("b"), other)
    for image in IMAGES[1:4]:
        host.registry.publish(image)
        host.update().run()
    assert {V1.id, V2.id}.isdisjoint(host.images_)


def test_slots_that_move_on_come_back_where_the_update_fails(host: Host) -> None:
    host.update(keep=2).run()
    host.registry.publish(V3)
    host.update(keep=2).run()
    before = dict(host.tags)
    assert before == {APP: V3.id, _slot(1): V2.id, _slot(2): V1.id}
    bad = host.registry.publish(IMAGES[3])
    host.services["app.service"].fails_on = {bad.id}
    host.update(keep=2).run()
    assert host.tags == {**before, names.rejected(APP, bad.id): bad.id}
    assert {one.name: one.id for one in host.memory.state.slots} == {_slot(1): V2.id, _slot(2): V1.id}


def test_a_lost_file_is_made_again_from_the_names(host: Host) -> None:
    host.service("two.service", Recipe("two", "quay.io/team/two:1"))
    host.has(V1, "quay.io/team/two:1")
    host.registry.publish(V2, "quay.io/team/two:1")
    host.containers_ = []
    for service in host.services.values():
        host._start(service)
    host.update().run()
    slots = host.memory.state.slots
    assert len(slots) == 2
    host.memory.body = render_state(State())
    host.registry.publish(V3)
    host.update().run()
    assert {one.name for one in host.memory.state.slots} == {one.name for one in slots}


# The way back.


def test_back_is_truthful_in_check_mode_and_changes_nothing_twice(host: Host) -> None:
    host.update().run()
    asked, state = len(host.registry.questions), host.state()
    checked = host.update(back=True, only=ONLY).check()
    assert host.state() == state
    done = host.update(back=True, only=ONLY).run()
    assert told(checked) == {"app": ("pending", "check_mode")}
    assert told(done) == {"app": ("rolled_back", None)}
    assert done.sentence() == "1 container: 1 rolled_back (app.service)."
    before, after = row(checked, "app").before, row(checked, "app").after
    assert (before, after) == (row(done, "app").before, row(done, "app").after)
    assert (before, after) == ((V2.id, V2.digest), (V1.id, V1.digest))
    assert host.running("app") == host.tags[APP] == V1.id
    assert host.tags[names.rejected(APP, V2.id)] == V2.id
    again = host.update(back=True, only=ONLY).run()
    assert told(again) == told(host.update(back=True, only=ONLY).check()) == {"app": ("current", None)}
    assert not again.changed
    assert len(host.registry.questions) == asked
    assert [one.verdict for one in host.memory.history] == ["updated", "rolled_back"]


def test_what_was_left_is_held_and_a_newer_image_passes(host: Host) -> None:
    host.update().run()
    host.update(back=True, only=ONLY).run()
    (hold,) = host.memory.state.holds
    assert isinstance(hold, ImageHold)
    assert (hold.id, hold.digests, hold.reason) == (V2.id, frozenset({V2.digest}), "rolled_back")
    assert told(host.update().run()) == {"app": ("held", "bad_digest")}
    host.registry.publish(V3)
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert host.tags == {APP: V3.id, _slot(): V1.id, names.rejected(APP, V2.id): V2.id}
    assert told(host.update(back=True, only=ONLY).run()) == {"app": ("rolled_back", None)}
    assert host.running("app") == V1.id


def test_where_the_old_image_fails_the_unit_stays_on_what_it_ran(host: Host) -> None:
    host.update().run()
    tags = dict(host.tags)
    host.services["app.service"].fails_on = {V1.id}
    report = host.update(back=True, only=ONLY).run()
    assert told(report) == {"app": ("failed", "job_failed")}
    assert row(report, "app").after == (V2.id, V2.digest)
    assert host.tags == tags
    assert host.running("app") == V2.id
    assert host.memory.state.holds == ()


def test_a_local_image_goes_back_too(host: Host) -> None:
    local = "localhost/tool:latest"
    host.has(V1, local)
    host.service("tool.service", Recipe("tool", "tool", policy="local"))
    host.has(V2, local)
    host.update(only=["unit:tool"]).run()
    assert told(host.update(back=True, only=["unit:tool"]).run()) == {"tool": ("rolled_back", None)}
    assert host.running("tool") == host.tags[local] == V1.id
    assert told(host.update(only=["unit:tool"]).run()) == {"tool": ("current", None)}
    host.tags[local] = V2.id
    assert told(host.update(only=["unit:tool"]).run()) == {"tool": ("held", "bad_digest")}


def test_units_on_one_tag_go_back_together(host: Host) -> None:
    host.service("two.service", Recipe("two", APP))
    host.update().run()
    report = host.update(back=True, only=["*"]).run()
    assert told(report) == {"app": ("rolled_back", None), "two": ("rolled_back", None)}
    assert host.running("app") == host.running("two") == host.tags[APP] == V1.id
    assert len(host.memory.state.holds) == 1


def test_units_on_one_tag_go_back_to_what_was_left_last() -> None:
    """One of them came to the tag later, and has left only what the other one never ran."""
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    host.update().run()
    host.service("late.service", Recipe("late", APP))
    host.memory.clock += timedelta(days=1)
    host.registry.publish(V3)
    host.update(only=["unit:late"]).run()
    assert {one.unit: one.id for one in host.memory.state.slots} == {"app.service": V1.id, "late.service": V2.id}
    assert set(told(host.update(back=True, only=["*"]).run()).values()) == {("rolled_back", None), ("current", None)}
    assert {host.running("app"), host.running("late"), host.tags[APP]} == {V2.id}


def test_without_a_slot_there_is_no_way_back(host: Host) -> None:
    assert told(host.update(back=True, only=ONLY).run()) == {"app": ("failed", "slot_missing")}
    host.update().run()
    host.drop(V1)
    report = host.update(back=True, only=ONLY).run()
    assert told(report) == {"app": ("failed", "slot_missing")}
    assert V1.id in str(row(report, "app").finding.error)
    assert host.running("app") == V2.id


def test_names_alone_show_the_way_back(host: Host) -> None:
    host.update().run()
    host.memory.body = render_state(State())
    assert told(host.update(back=True, only=ONLY).run()) == {"app": ("rolled_back", None)}


def test_a_persons_hold_holds_backward_too(host: Host) -> None:
    host.update().run()
    hold = (UserHold.parse(unit="app"),)
    assert told(host.update(back=True, only=ONLY, holds=hold).run()) == {"app": ("held", "user_hold")}
    assert told(host.update(back=True, only=ONLY, lift=True).run()) == {"app": ("rolled_back", None)}
