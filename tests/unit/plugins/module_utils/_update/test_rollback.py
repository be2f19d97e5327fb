# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates that go wrong: every container is back on what it ran, or the row says that it is not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Recipe,
    Service,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

_SLOT, _REJECTED = names.slot("app.service", APP), names.rejected(APP, V2.id)


def _unit(host: Host) -> Service:
    return host.services["app.service"]


def test_a_job_that_fails_is_undone_and_verified(host: Host) -> None:
    _unit(host).fails_on = {V2.id}
    report = host.update().run()
    found = row(report, "app")
    assert told(report) == {"app": ("rolled_back", "job_failed")}
    assert found.before == found.after == (V1.id, V1.digest)
    assert (found.changed, found.job_result) == (True, "failed")
    assert host.running("app") == V1.id
    # What failed is kept from pruning, what was replaced is in use again and needs no slot.
    assert host.tags == {APP: V1.id, _REJECTED: V2.id}


def test_failures_are_forgotten_before_the_way_back(host: Host) -> None:
    """The host refuses a second start after a failure, as a start limit does."""
    _unit(host).fails_on = {V2.id}
    host.update().run()
    assert [entry[0] for entry in host.log if entry[0] in ("restart", "reset_failed")] == [
        "restart",
        "reset_failed",
        "restart",
    ]


def test_a_job_that_is_late_is_undone(host: Host) -> None:
    _unit(host).late_on = {V2.id}
    assert told(host.update().run()) == {"app": ("rolled_back", "job_timeout")}
    assert host.running("app") == host.tags[APP] == V1.id


@pytest.mark.usefixtures("impatient")
def test_a_container_that_is_gone_after_a_good_job_is_undone(host: Host) -> None:
    _unit(host).crashes_on = {V2.id}
    report = host.update().run()
    assert told(report) == {"app": ("rolled_back", "not_running")}
    assert "container app does not run" in str(row(report, "app").finding.error)
    assert host.running("app") == host.tags[APP] == V1.id


def test_a_unit_that_reuses_its_container_is_undone_at_once(host: Host) -> None:
    _unit(host).reuses = True
    assert told(host.update().run()) == {"app": ("rolled_back", "unit_reuses_container")}
    assert host.running("app") == host.tags[APP] == V1.id


def test_when_both_images_fail_the_unit_is_down_and_the_row_says_why(host: Host) -> None:
    _unit(host).fails_on = {V1.id, V2.id}
    report = host.update().run()
    found = row(report, "app")
    assert told(report) == {"app": ("failed", "unit_down")}
    assert found.after == (None, None)
    assert "; then, on the old image: " in str(found.finding.error)
    assert host.running("app") is None
    assert host.tags[APP] == V1.id
    assert host.tags[_REJECTED] == V2.id


def test_a_unit_that_is_down_takes_no_container_for_current(host: Host) -> None:
    other = "quay.io/team/other:1"
    host.has(V3, other)
    host.registry.publish(V3, other)
    host.service("two.service", Recipe("one", APP), Recipe("neighbour", other))
    host.services["two.service"].fails_on = {V3.id}
    report = host.update(only=["two"]).run()
    assert told(report)["one"] == ("failed", "unit_down")
    assert host.running("neighbour") is None
    assert told(report)["neighbour"][0] == "failed"


@pytest.mark.usefixtures("impatient")
def test_the_old_image_is_verified_like_a_new_one(host: Host) -> None:
    _unit(host).fails_on = {V2.id}
    _unit(host).crashes_on = {V1.id}
    assert told(host.update().run()) == {"app": ("failed", "unit_down")}


def test_a_restart_that_systemd_refuses_leaves_what_runs(host: Host) -> None:
    _unit(host).refused = True
    report = host.update().run()
    assert row(report, "app").finding.status.value == "failed"
    assert "Access denied" in str(row(report, "app").finding.error)
    assert host.running("app") == host.tags[APP] == V1.id


