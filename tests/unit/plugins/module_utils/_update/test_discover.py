# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discover: which containers take part, and what is wrong with those that cannot."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import Policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.selection import Selection
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.discover import (
    Discovery,
    discover,
    with_all_images,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

_D = "sha256:" + "ab" * 32


@pytest.fixture
def host() -> Host:
    """A host with version 1 in local storage."""
    host = Host()
    host.has(V1, APP, "localhost/app:latest", f"quay.io/team/app@{_D}")
    host.registry.publish(V1)
    return host


def _discover(host: Host, *only: str) -> Discovery:
    return discover(host, host, Selection.parse(only, []), list(Policy))


class Found(t.NamedTuple):
    """How a container was made, and what discovery says of it."""

    why: str
    recipe: Recipe
    status: str | None
    reason: str | None = None


_FOUND = [
    Found("the registry policy", Recipe("app", APP), None),
    Found("its old name", Recipe("app", APP, policy="image"), None),
    Found("the local policy", Recipe("app", APP, policy="local"), None),
    Found("the local policy with a short name", Recipe("app", "app", policy="local"), None),
    Found("docker://", Recipe("app", f"docker://{APP}"), None),
    Found("a digest", Recipe("app", f"quay.io/team/app@{_D}"), "pinned"),
    Found("tag and digest", Recipe("app", f"{APP}@{_D}", resolved=f"quay.io/team/app@{_D}"), "pinned"),
    Found("an image ID", Recipe("app", V1.id, resolved=APP), "pinned"),
    Found("a short image ID", Recipe("app", V1.id[7:19], resolved=APP), "pinned"),
    Found("an invalid policy", Recipe("app", APP, policy="fake_xyz"), "failed", "invalid_policy"),
    Found("a short name with the registry policy", Recipe("app", "app"), "failed", "short_name"),
    Found("a command without the image", Recipe("app", "-", resolved=APP), "failed", "raw_name_unknown"),
    Found("no unit", Recipe("app", APP, labels={"PODMAN_SYSTEMD_UNIT": ""}), "failed", "no_unit_label"),
    Found(
        "a forged label", Recipe("app", APP, labels={"PODMAN_SYSTEMD_UNIT": "sshd.service"}), "failed", "unit_mismatch"
    ),
    Found(
        "a label that is no service",
        Recipe("app", APP, labels={"PODMAN_SYSTEMD_UNIT": "a b;c"}),
        "failed",
        "unit_mismatch",
    ),
    Found(
        "a label of podman's broken templates",
        Recipe("app", APP, labels={"PODMAN_SYSTEMD_UNIT": "app@i.service-i"}),
        "failed",
        "unit_mismatch",
    ),
]


@pytest.mark.parametrize("case", _FOUND, ids=lambda case: case.why)
def test_what_is_found_and_what_is_wrong_with_it(host: Host, case: Found) -> None:
    host.service("app.service", case.recipe)
    (workload,) = _discover(host).workloads
    finding = workload.finding
    assert (finding.status.value if finding else None) == case.status
    assert (finding.reason.value if finding and finding.reason else None) == case.reason
    if case.status == "failed":
        assert finding is not None
        assert finding.error


_AUTHFILE = "io.containers.autoupdate.authfile"


class Labelled(t.NamedTuple):
    """An authfile label on the image and on the container, and what becomes of it."""

    why: str
    of_image: str | None
    of_container: str
    reason: str | None
    policy: str = "registry"


_LABELLED = [
    Labelled("on the container", None, "/etc/a.json", None),
    Labelled("the container's instead of the image's", "/etc/b.json", "/etc/a.json", None),
    Labelled("inherited from the image", "/etc/a.json", "/etc/a.json", "authfile_untrusted"),
    Labelled("inherited, but no registry is asked", "/etc/a.json", "/etc/a.json", None, policy="local"),
]


@pytest.mark.parametrize("case", _LABELLED, ids=lambda case: case.why)
def test_an_image_does_not_choose_its_authfile(host: Host, case: Labelled) -> None:
    if case.of_image:
        host.image_labels[V1.id] = {_AUTHFILE: case.of_image}
    host.service("app.service", Recipe("app", APP, policy=case.policy, labels={_AUTHFILE: case.of_container}))
    (workload,) = _discover(host).workloads
    assert workload.authfile == case.of_container
    finding = workload.finding
    assert (finding.reason.value if finding and finding.reason else None) == case.reason
    assert finding is None or finding.status.value == "unknown"


def test_an_image_that_is_gone_may_have_chosen_the_authfile(host: Host) -> None:
    host.service("app.service", Recipe("app", APP, labels={_AUTHFILE: "/etc/a.json"}))
    host.drop(V1)
    assert told(host.update().check()) == {"app": ("unknown", "authfile_untrusted")}
    assert host.registry.questions == []


def test_an_empty_authfile_label_is_none(host: Host) -> None:
    host.service("app.service", Recipe("app", APP, labels={_AUTHFILE: ""}))
    assert _discover(host).workloads[0].authfile is None


@pytest.mark.parametrize("policy", [None, "", "disabled"])
def test_what_has_no_policy_takes_no_part(host: Host, policy: str | None) -> None:
    host.service("app.service", Recipe("app", APP, policy=policy))
    assert _discover(host).workloads == ()


def test_what_does_not_run_takes_no_part(host: Host) -> None:
    host.service("app.service", Recipe("app", APP), crashes_on={V1.id})
    assert _discover(host).workloads == ()


def test_a_failure_of_discovery_is_a_row_and_others_go_on(host: Host) -> None:
    host.service("bad.service", Recipe("bad", APP, policy="fake_xyz"))
    host.service("good.service", Recipe("good", APP))
    host.registry.publish(V2)
    report = host.update().run()
    assert told(report) == {"bad": ("failed", "invalid_policy"), "good": ("updated", None)}
    assert "'fake_xyz'" in str(row(report, "bad").finding.error)
    assert row(report, "bad").before == row(report, "bad").after == (V1.id, V1.digest)


def test_pinned_images_are_never_asked_for(host: Host) -> None:
    host.service("app.service", Recipe("app", f"quay.io/team/app@{_D}"))
    assert told(host.update().run()) == {"app": ("pinned", None)}
    assert host.registry.widths == []


@pytest.mark.parametrize(
    ("owner", "reason"),
    [
        (None, "unit_mismatch"),
        ("libpod-conmon-x.scope", "unit_mismatch"),
        ("other.service", "unit_mismatch"),
        ("user@1000.service", "other_manager"),
    ],
)
def test_a_unit_must_own_the_processes(host: Host, owner: str | None, reason: str) -> None:
    host.service("app.service", Recipe("app", APP))
    host.container("app").owner = owner
    assert told(host.update().check()) == {"app": ("failed", reason)}


# Pods.


def test_a_member_of_a_pod_belongs_to_the_pods_unit(host: Host) -> None:
    host.service("pod.service", Recipe("member", APP), pod=True)
    (workload,) = _discover(host).workloads
    infra = next(one for one in host.containers_ if one.listed.is_infra)
    assert workload.finding is None
    assert workload.unit == "pod.service"
    assert workload.main_pid == infra.pid


def test_a_label_on_the_infra_container_does_not_make_it_a_workload(host: Host) -> None:
    host.service("pod.service", Recipe("member", APP, policy=None), pod=True)
    infra = next(one for one in host.containers_ if one.listed.is_infra)
    t.cast("dict[str, str]", infra.listed.labels)["io.containers.autoupdate"] = "registry"
    assert _discover(host).workloads == ()


def test_a_pod_without_infra_container_has_no_unit(host: Host) -> None:
    host.service("pod.service", Recipe("member", APP), pod=True)
    host.containers_ = [one for one in host.containers_ if not one.listed.is_infra]
    report = host.update().check()
    assert told(report) == {"member": ("failed", "no_unit_label")}
    assert "infra container" in str(row(report, "member").finding.error)


# Around it.


def test_a_container_that_vanishes_during_the_scan_is_nobodys_failure(host: Host) -> None:
    host.service("gone.service", Recipe("gone", APP))
    host.service("stays.service", Recipe("stays", APP))
    host.vanishing = {"gone"}
    assert told(host.update().run()) == {"stays": ("current", None)}


def test_workloads_are_sorted_by_unit_and_name(host: Host) -> None:
    host.service("b.service", Recipe("z", APP), Recipe("a", APP))
    host.service("a.service", Recipe("m", APP))
    assert [one.container_name for one in _discover(host).workloads] == ["m", "a", "z"]


def test_patterns_that_match_nothing_are_warned_of(host: Host) -> None:
    host.service("app.service", Recipe("app", APP))
    patterns: dict[str, t.Any] = {"only": ["app", "unit:ap"], "exclude": ["unit:db"]}
    for report in (host.update(**patterns).check(), host.update(**patterns).run()):
        assert told(report) == {"app": ("current", None)}
        assert report.warnings == (
            "only: the pattern 'unit:ap' matches no container that takes part in updates",
            "exclude: the pattern 'unit:db' matches no container that takes part in updates",
        )
    assert host.update(exclude=["app"]).run().warnings == ()


def test_every_digest_is_known_that_was_ever_recorded(host: Host) -> None:
    host.service("app.service", Recipe("app", APP))
    host.images_[V1.id].add(_D)
    (workload,) = _discover(host).workloads
    assert workload.digests == {V1.digest, _D}


@pytest.mark.parametrize(
    ("policy", "looks"),
    [
        ("registry", ["containers", "details", "host"]),
        ("local", ["containers", "details", "host", "images"]),
        ("disabled", ["containers", "host"]),
    ],
)
def test_podman_is_asked_for_no_more_than_the_answer_needs(host: Host, policy: str, looks: list[str]) -> None:
    host.service("a.service", Recipe("a", APP, policy))
    host.update().check()
    assert sorted(host.looks) == looks


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("a", APP, "local"),
        Recipe("a", APP, "disabled"),
        Recipe("a", APP, "Registry"),
        Recipe("a", f"quay.io/team/app@{_D}"),
        Recipe("a", "app:latest", resolved="localhost/app:latest"),
    ],
)
def test_no_registry_is_connected_for_what_is_not_asked_of_one(host: Host, recipe: Recipe) -> None:
    host.service("a.service", recipe)
    host.update().check()
    assert host.begun == []


