# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host follows a plan: by digest, without asking a registry, and never further than the plan says."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.holds import BadImage, UserHold
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.names import rejected
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plan_records import Verdict
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import sealed
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.planned import for_this_host
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.planning import (
    document,
    entry,
    planned,
    simple,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

OTHER = "quay.io/team/other:1"


@pytest.fixture
def host() -> Host:
    """C(app) runs V1; the registry has V3 under its tag by now, and V2 by its digest."""
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    host.registry.publish(V3)
    return host


@pytest.mark.parametrize("ids", [True, False])
def test_the_planned_digest_comes_although_the_tag_has_moved_on(host: Host, ids: bool) -> None:
    plan = simple(host, V1, V2, ids=ids)
    before = host.state()
    checked = host.update(planned=plan).check()
    assert (told(checked), checked.plan, checked.plan_verdict) == (
        {"app": ("pending", "check_mode")},
        plan.plan.id,
        None,
    )
    assert row(checked, "app").after == (V2.id if ids else None, V2.digest)
    assert (host.state(), host.log, host.memory.state.plan) == (before, [], None)

    report = host.update(planned=plan).run()
    assert (told(report), report.plan_verdict) == ({"app": ("updated", None)}, "converged")
    assert host.running("app") == V2.id == host.tags[APP]
    assert host.done("pull") == [(f"quay.io/team/app@{V2.digest}", "")]
    assert (host.registry.questions, host.registry.widths, host.begun) == ([], [], [])
    assert not [name for name in host.tags if "@" in name or "staged" in name]

    log = list(host.log)
    for again in (host.update(planned=plan).check(), host.update(planned=plan).run()):
        assert (told(again), again.changed) == ({"app": ("current", None)}, False)
    assert host.log == log


def test_state_and_history_know_the_plan(host: Host) -> None:
    plan = simple(host, V1, V2)
    host.update(planned=plan).run()
    record = host.memory.state.plan
    assert record is not None
    assert (record.id, record.of, record.verdict, record.document) == (
        plan.plan.id,
        plan.plan.of,
        Verdict.CONVERGED,
        plan.document,
    )
    assert [one.plan for one in host.memory.history] == [plan.plan.id]
    writes = host.memory.writes
    host.update(planned=plan).run()
    assert host.memory.writes == writes, "what is known was written again"


def test_what_runs_neither_the_old_nor_the_new_image_has_drifted(host: Host) -> None:
    host.has(V3, OTHER)
    host.service("web.service", Recipe("web", OTHER))
    units = {"app.service": [entry("app", V1)], "web.service": [entry("web", V1, OTHER)]}
    plan = planned(host, document({APP: V2, OTHER: V2}, units))
    report = host.update(planned=plan).run()
    assert told(report) == {"app": ("updated", None), "web": ("held", "plan_drift")}
    assert f"it runs {V3.id}, and ran {V1.id}" in str(row(report, "web").finding.error)
    assert report.plan_verdict == "halted"
    assert host.running("web") == V3.id == host.tags[OTHER]


def test_a_reference_that_is_not_the_planned_one_has_drifted(host: Host) -> None:
    plan = planned(host, document({OTHER: V2}, {"app.service": [entry("app", V1, OTHER)]}))
    report = host.update(planned=plan).run()
    assert told(report) == {"app": ("held", "plan_drift")}
    assert host.log == []


def test_nothing_else_is_touched_or_reported(host: Host) -> None:
    host.has(V1, OTHER)
    host.service("other.service", Recipe("other", OTHER))
    host.registry.publish(V2, OTHER)
    report = host.update(planned=simple(host, V1, V2)).run()
    assert told(report) == {"app": ("updated", None)}
    assert host.running("other") == V1.id == host.tags[OTHER]
    assert [unit for (unit,) in host.done("restart")] == ["app.service"]


def test_a_sharer_that_the_plan_does_not_name_is_shown(host: Host) -> None:
    host.service("second.service", Recipe("second", APP))
    checked = host.update(planned=simple(host, V1, V2)).check()
    assert row(checked, "app").workload.shared_with == ("second",)


def test_selection_is_within_the_plan(host: Host) -> None:
    host.has(V1, OTHER)
    host.service("other.service", Recipe("other", OTHER))
    units = {"app.service": [entry("app", V1)], "other.service": [entry("other", V1, OTHER)]}
    plan = planned(host, document({APP: V2, OTHER: V2}, units))
    report = host.update(planned=plan, only=["unit:app"]).run()
    assert (told(report), report.warnings) == ({"app": ("updated", None)}, ())
    assert report.plan_verdict == "halted", "what was not looked at is not known to have arrived"
    assert host.update(planned=plan).run().plan_verdict == "converged"


def test_what_is_missing_is_told(host: Host) -> None:
    units = {"app.service": [entry("app", V1), entry("gone", V1)]}
    report = host.update(planned=planned(host, document({APP: V2}, units))).run()
    assert report.plan_verdict == "halted"
    (warning,) = report.warnings
    assert "app.service: plan_drift: the plan names its container gone" in warning


def test_a_failure_goes_back_and_is_held(host: Host) -> None:
    host.services["app.service"].fails_on = {V2.id}
    plan = simple(host, V1, V2)
    report = host.update(planned=plan).run()
    assert (told(report), report.plan_verdict) == ({"app": ("rolled_back", "job_failed")}, "failed")
    assert host.running("app") == V1.id == host.tags[APP]
    again = host.update(planned=plan).run()
    assert (told(again), again.plan_verdict) == ({"app": ("held", "bad_digest")}, "halted")
    assert host.tags[rejected(APP, V2.id)] == V2.id


def test_limits_and_peoples_holds_count(host: Host) -> None:
    plan = simple(host, V1, V2)
    report = host.update(planned=plan, holds=(UserHold(APP),)).run()
    assert (told(report), report.plan_verdict) == ({"app": ("held", "user_hold")}, "halted")
    host.has(V1, OTHER)
    host.service("bpp.service", Recipe("bpp", OTHER))
    units = {"app.service": [entry("app", V1)], "bpp.service": [entry("bpp", V1, OTHER)]}
    plan = planned(host, document({APP: V2, OTHER: V2}, units))
    report = host.update(planned=plan, holds=(), admission={"limit": 1}).run()
    assert told(report) == {"app": ("updated", None), "bpp": ("pending", "limit_reached")}
    assert report.plan_verdict == "halted"


def test_bad_images_are_held_without_any_container(host: Host) -> None:
    empty = planned(host, document({}, {}))
    bad = BadImage(APP, V2.id, frozenset({V2.digest}), None, "unhealthy on web-1")
    checked = host.update(planned=empty, bad_images=(bad,)).check()
    assert (checked.changed, host.memory.state.holds) == (True, ())
    report = host.update(planned=empty, bad_images=(bad,)).run()
    assert (told(report), report.changed) == ({}, True)
    (hold,) = host.memory.state.holds
    assert (hold.reference, hold.reason) == (APP, "unhealthy on web-1")
    assert host.memory.state.plan is None, "a plan that says nothing of a host does not replace the one that does"
    assert not host.update(planned=empty, bad_images=(bad,)).run().changed
    blocked = host.update(planned=simple(host, V1, V2)).run()
    assert told(blocked) == {"app": ("held", "bad_digest")}
    assert "unhealthy on web-1" in str(row(blocked, "app").finding.error)


def test_containers_of_other_users_are_theirs(host: Host) -> None:
    units = {"app.service": [entry("app", V1, scope="user", user="alice")]}
    plan = document({APP: V2}, units)
    assert told(host.update(planned=planned(host, plan)).run()) == {}
    assert told(host.update(planned=planned(host, plan, "alice")).run()) == {"app": ("updated", None)}


def test_pinned_containers_stay_and_do_not_keep_the_plan_from_its_end(host: Host) -> None:
    pinned = f"quay.io/team/pinned@{V1.digest}"
    host.has(V1, pinned)
    host.service("pin.service", Recipe("pin", pinned))
    units = {"app.service": [entry("app", V1)], "pin.service": [entry("pin", V1, APP)]}
    report = host.update(planned=planned(host, document({APP: V2}, units))).run()
    assert told(report) == {"app": ("updated", None), "pin": ("pinned", None)}
    assert report.plan_verdict == "converged"


class TestLocalPolicy:
    """What follows a local name is not pulled for."""

    @pytest.fixture
    def local(self, host: Host) -> Host:
        host.has(V1, OTHER)
        host.service("loc.service", Recipe("loc", OTHER, "local"))
        return host

    def test_the_name_means_the_target(self, local: Host) -> None:
        local.has(V2, OTHER)
        plan = planned(local, document({OTHER: V2}, {"loc.service": [entry("loc", V1, OTHER)]}))
        report = local.update(planned=plan).run()
        assert (told(report), report.plan_verdict) == ({"loc": ("updated", None)}, "converged")
        assert local.done("pull") == []

    def test_the_name_means_something_else(self, local: Host) -> None:
        local.has(V3, OTHER)
        plan = planned(local, document({OTHER: V2}, {"loc.service": [entry("loc", V1, OTHER)]}))
        for report in (local.update(planned=plan).check(), local.update(planned=plan, stage=True).run()):
            assert told(report) == {"loc": ("held", "plan_drift")}
        report = local.update(planned=plan).run()
        assert told(report) == {"loc": ("held", "plan_drift")}
        assert (local.log, local.running("loc")) == ([], V1.id)

    def test_the_name_comes_to_mean_it_with_another_container(self, host: Host) -> None:
        host.service("loc.service", Recipe("loc", APP, "local"))
        units = {"app.service": [entry("app", V1)], "loc.service": [entry("loc", V1)]}
        report = host.update(planned=planned(host, document({APP: V2}, units))).run()
        assert told(report) == {"app": ("updated", None), "loc": ("updated", None)}


def test_a_plan_of_many_hosts_wants_to_know_which_this_is(host: Host) -> None:
    units = {"units": {"app.service": [entry("app", V1)]}}
    whole = sealed({**document({APP: V2}, {}), "hosts": {"one": units, "two": {"units": {}}}})
    now = host.memory.clock
    with pytest.raises(InputError, match="the plan is about 2 hosts; say by plan_host which"):
        for_this_host(whole, None, None, now)
    with pytest.raises(InputError, match="it is about 2 hosts, not of three"):
        for_this_host(whole, "three", None, now)
    mine = for_this_host(whole, "one", None, now)
    assert (len(mine.entries), mine.plan.of, list(mine.document["hosts"])) == (1, whole["sha256"], ["one"])
    with pytest.raises(InputError, match="it is that of one, not of two"):
        for_this_host(mine.document, "two", None, now)
    assert for_this_host(mine.document, "one", None, now).document == mine.document
