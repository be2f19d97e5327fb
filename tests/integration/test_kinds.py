# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of unit, of the system and of a user: it owns its containers, nobody else can claim it, it is updated and put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import kube
import pytest
from harness import Ansible
from kinds import Manager, Workload, all_kinds, generated
from lablib.host import Host
from lablib.images import Kind, Pushed
from pushing import Push, id_of
from users import lingering


@pytest.fixture(params=["system", "user"])
def manager(request: pytest.FixtureRequest, host: Host) -> Iterator[Manager]:
    if request.param == "user":
        with lingering(host) as user:
            yield Manager(host, user)
    else:
        yield Manager(host)
        kube.remove(host)
        # As with podman's template: what takes units off a host knows only those that have a file.
        host.run(["systemctl", "stop", "it-stall@*"])


def test_every_kind_is_owned_updated_and_put_back(manager: Manager, ansible: Ansible, push: Push) -> None:
    host = manager.host
    first: dict[str, Pushed] = {}

    def image_of(container: str) -> str:
        return first.setdefault(container, push(f"kind-{container}")).reference

    kinds = all_kinds(manager, image_of)
    forgery = push("forged").reference
    manager.start(forgery, *kinds)
    # A container of a pod that was started anew by hand lives in a scope; what holds the pod together does not.
    manager.run("podman", "restart", "--time=0", "it-kube-one")
    assert "podman-kube@" not in manager.cgroup("it-kube-one")
    assert "podman-kube@" in manager.cgroup("it-kube-two")
    forged = _forge(manager, kinds, forgery)
    push("forged", version="2")

    began, before = manager.invocations(*kinds), manager.ids()
    current = ansible.update(host.name, **manager.arguments).failed()

    assert {name: current.verdicts()[name] for name in forged} == dict.fromkeys(forged, ("failed", "unit_mismatch"))
    assert {row["container_name"]: (row["unit"], row["status"]) for row in current.rows} == {
        **{one.container: (one.unit, "current") for one in kinds},
        **{name: (unit, "failed") for name, unit in forged.items()},
    }
    assert (manager.invocations(*kinds), manager.ids()) == (began, before)

    second = {name: push(f"kind-{name}", version="2") for name in first}
    only = [f"container:{name}" for name in first]
    updated = ansible.update(host.name, **manager.arguments).failed()
    assert {name: updated.verdicts()[name] for name in first} == dict.fromkeys(first, ("updated", None))
    assert manager.running(*first) == {name: id_of(image) for name, image in second.items()}
    assert {name: manager.ids()[name] for name in forged} == {name: before[name] for name in forged}

    for name in first:
        push(f"kind-{name}", version="3", kind=Kind.NO_START)
    rolled_back = ansible.update(host.name, only=only, **manager.arguments).failed()
    assert {name: status for name, (status, _) in rolled_back.verdicts().items()} == dict.fromkeys(first, "rolled_back")
    running = manager.running(*first)
    assert running == {name: id_of(image) for name, image in second.items()}
    assert running == {row["container_name"]: row["after"]["id"] for row in rolled_back.rows}
    again = ansible.update(host.name, only=only, **manager.arguments).succeeded()
    assert again.verdicts() == dict.fromkeys(first, ("held", "bad_digest"))


#: What makes a container take part.
_FOLLOWED = "--label=io.containers.autoupdate=registry"


def _forge(manager: Manager, kinds: tuple[Workload, ...], image: str) -> dict[str, str]:
    """Claim each unit for a container of somebody else's, and each unit of a pod for a pod: name → unit."""
    claims = {}
    for number, unit in enumerate(sorted({one.unit for one in kinds})):
        claim = f"--label=PODMAN_SYSTEMD_UNIT={unit}"
        claims[f"it-forged-{number}"] = unit
        manager.run("podman", "run", "--detach", f"--name=it-forged-{number}", claim, _FOLLOWED, image)
    pod = "it-member-pod.service"
    manager.run("podman", "pod", "create", "--name=it-strangers", f"--label=PODMAN_SYSTEMD_UNIT={pod}")
    # The label of a member never counts.
    own = "--label=PODMAN_SYSTEMD_UNIT=it-oneshot.service"
    manager.run("podman", "run", "--detach", "--pod=it-strangers", "--name=it-stranger", own, _FOLLOWED, image)
    return {**claims, "it-stranger": pod}


@pytest.mark.parametrize("manager", ["user"], indirect=True)
def test_a_users_child_restarts_once_along_with_its_parent(manager: Manager, ansible: Ansible, push: Push) -> None:
    """Both on one image, as podman's own test has it; for the system's units this is seen in test_groups.py."""
    image = push("family").reference
    needs = "[Unit]\nRequires=it-parent.service\nAfter=it-parent.service"
    pair = tuple(generated(name, image) for name in ("it-parent", "it-child"))
    child = {name: text.replace("[Unit]", needs, 1) for name, text in pair[1].files.items()}
    manager.start(image, pair[0], replace(pair[1], files=child))
    names = [one.container for one in pair]

    new, before = push("family", version="2"), manager.starts(*pair)
    run = ansible.update(manager.host.name, **manager.arguments).succeeded()
    assert run.verdicts() == dict.fromkeys(names, ("updated", None))
    assert manager.running(*names) == dict.fromkeys(names, id_of(new))
    assert [after - then for after, then in zip(manager.starts(*pair), before)] == [1, 1]
    assert {manager.property(one.unit, "ActiveState") for one in pair} == {"active"}

    push("family", version="3", kind=Kind.NO_START)
    run = ansible.update(manager.host.name, **manager.arguments).failed()
    assert {status for status, _reason in run.verdicts().values()} == {"rolled_back"}
    assert manager.running(*names) == dict.fromkeys(names, id_of(new))
    assert {manager.property(one.unit, "ActiveState") for one in pair} == {"active"}
