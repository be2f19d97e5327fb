# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions are taken as they are meant, or refused with the place and the reason."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.container_definitions import (
    ContainerUnit,
    Health,
    KubeUnit,
    Notify,
    PodUnit,
    State,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.definition_reading import read_definitions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._pure.unit_entries import (
    IMAGE,
    entry,
    member,
)


def _one(given: dict[str, t.Any]) -> t.Any:
    (found,) = read_definitions([given])
    return found


def test_a_container_with_everything() -> None:
    found = _one(
        entry(
            "web@blue",
            environment={"B": "2", "A": 1},
            labels={"l": "m"},
            health={"command": "true", "interval": "30s", "retries": 3, "start_period": None, "timeout": None},
            notify="healthy",
            requires=["db", "data.mount"],
            unit_options={"Service": {"Nice": 5, "Environment": ["A=1", "B=2"]}},
            timeout_stop=5,
            state="stopped",
            enabled=False,
        )
    )

    assert isinstance(found, ContainerUnit)
    assert found.services == ("web@blue.service",)
    assert (found.container.name, found.container.image) == ("web-blue", IMAGE)
    assert found.container.environment == (("A", "1"), ("B", "2"))
    assert found.container.health == Health("true", "30s", 3)
    assert found.container.notify is Notify.HEALTHY
    assert found.unit.requires == ("db.service", "data.mount")
    assert [(line.section, line.key, line.value) for line in found.unit.lines] == [
        ("Service", "Nice", "5"),
        ("Service", "Environment", "A=1"),
        ("Service", "Environment", "B=2"),
    ]
    assert (found.unit.stop_seconds, found.unit.state, found.unit.enabled) == (5, State.STOPPED, False)


def test_a_pod_gives_its_members_names_and_state() -> None:
    found = _one(entry("shop", kind="pod", state="stopped", enabled=False, members=[member("web"), member("cache")]))

    assert isinstance(found, PodUnit)
    assert found.services == ("shop-pod.service", "shop-web.service", "shop-cache.service")
    assert [one.container.name for one in found.members] == ["shop-web", "shop-cache"]
    assert {one.unit.state for one in found.members} == {State.STOPPED}


def test_labels_that_only_look_like_those_of_updates_are_the_users() -> None:
    mine = {"io.containers.autoupdates": "1", "io.containers": "2", "podman_systemd_unit": "3"}
    assert dict(_one(entry(labels=mine)).container.labels) == mine


def test_kube_by_value_and_by_path() -> None:
    by_value = _one(entry("play", kind="kube", yaml="kind: Pod\n", policies={"*": "registry", "app": "local"}))
    by_path = _one(entry("play", kind="kube", path="/srv/play.yml"))

    assert isinstance(by_value, KubeUnit)
    assert by_value.policies == (("", "registry"), ("app", "local"))
    assert (by_path.path, by_path.yaml) == ("/srv/play.yml", None)


