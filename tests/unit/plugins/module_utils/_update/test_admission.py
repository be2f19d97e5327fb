# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which updates are begun at all: what has no way back is held, in check mode too; and what kube's files say."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.kube_files import KubeContainer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import UnitLinks
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

_OTHER = "quay.io/team/other:1"
_HELD = ("held", "rollback_unsafe")


@pytest.fixture
def host() -> Host:
    """One unit on version 1, version 2 published."""
    host = Host()
    host.has(V1, APP, _OTHER)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    host.registry.publish(V2, _OTHER)
    return host


def _pulls_always(host: Host, name: str) -> None:
    one = host.container(name)
    words = ("podman", "run", "--pull=always", *one.command[2:])
    host.containers_ = [dataclasses.replace(each, command=words) if each is one else each for each in host.containers_]


def test_what_would_be_pulled_again_is_held(host: Host) -> None:
    _pulls_always(host, "app")
    before = host.state()
    for report in (host.update().check(), host.update().run()):
        assert told(report) == {"app": _HELD}
        assert not report.changed
    assert host.state() == before


def test_who_follows_the_same_name_locally_meets_what_it_means_then(host: Host) -> None:
    """The name does not move, so nothing is to come for the other one either."""
    host.service("local.service", Recipe("local", APP, policy="local"))
    host.service("other.service", Recipe("other", _OTHER))
    assert set(told(host.update().check()).values()) == {("pending", "check_mode")}
    _pulls_always(host, "other")
    host.tied = {"app.service": UnitLinks(dependents=frozenset({"other.service"}))}
    before = host.state()
    assert told(host.update().run()) == {"app": _HELD, "other": _HELD, "local": ("current", None)}
    assert host.state() == before


def test_it_is_begun_where_that_is_allowed(host: Host) -> None:
    _pulls_always(host, "app")
    assert told(host.update(admission={"allow_unsafe_rollback": True}).run()) == {"app": ("updated", None)}


def test_without_rollback_there_is_no_way_back_anyway(host: Host) -> None:
    _pulls_always(host, "app")
    assert told(host.update(rollback=False).run()) == {"app": ("updated", None)}


def test_the_hosts_default_counts_where_nothing_is_said(host: Host) -> None:
    host.pull_policy = "always"
    assert told(host.update().check()) == {"app": _HELD}


def test_all_changes_of_a_unit_are_held_with_one(host: Host) -> None:
    host.service("two.service", Recipe("one", APP), Recipe("two", _OTHER))
    _pulls_always(host, "two")
    report = host.update(only=["unit:two"]).check()
    assert told(report) == {"one": _HELD, "two": _HELD}


def test_what_would_restart_a_unit_without_way_back_is_held_too(host: Host) -> None:
    host.service("child.service", Recipe("child", _OTHER))
    _pulls_always(host, "child")
    host.tied["app.service"] = UnitLinks(frozenset({"child.service"}), frozenset({"child.service"}))
    report = host.update().check()
    assert told(report) == {"app": _HELD, "child": _HELD}
    assert "takes child.service along" in str(row(report, "app").finding.error)


def test_an_image_unit_is_warned_of(host: Host) -> None:
    host.tied["app.service"] = UnitLinks(frozenset({"app-image.service"}))
    assert any("boot_pulls" in warning for warning in host.update().check().warnings)


@pytest.fixture
def kube() -> Host:
    """A pod of two containers that podman keeps no command of."""
    host = Host()
    host.has(V1, APP, _OTHER)
    host.service("kube.service", Recipe("p-a", APP), Recipe("p-b", _OTHER), pod=True)
    host.containers_ = [dataclasses.replace(one, command=()) for one in host.containers_]
    host.kube_files["kube.service"] = (
        KubeContainer("p", "a", APP, "IfNotPresent"),
        KubeContainer("p", "b", V1.id.partition(":")[2], None),
    )
    host.registry.publish(V2)
    return host


def test_kubes_file_tells_what_each_container_follows(kube: Host) -> None:
    assert told(kube.update().check()) == {"p-a": ("pending", "check_mode"), "p-b": ("pinned", None)}
    assert row(kube.update().check(), "p-a").workload.image == APP


def test_kubes_file_tells_what_is_pulled_at_a_start(kube: Host) -> None:
    kube.kube_files["kube.service"] = (KubeContainer("p", "a", APP, "Always"),)
    report = kube.update().check()
    assert told(report) == {"p-a": _HELD, "p-b": ("failed", "raw_name_unknown")}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((), "does not name it"),
        ((KubeContainer("p", "a", APP, None), KubeContainer("p", "a", _OTHER, None)), "more than once"),
        ((KubeContainer("p", "a", _OTHER, None),), "but it was made from"),
        (None, "plays no file"),
    ],
)
def test_what_the_file_does_not_tell_is_not_guessed(
    kube: Host, said: tuple[KubeContainer, ...] | None, why: str
) -> None:
    if said is None:
        kube.kube_files.clear()
    else:
        kube.kube_files["kube.service"] = said
    report = kube.update().check()
    assert told(report)["p-a"] == ("failed", "raw_name_unknown")
    assert why in str(row(report, "p-a").finding.error)
