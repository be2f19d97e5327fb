# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates that go well, and what is left alone."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import Policy
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Image,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told


def test_a_container_is_moved_to_the_image_that_its_reference_names_now(host: Host) -> None:
    old = host.container("app").listed.id
    report = host.update().run()
    found = row(report, "app")
    assert told(report) == {"app": ("updated", None)}
    assert (found.before, found.after) == ((V1.id, V1.digest), (V2.id, V2.digest))
    assert (found.changed, found.job_result, report.changed) == (True, "done", True)
    assert found.duration is not None
    assert host.running("app") == host.tags[APP] == V2.id
    assert host.container("app").listed.id != old


def test_the_steps_come_in_the_order_in_which_a_crash_does_least_harm(host: Host) -> None:
    host.update().run()
    assert host.log == [
        ("pull", f"quay.io/team/app@{V2.digest}", ""),
        ("tag", V1.id, names.slot("app.service", APP)),
        ("tag", V2.id, APP),
        ("untag", V2.id, f"quay.io/team/app@{V2.digest}"),
        ("restart", "app.service"),
    ]


def test_the_replaced_image_is_kept_and_the_pulled_name_is_dropped(host: Host) -> None:
    host.update().run()
    assert host.tags == {APP: V2.id, names.slot("app.service", APP): V1.id}


def test_a_second_run_changes_nothing(host: Host) -> None:
    host.update().run()
    before, log = host.state(), list(host.log)
    report = host.update().run()
    assert told(report) == {"app": ("current", None)}
    assert not report.changed
    assert (host.state(), host.log) == (before, log)


def test_where_all_is_current_systemd_is_not_even_connected(host: Host) -> None:
    host.registry.publish(V1)
    host.no_dbus = True
    assert told(host.update().run()) == {"app": ("current", None)}
    assert host.log == []


def test_a_host_without_workloads_connects_to_nothing() -> None:
    host = Host()
    host.no_dbus = True
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP, policy=None))
    host.service("off.service", Recipe("off", APP, policy="disabled"))
    report = host.update().run()
    assert report.rows == ()
    assert host.registry.widths == []
    assert host.log == []


def test_the_local_policy_follows_local_storage_and_asks_no_registry() -> None:
    host = Host()
    host.has(V1, "localhost/app:latest")
    host.service("app.service", Recipe("app", "app", policy="local"))
    assert told(host.update().run()) == {"app": ("current", None)}
    host.has(V2, "localhost/app:latest")
    report = host.update().run()
    assert told(report) == {"app": ("updated", None)}
    assert row(report, "app").after == (V2.id, V2.digest)
    assert host.running("app") == V2.id
    assert host.done("pull") == []
    assert host.registry.widths == []


def test_a_local_name_that_is_gone_is_a_failure_of_that_container_only(host: Host) -> None:
    host.has(V3, "localhost/db:latest")
    host.service("db.service", Recipe("db", "db", policy="local"))
    del host.tags["localhost/db:latest"]
    assert told(host.update().run()) == {"app": ("updated", None), "db": ("failed", "no_local_tag")}
    assert host.done("restart") == [("app.service",)]


def test_what_runs_is_compared_and_not_what_the_tag_names(host: Host) -> None:
    """Somebody has pulled already: the tag is new, the container is not."""
    host.has(V2, APP)
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert host.running("app") == V2.id


def test_the_same_content_compressed_anew_is_neither_pulled_nor_started(host: Host) -> None:
    host.registry.publish(Image("1", compression="zstd"))
    assert told(host.update().run()) == {"app": ("current", "same_content")}
    assert host.log == []


def test_the_same_content_that_only_a_pull_shows_is_not_started_and_leaves_no_name(host: Host) -> None:
    host.registry.tells_ids = False
    again = host.registry.publish(Image("1", compression="zstd"))
    before = dict(host.tags)
    report = host.update().run()
    assert told(report) == {"app": ("current", "same_content")}
    assert not report.changed
    assert len(host.done("pull")) == 1
    assert host.done("restart") == []
    assert host.tags == before
    assert again.id == host.tags[APP]


def test_a_pull_that_fails_leaves_its_container_alone_and_others_go_on(host: Host) -> None:
    other = "quay.io/team/db:1"
    host.has(V1, other)
    host.service("db.service", Recipe("db", other))
    host.registry.publish(V3, other)
    host.broken_pulls.add(f"quay.io/team/app@{V2.digest}")
    report = host.update().run()
    assert told(report) == {"app": ("failed", "pull_failed"), "db": ("updated", None)}
    found = row(report, "app")
    assert (found.changed, found.before, found.after) == (False, (V1.id, V1.digest), (V1.id, V1.digest))
    assert "no space left" in str(found.finding.error)
    assert (host.running("app"), host.tags[APP], host.running("db")) == (V1.id, V1.id, V3.id)
    assert host.done("restart") == [("db.service",)]