def test_registries_are_connected_early_for_what_is_likely_to_be_asked(host: Host) -> None:
    others = [f"quay.io/team/app{number}:1" for number in range(5)]
    for number, name in enumerate([APP, APP, *others]):
        host.has(V1, name)
        host.service(f"{number}.service", Recipe(str(number), name))
        host.registry.publish(V1, name)
    host.update().check()
    assert host.begun == [({APP, *others}, 4)]


def test_registries_are_connected_early_for_what_is_selected_only(host: Host) -> None:
    host.service("a.service", Recipe("a", APP))
    host.update(policies=[Policy.LOCAL]).check()
    host.update(only=["unit:b*"]).check()
    host.update(only=["container:b"]).check()
    assert host.begun == []
    for only in ("unit:a", "container:a", "image:quay.io/*"):
        host.update(only=[only]).check()
    assert host.begun == [({APP}, 1)] * 3


def test_an_inventory_looks_up_no_names(host: Host) -> None:
    host.service("a.service", Recipe("a", APP, "local"))
    _discover(host)
    assert "images" not in host.looks


def test_all_images_are_noted_with_their_names_of_now_and_what_was_known_of_them() -> None:
    """Before anything is moved: names are put back to where they pointed then."""
    host = Host()
    host.has(V1, APP)
    host.has(V2, "quay.io/team/other:1")
    host.service("a.service", Recipe("a", APP))
    snapshot = _discover(host).snapshot
    assert set(snapshot.images) == {V1.id}
    host.tags[APP] = V2.id
    whole = with_all_images(snapshot, host)
    assert APP not in whole.images[V1.id].names
    assert whole.images[V2.id].names == (APP, "quay.io/team/other:1")
    assert whole.images[V1.id].platform == V1.platform
    host.drop(V1)
    assert set(with_all_images(snapshot, host).images) == {V2.id}