def test_without_rollback_the_failure_stays_and_is_told(host: Host) -> None:
    _unit(host).fails_on = {V2.id}
    report = host.update(rollback=False).run()
    found = row(report, "app")
    assert told(report) == {"app": ("failed", "job_failed")}
    assert (found.changed, found.after, found.job_result) == (True, (None, None), "failed")
    assert host.tags == {APP: V2.id, _SLOT: V1.id}
    assert host.done("restart") == [("app.service",)]


def test_without_rollback_what_is_only_unhealthy_runs_on_its_new_image_and_takes_nobody_down(host: Host) -> None:
    other = "quay.io/team/side:1"
    host.has(V1, other)
    _unit(host).recipes.append(Recipe("side", other))
    host.restart(["app.service"])
    host.registry.publish(V1, other)
    host.health[f"app {V2.id}"] = ["unhealthy"]
    report = host.update(rollback=False).run()
    assert told(report) == {"app": ("failed", "unhealthy"), "side": ("current", None)}
    assert (row(report, "app").changed, row(report, "app").after) == (True, (V2.id, V2.digest))
    assert host.running("app") == host.tags[APP] == V2.id


def test_the_slot_of_an_earlier_update_is_put_back(host: Host) -> None:
    host.update().run()
    assert host.tags == {APP: V2.id, _SLOT: V1.id}
    host.registry.publish(V3)
    _unit(host).fails_on = {V3.id}
    assert told(host.update().run()) == {"app": ("rolled_back", "job_failed")}
    assert host.tags == {APP: V2.id, _SLOT: V1.id, names.rejected(APP, V3.id): V3.id}


def test_a_local_image_that_fails_is_kept_because_it_may_have_no_other_copy() -> None:
    host = Host()
    host.has(V1, "localhost/app:latest")
    host.service("app.service", Recipe("app", "app", policy="local"), fails_on={V2.id})
    host.has(V2, "localhost/app:latest")
    assert told(host.update().run()) == {"app": ("rolled_back", "job_failed")}
    kept = names.rejected("localhost/app:latest", V2.id)
    assert host.tags == {"localhost/app:latest": V1.id, kept: V2.id}


def test_the_next_run_leaves_the_image_alone(host: Host) -> None:
    _unit(host).fails_on = {V2.id}
    host.update().run()
    tags, log = dict(host.tags), list(host.log)
    assert told(host.update().run()) == {"app": ("held", "bad_digest")}
    assert (host.tags, host.log) == (tags, log)
    assert host.running("app") == V1.id


# Tags that cannot be moved: the unit is never restarted, so that no later start meets half of an update.


def test_a_slot_that_cannot_be_tagged_ends_the_update_before_anything_moved(host: Host) -> None:
    host.broken_names = {_SLOT}
    report = host.update().run()
    assert told(report) == {"app": ("failed", "store_failed")}
    assert (row(report, "app").changed, row(report, "app").after) == (False, (V1.id, V1.digest))
    assert host.done("restart") == []
    assert (host.tags[APP], host.running("app")) == (V1.id, V1.id)


def test_a_name_that_cannot_be_tagged_does_not_make_a_running_unit_down(host: Host) -> None:
    host.broken_names = {APP}
    report = host.update().run()
    assert told(report) == {"app": ("failed", "store_failed")}
    assert host.done("restart") == []
    assert (host.tags[APP], host.running("app")) == (V1.id, V1.id)


@pytest.mark.parametrize("rollback", [True, False])
def test_a_unit_that_is_not_restarted_has_all_its_tags_back(host: Host, rollback: bool) -> None:
    """One name of two could be moved: a reboot must not activate it."""
    other = "quay.io/team/other:1"
    host.has(V1, other)
    host.service("two.service", Recipe("one", APP), Recipe("other", other))
    host.registry.publish(V2, other)
    host.broken_names = {names.slot("two.service", other)}
    report = host.update(rollback=rollback, only=["two"]).run()
    assert told(report) == {"one": ("failed", "store_failed"), "other": ("failed", "store_failed")}
    assert host.done("restart") == []
    assert (host.tags[APP], host.tags[other]) == (V1.id, V1.id)


def test_a_tag_that_somebody_had_moved_is_left_where_it_was(host: Host) -> None:
    """The update never got as far as this tag, so there is nothing to put back."""
    host.has(V2, APP)
    host.broken_names = {_SLOT}
    assert told(host.update().run()) == {"app": ("failed", "store_failed")}
    assert (host.tags, host.done("restart")) == ({APP: V2.id}, [])


