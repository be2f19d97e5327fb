# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""autoupdate_info lists what image_autoupdate would work on, and asks no registry."""

from __future__ import annotations

from datetime import datetime

from access import Asked
from harness import Ansible
from lablib.host import Host
from lablib.lab import Lab
from lablib.units import deploy
from pushing import PLATFORM, Push, id_of
from sight import look

LABEL = "io.containers.autoupdate=registry"


def test_the_same_workloads_are_listed(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    web, by_hand = push("info-web"), push("info-hand")
    deploy(host, "it-web", image=web.reference)
    deploy(host, "it-pinned", image=web.pinned)
    deploy(host, "it-wrong", image=web.reference, policy="fake_xyz")
    deploy(host, "it-plain", image=web.reference, policy=None)
    host.run(["podman", "run", "--detach", "--name=it-by-hand", f"--label={LABEL}", by_hand.reference])
    push("info-web", version="2")
    before, mark = look(host), lab.registry.mark()

    run = ansible.info(host.name)

    result = run.succeeded()
    assert Asked.by(host, lab.registry, mark).requests == ()
    assert look(host) == before
    assert not result.changed
    workload = result.workload("it-web")
    assert (workload["unit"], workload["image"], workload["policy"]) == ("it-web.service", web.reference, "registry")
    assert workload["running"]["id"] == id_of(web) == before.runs("it-web")
    assert (workload["running"]["digest"], workload["running"]["platform"]) == (web.digest, PLATFORM)
    active = {"load_state": "loaded", "active_state": "active", "sub_state": "running", "job_running": False}
    assert workload["unit_state"] == active
    clock = host.run(["podman", "inspect", "--format={{.State.StartedAt.Unix}}", "it-web"]).stdout
    assert datetime.fromisoformat(workload["started"].replace("Z", "+00:00")).timestamp() == int(clock)
    assert workload["health"] is None
    # What would be refused is not updated either, and meets a moved tag like what takes no part.
    assert workload["shared_with"] == ["it-plain", "it-wrong"]
    assert workload["container_id"] == before.containers["it-web"].id
    refused = {entry["container_name"]: entry["reason"] for entry in result.data["workloads"] if entry["error"]}
    assert refused == {"it-wrong": "invalid_policy", "it-by-hand": "no_unit_label"}
    assert [entry["container_name"] for entry in result.data["workloads"] if entry["pinned"]] == ["it-pinned"]

    rows = ansible.update(host.name, check=True).failed().rows
    keys = ("unit", "container_name", "container_id", "image", "policy", "shared_with")
    listed = [tuple(entry[key] for key in keys[:-1]) for entry in result.data["workloads"]]
    assert [tuple(row[key] for key in keys[:-1]) for row in rows] == listed


def test_a_pod_is_its_own_unit(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-web", image=push("info-pod").reference, style="pod")

    workload = ansible.info(host.name).succeeded().workload("it-web")

    assert (workload["unit"], workload["error"]) == ("it-web-pod.service", None)
    assert workload["unit_state"]["active_state"] == "active"