def test_what_is_absent_is_no_unit() -> None:
    assert read_definitions([entry(state="absent", image=None), entry("other")])[0].name == "other"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (entry("web.service"), "not a name for a unit"),
        (
            entry(publish=["80", "70000:80"]),
            r"^units\[0\] \(web\)\.publish: '70000:80': 70000 is not a port from 1 to 65535$",
        ),
        (entry(kind="kube", path="/a.yml", publish=["0"]), "publish: '0': 0 is not a port"),
        (entry(kind="pod", publish=["1-2:1"], members=[member("a")]), "publish: '1-2:1': 1-2 are 2 ports of the host"),
        (
            entry(labels={"io.containers.autoupdate": "local"}),
            r"^units\[0\] \(web\)\.labels: io.containers.autoupdate cannot be given as a label: use autoupdate$",
        ),
        (entry(autoupdate="disabled", labels={"io.containers.autoupdate": "registry"}), "use autoupdate$"),
        (
            entry(labels={"io.containers.autoupdate.authfile": "/a"}),
            "authfile cannot be given as a label: use authfile$",
        ),
        (entry(labels={"io.containers.autoupdate.x": "/a"}), "use autoupdate and authfile$"),
        (entry(labels={"PODMAN_SYSTEMD_UNIT": "a.service"}), "the unit sets it itself"),
        (
            entry(kind="pod", members=[member("a", labels={"io.containers.autoupdate": "local"})]),
            r"members\[0\]\.labels: io.containers.autoupdate cannot",
        ),
        (entry("-web"), "not a name for a unit"),
        (entry("web@"), "not a name for a unit"),
        (entry("a/b"), "not a name for a unit"),
        (entry("web\n"), "not a name for a unit"),
        (entry(image=None), "image is missing"),
        (entry(image="web:stable"), "names no registry"),
        (entry(image="--privileged"), "not an image reference"),
        (entry(container_name="a b"), "not a name for a container"),
        (entry(notify="healthy"), "no health.command"),
        (entry(environment={"A": None}), r"environment\.A must be text; quote null"),
        (entry(environment={"A": True}), r"environment\.A must be text; quote true"),
        (entry(environment={"A": 1.5}), r"environment\.A must be text; quote 1.5"),
        (entry(environment={"A": ["x"]}), r"environment\.A must be text"),
        (entry(environment={"A=B": "x"}), "not a usable name"),
        (entry(environment={"A": "x\r\ny"}), "carriage return"),
        (entry(labels={"a=b": "x"}), "not a usable name"),
        (entry(volumes=["./data:/data"]), "is relative"),
        (entry(volumes=["data/x:/data"]), "is relative"),
        (entry(volumes=[""]), "volumes is empty"),
        (entry(authfile="auth.json"), "not an absolute path"),
        (entry(timeout_stop=-1), "in seconds"),
        (entry(timeout_start=86401), "in seconds"),
        (entry(after=["a b"]), "not the name of a unit"),
        (entry(unit_options={"Service": "Nice=1"}), "must be a dictionary"),
        (entry(podman_args=["--rm=false"]), "what the unit itself says"),
        (entry(podman_args=["--"]), "would end the options"),
        (entry(members=[member("a")]), "cannot be used for the kind container"),
        (entry("shop", kind="pod"), "needs members"),
        (entry("shop", kind="pod", image=IMAGE, members=[member("a")]), "image cannot be used for the kind pod"),
        (entry("shop", kind="pod", members=[member("pod")]), "not a name for a member"),
        (entry("shop@a", kind="pod", members=[member("a")]), "only the unit of a single container"),
        (entry("play", kind="kube"), "either yaml or path"),
        (entry("play", kind="kube", yaml="a", path="/b"), "either yaml or path"),
        (entry("play", kind="kube", path="/b", policies={"a": "newest"}), "not a policy"),
        (entry("play", kind="kube", path="/b", policies={"a b": "local"}), "not the name of a container"),
        (entry(health={"command": "true", "interval": "30"}), "not a duration"),
        (entry(health={"command": "true", "retries": 0}), "from 1 to 1000"),
        (entry(health={"command": ""}), "health.command is empty"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_definitions([given])


@pytest.mark.parametrize(
    "pair",
    [
        (entry("web"), entry("web")),
        (entry("web"), entry("other", container_name="web")),
        (entry("web-a"), entry("web@a")),
        (entry("shop-web"), entry("shop", kind="pod", members=[member("web")])),
        (entry("shop", kind="pod", members=[member("a")]), entry("x", container_name="shop")),
        (entry("shop-pod"), entry("shop", kind="pod", members=[member("a")])),
    ],
)
def test_two_entries_for_one_thing_are_refused(pair: tuple[dict[str, t.Any], dict[str, t.Any]]) -> None:
    with pytest.raises(InputError, match="more than one entry"):
        read_definitions(pair)