def test_a_rejected_image_that_cannot_be_kept_does_not_stop_the_way_back(host: Host) -> None:
    _unit(host).fails_on = {V2.id}
    host.broken_names = {_REJECTED}
    assert told(host.update().run()) == {"app": ("rolled_back", "job_failed")}
    assert host.running("app") == host.tags[APP] == V1.id


# More that may go wrong on the way.


@pytest.mark.usefixtures("impatient")
def test_a_container_that_runs_a_third_image_is_undone(host: Host) -> None:
    """The unit's command names another tag than its container was made from."""
    host.has(V3)
    _unit(host).instead = {V2.id: V3.id}
    report = host.update().run()
    assert told(report) == {"app": ("rolled_back", "not_running")}
    assert f"runs {V3.id}, not {V2.id}" in str(row(report, "app").finding.error)


def test_a_look_that_fails_is_repeated(host: Host) -> None:
    host.blind_looks = 1
    assert told(host.update().run()) == {"app": ("updated", None)}


@pytest.mark.usefixtures("impatient")
def test_an_update_that_cannot_be_seen_is_not_believed(host: Host) -> None:
    host.blind_looks = 1
    report = host.update().run()
    assert told(report) == {"app": ("rolled_back", "store_failed")}
    assert host.running("app") == host.tags[APP] == V1.id


@pytest.mark.usefixtures("impatient")
def test_a_failure_counter_that_stays_is_no_reason_to_give_up(host: Host) -> None:
    _unit(host).crashes_on = {V2.id}
    host.reset_refused = True
    assert told(host.update().run()) == {"app": ("rolled_back", "not_running")}
    assert host.running("app") == V1.id


def test_a_start_limit_that_refuses_the_way_back_is_told(host: Host) -> None:
    _unit(host).fails_on = {V2.id}
    host.reset_refused = True
    assert told(host.update().run()) == {"app": ("failed", "unit_down")}


def test_a_tag_that_cannot_be_put_back_is_told(host: Host) -> None:
    _unit(host).fails_on = {V2.id}
    host.broken_later = {APP}
    report = host.update().run()
    assert told(report) == {"app": ("failed", "unit_down")}
    assert "cannot be tagged" in str(row(report, "app").finding.error)
    assert row(report, "app").after == (None, None)


@pytest.mark.parametrize("where", ["restart", "containers"])
def test_a_defect_in_the_middle_costs_one_group_and_is_put_back(
    host: Host, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whatever an edge raises: the unit is back on its old image, and the other rows are told."""
    other = "quay.io/team/other:1"
    host.has(V1, other)
    host.service("fine.service", Recipe("fine", other))
    host.registry.publish(V2, other)
    works, met = getattr(host, where), []

    def once(*arguments: t.Any) -> t.Any:
        if host.tags[APP] == V2.id and not met:
            met.append(where)
            raise OverflowError("timestamp out of range")
        return works(*arguments)

    monkeypatch.setattr(host, where, once)
    report = host.update().run()
    assert met
    assert (host.tags[APP], host.running("app")) == (V1.id, V1.id)
    assert {status for status, _reason in told(report).values()} <= {"rolled_back", "updated"}
    assert told(report)["app"] == ("rolled_back", "internal_error") or told(report)["fine"][1] == "internal_error"
    assert any("timestamp out of range" in str(one.finding.error) for one in report.rows)


# Without a way back.


def test_without_the_running_image_there_is_no_way_back_so_the_update_is_held(host: Host) -> None:
    host.drop(V1)
    report = host.update().run()
    assert told(report) == {"app": ("held", "rollback_unsafe")}
    assert any("rollback_unsafe" in warning for warning in report.warnings)
    assert host.log == []


def test_without_rollback_no_way_back_is_needed(host: Host) -> None:
    host.drop(V1)
    assert told(host.update(rollback=False).run()) == {"app": ("updated", None)}
    assert host.running("app") == V2.id
    assert _SLOT not in host.tags
