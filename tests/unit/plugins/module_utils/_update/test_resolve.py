# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolve: each image is asked for once, with all that is known."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import Workload
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import Policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import HostFacts, ImageRecord, Snapshot
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.resolve import platform_of, resolve_all
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    FakeRegistry,
    Image,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, told


def test_containers_of_one_reference_ask_one_question() -> None:
    host = Host()
    host.has(V1, APP)
    for name in ("a", "b", "c"):
        host.service(f"{name}.service", Recipe(name, APP))
    host.registry.publish(V1)
    host.update().check()
    (question,) = host.registry.questions
    assert question.reference.name == APP
    assert question.known == {V1.digest}


@pytest.mark.parametrize(("images", "threads"), [(1, 1), (3, 3), (9, 4)])
def test_no_more_threads_ask_than_there_are_questions(images: int, threads: int) -> None:
    """The connections that are opened ahead are as many as these threads."""
    host = Host()
    for number in range(images):
        name = f"quay.io/team/app{number}:1"
        host.has(V1, name)
        host.service(f"{number}.service", Recipe(str(number), name))
        host.registry.publish(V1, name)
    host.update().check()
    assert host.registry.widths == [threads]


def test_spellings_of_one_reference_ask_one_question() -> None:
    host = Host()
    hub = "docker.io/library/nginx:latest"
    host.has(V1, hub)
    for number, image in enumerate(["docker.io/nginx", "docker.io/library/nginx:latest", "docker://docker.io/nginx"]):
        host.service(f"{number}.service", Recipe(str(number), image, resolved=hub))
    host.registry.publish(V1, hub)
    assert set(told(host.update().check()).values()) == {("current", None)}
    assert len(host.registry.questions) == 1


def test_another_authfile_is_another_question_and_another_pull() -> None:
    host = Host()
    host.has(V1, APP)
    label = {"io.containers.autoupdate.authfile": "/etc/a.json"}
    for name, labels in (("a", {}), ("b", label), ("c", label)):
        host.service(f"{name}.service", Recipe(name, APP, labels=dict(labels)))
    host.registry.publish(V2)
    assert set(told(host.update().run()).values()) == {("updated", None)}
    assert sorted(str(one.authfile) for one in host.registry.questions) == ["/etc/a.json", "None"]
    assert sorted(len(pull) for pull in host.done("pull")) == [2, 3, 3]
    assert {pull[2] for pull in host.done("pull") if len(pull) > 2} == {"/etc/a.json"}


def test_only_digests_that_all_know_spare_the_manifest() -> None:
    """One container has seen the new digest, the other one has not: both must get a true answer."""
    host = Host()
    host.has(V1, APP)
    host.service("old.service", Recipe("old", APP))
    host.has(V2, APP)
    host.service("new.service", Recipe("new", APP))
    host.registry.publish(V2)
    assert told(host.update().check()) == {"old": ("pending", "check_mode"), "new": ("current", None)}
    (question,) = host.registry.questions
    assert question.known == frozenset()


def test_the_local_policy_needs_no_registry_client() -> None:
    def connect(_width: int) -> FakeRegistry:
        raise AssertionError("a registry was connected")

    workload = _workload(None, Policy.LOCAL)
    decisions = resolve_all([workload], Snapshot((), {}, HostFacts((5,), _HOST, RegistriesConf())), connect, 4)
    assert decisions[workload.container_id].finding.status.value == "failed"


_HOST = Platform("linux", "arm64", "v8")


def _workload(image_id: str | None, policy: Policy = Policy.REGISTRY) -> Workload:
    reference = Reference.parse(APP)
    return Workload("c", "c", "c.service", APP, policy, reference, APP, image_id, None, frozenset(), 1)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        (None, _HOST),
        (Platform("linux", "arm64"), _HOST),
        (Platform("linux", "amd64"), Platform("linux", "amd64")),
        (Platform("linux", "arm"), Platform("linux", "arm")),
    ],
)
def test_the_platform_is_that_of_the_running_image_with_the_hosts_variant(
    platform: Platform | None, expected: Platform
) -> None:
    image = ImageRecord(V1.id, None, frozenset(), (), platform)
    snapshot = Snapshot((), {V1.id: image}, HostFacts((5,), _HOST, RegistriesConf()))
    assert platform_of(_workload(V1.id), snapshot) == expected


def test_an_image_that_is_gone_is_of_the_hosts_platform() -> None:
    assert platform_of(_workload(V1.id), Snapshot((), {}, HostFacts((5,), _HOST, RegistriesConf()))) == _HOST


def test_platforms_of_one_reference_are_asked_for_apart() -> None:
    host = Host()
    arm = host.has(Image("arm", platform=Platform("linux", "arm64")), APP)
    host.service("arm.service", Recipe("arm", APP))
    host.has(V1, APP)
    host.service("amd.service", Recipe("amd", APP))
    host.registry.publish(V1)
    host.update().check()
    asked = {str(question.platform): question.known for question in host.registry.questions}
    assert asked == {"linux/amd64": {V1.digest}, "linux/arm64": {arm.digest}}