def test_a_unit_of_several_containers_is_restarted_once_for_all() -> None:
    host = Host()
    references = ["quay.io/team/one:1", "quay.io/team/two:1", "quay.io/team/three:1"]
    host.has(V1, *references)
    host.service("app.service", *(Recipe(name.split("/")[2][:-2], name) for name in references))
    for name in references[:2]:
        host.registry.publish(V2, name)
    host.registry.publish(V1, references[2])
    report = host.update().run()
    assert told(report) == {"one": ("updated", None), "two": ("updated", None), "three": ("current", None)}
    assert host.done("restart") == [("app.service",)]
    assert [host.running(name) for name in ("one", "two", "three")] == [V2.id, V2.id, V1.id]


@pytest.mark.usefixtures("impatient")
def test_a_unit_is_healthy_only_if_all_its_containers_run() -> None:
    """The restart takes along a container that has no update; it does not come back."""
    host = Host()
    other = "quay.io/team/other:1"
    host.has(V1, APP)
    host.has(V3, other)
    service = host.service("two.service", Recipe("app", APP), Recipe("other", other))
    host.registry.publish(V2)
    host.registry.publish(V3, other)
    service.crashes_on = {V3.id}
    found = told(host.update().run())
    assert found["app"][0] in ("failed", "rolled_back")


@pytest.mark.usefixtures("impatient")
def test_a_member_of_the_pod_without_a_policy_must_come_back_too() -> None:
    host = Host()
    other = "quay.io/team/other:1"
    host.has(V1, APP)
    host.has(V3, other)
    pod = host.service("pod.service", Recipe("app", APP), Recipe("beside", other, policy=None), pod=True)
    host.registry.publish(V2)
    assert told(host.update().run()) == {"app": ("updated", None)}
    host.registry.publish(V1)
    pod.crashes_on = {V3.id}
    assert told(host.update().run())["app"][0] == "failed"


def test_a_short_task_of_the_unit_need_not_come_back() -> None:
    """It has no policy, and it ran only because it had not ended yet."""
    host = Host()
    host.has(V1, APP)
    host.has(V3, "quay.io/team/task:1")
    unit = host.service("app.service", Recipe("app", APP), Recipe("task", "quay.io/team/task:1", policy=None))
    host.registry.publish(V2)
    unit.crashes_on = {V3.id}
    assert told(host.update().run()) == {"app": ("updated", None)}


def test_containers_without_a_name_are_told_by_their_unit_and_image(host: Host) -> None:
    nameless = "quay.io/team/nameless:1"
    host.has(V1, nameless)
    host.service("nameless.service", Recipe(None, nameless))
    host.registry.publish(V2, nameless)
    report = host.update(only=["nameless"]).run()
    assert [one.finding.status.value for one in report.rows] == ["updated"]


def test_the_members_of_a_pod_are_waited_for() -> None:
    host = Host()
    host.has(V1, APP)
    host.service("pod.service", Recipe("one", APP), Recipe("two", APP), pod=True, late_members=2)
    host.registry.publish(V2)
    report = host.update().run()
    assert told(report) == {"one": ("updated", None), "two": ("updated", None)}
    assert {one.workload.unit for one in report.rows} == {"pod.service"}
    assert host.done("restart") == [("pod.service",)]


def test_an_image_of_another_platform_is_pulled_for_that_platform(host: Host) -> None:
    arm = Platform("linux", "arm64")
    foreign, newer = Image("arm 1", platform=arm), Image("arm 2", platform=arm)
    host.has(foreign, "quay.io/team/arm:1")
    host.service("arm.service", Recipe("arm", "quay.io/team/arm:1"))
    host.registry.publish(newer, "quay.io/team/arm:1")
    assert set(told(host.update().run()).values()) == {("updated", None)}
    assert {pulled[1] for pulled in host.done("pull")} == {"", "linux/arm64"}
    assert {str(question.platform) for question in host.registry.questions} == {"linux/amd64", "linux/arm64"}


def test_only_the_selected_policy_is_looked_at(host: Host) -> None:
    host.service("local.service", Recipe("local", APP, policy="local"))
    assert set(told(host.update(policies=[Policy.LOCAL]).check())) == {"local"}
    assert set(told(host.update(policies=[Policy.REGISTRY]).check())) == {"app"}
