# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: units that play Kubernetes YAML, with a policy for each container."""

from __future__ import annotations

from collections.abc import Iterator

import kube
import pytest
from harness import Ansible
from kube import KubeContainer
from lablib.host import Host
from lablib.images import Kind
from peer import TELLS, podman
from pushing import Push, build, id_of
from sight import look

LOCAL = "localhost/it-kube-built:latest"
_SETTINGS = "/run/systemd/system/podman-kube@.service.d"
NAMES = ("it-kube-a", "it-kube-b")


@pytest.fixture(autouse=True)
def tidy(host: Host) -> Iterator[None]:
    yield
    kube.remove(host)
    host.run(["sh", "-c", f"rm -rf {_SETTINGS}; systemctl daemon-reload"])


def test_policies_of_containers_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """The annotation for all counts where a container has none of its own. podman calls a broken one updated."""
    followed, built = push("followed"), push("built")
    build(host, built, LOCAL)
    safe = "IfNotPresent"
    containers = [KubeContainer("a", followed.reference, pull=safe), KubeContainer("b", LOCAL, "local", pull=safe)]
    unit = kube.deploy(host, "it-kube", containers, policy="registry")

    told = podman(host, "--dry-run")
    assert told.updated == dict.fromkeys(NAMES, "false"), told.stderr
    assert [(row["Unit"], row["Policy"]) for row in sorted(told.rows, key=lambda row: row["ContainerName"])] == [
        (unit, "registry"),
        (unit, "local"),
    ]
    result = ansible.update(host.name).succeeded()
    assert result.verdicts() == dict.fromkeys(NAMES, ("current", None))
    assert [(row["unit"], row["policy"]) for row in result.rows] == [(unit, "registry"), (unit, "local")]

    bad = push("built", version="2", kind=Kind.NO_START)
    build(host, bad, LOCAL)
    podman(host, "--dry-run").said(0, **{"kube-a": "false", "kube-b": "pending"})
    result = ansible.update(host.name).failed()
    assert result.verdicts() == {"it-kube-a": ("current", None), "it-kube-b": ("rolled_back", "not_running")}
    after = look(host)
    assert (after.runs(NAMES[0]), after.runs(NAMES[1])) == (id_of(followed), id_of(built))

    host.run(["podman", "tag", id_of(bad), LOCAL])
    podman(host).said(0, **{"kube-a": "true", "kube-b": "true"})
    after = look(host)
    assert after.runs(NAMES[0]) == id_of(followed)
    assert after.containers[NAMES[1]].state != "running"


def test_the_policy_for_all_is_local_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    followed, built = push("followed"), push("built")
    build(host, built, LOCAL)
    safe = "IfNotPresent"
    containers = [KubeContainer("a", LOCAL, pull=safe), KubeContainer("b", followed.reference, "registry", pull=safe)]
    kube.deploy(host, "it-kube", containers, policy="local")

    told = podman(host, "--dry-run").said(0, **{"kube-a": "false", "kube-b": "false"})
    assert {row["ContainerName"]: row["Policy"] for row in told.rows} == dict(zip(NAMES, ("local", "registry")))
    result = ansible.update(host.name, check=True).succeeded()
    assert result.verdicts() == dict.fromkeys(NAMES, ("current", None))
    assert [row["policy"] for row in result.rows] == ["local", "registry"]


def test_a_container_that_says_when_it_is_ready_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """Here the unit's own start fails with it: podman too puts all containers of the unit back, and calls all of them so."""
    followed, built = push("followed"), push("tells", config=TELLS)
    build(host, built, LOCAL)
    safe, places = "IfNotPresent", ("/usr", "/lib", "/lib64")
    containers = [KubeContainer("a", followed.reference, pull=safe), KubeContainer("b", LOCAL, "local", pull=safe)]
    # Debian 12's podman may wait for a container that has ended already.
    host.write(f"{_SETTINGS}/soon.conf", "[Service]\nTimeoutStartSec=15\n")
    host.run(["systemctl", "daemon-reload"])
    kube.deploy(host, "it-kube", containers, policy="registry", notified_by="b", places=places)
    podman(host, "--dry-run").said(0, **{"kube-a": "false", "kube-b": "false"})

    bad = push("tells", version="2", config={"Entrypoint": ["/bin/sh", "-c", "exit 1"]})
    for ours in (False, True):
        host.run(["podman", "pull", "--quiet", bad.reference])
        host.run(["podman", "tag", id_of(bad), LOCAL])
        if ours:
            result = ansible.update(host.name).failed()
            assert result.verdicts() == {"it-kube-a": ("current", None), "it-kube-b": ("rolled_back", "job_failed")}
        else:
            podman(host, "--dry-run").said(0, **{"kube-a": "false", "kube-b": "pending"})
            podman(host).said(0, **{"kube-a": "rolled back", "kube-b": "rolled back"})
        after = look(host)
        assert (after.runs(NAMES[0]), after.runs(NAMES[1])) == (id_of(followed), id_of(built))
