# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: images that the host itself tags, pods, and what a unit has to say before it counts as started."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.units import deploy
from peer import HEARD, TELLS, await_running, podman
from pushing import Push, build, id_of
from sight import look, starts, unit

NAME = "localhost/it-built:latest"


@pytest.fixture
def old(host: Host, push: Push) -> Pushed:
    """What was built first."""
    image = push("built")
    build(host, image, NAME)
    return image


def rebuilt(host: Host, push: Push, version: str, **options: Any) -> str:
    """Build again under the same name; the image ID."""
    image = push("built", version=version, **options)
    build(host, image, NAME)
    return id_of(image)


def test_a_build_beside_podman(host: Host, ansible: Ansible, push: Push, old: Pushed) -> None:
    """Also of a container whose entrypoint is a list, as JSON."""
    names = ("it-plain", "it-list")
    deploy(host, "it-plain", image=NAME, policy="local", pull_first=False)
    entry = '--entrypoint=["/entry"]'
    deploy(host, "it-list", image=NAME, policy="local", pull_first=False, extra_args=[entry])

    assert {look(host).runs(name) for name in names} == {id_of(old)}
    podman(host, "--dry-run").said(0, plain="false", list="false")
    assert ansible.update(host.name).succeeded().verdicts() == dict.fromkeys(names, ("current", None))

    new = rebuilt(host, push, "2")
    podman(host, "--dry-run").said(0, plain="pending", list="pending")
    podman(host, "--rollback=false").said(0, plain="true", list="true")
    assert {look(host).runs(name) for name in names} == {new}

    new = rebuilt(host, push, "3")
    assert ansible.update(host.name).succeeded().verdicts() == dict.fromkeys(names, ("updated", None))
    assert {look(host).runs(name) for name in names} == {new}


def test_an_image_that_is_never_ready_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    first = rebuilt(host, push, "1", config=TELLS)
    deploy(host, "it-ready", image=NAME, policy="local", pull_first=False, extra_args=HEARD)

    podman(host, "--dry-run").said(0, ready="false")
    bad = rebuilt(host, push, "2", config={"Entrypoint": ["/bin/sh", "-c", "exit 1"]})
    podman(host, "--dry-run").said(0, ready="pending")
    podman(host).said(0, ready="rolled back")
    after = look(host)
    assert after.runs("it-ready") == first == after.names[NAME]

    host.run(["podman", "tag", bad, NAME])
    assert ansible.update(host.name).failed().verdicts() == {"it-ready": ("rolled_back", "job_failed")}
    after = look(host)
    assert after.runs("it-ready") == first == after.names[NAME]
    # A prune takes what podman put back from a build; what was put back here has kept a name.
    assert list(after.rejected.values()) == [bad]


def test_a_name_that_is_gone_beside_podman(host: Host, ansible: Ansible, old: Pushed) -> None:
    deploy(host, "it-gone", image=NAME, policy="local", pull_first=False)
    host.run(["podman", "untag", NAME, NAME])
    before = look(host)

    told = podman(host).said(125, gone="failed")
    assert "image not known" in told.stderr
    assert ansible.update(host.name).failed().verdicts() == {"it-gone": ("failed", "no_local_tag")}
    assert look(host) == before
    assert before.runs("it-gone") == id_of(old)


def test_a_pod_beside_podman(host: Host, ansible: Ansible, push: Push, old: Pushed, distro: str) -> None:
    """podman 5 restarts the pod, as it is done here. Debian 12's restarts the member, whose pod may end along with it."""
    deployed = deploy(host, "it-member", image=NAME, policy="local", style="pod", pull_first=False)
    root = deployed.pod_unit
    assert root is not None
    assert look(host).runs("it-member") == id_of(old)

    def pod() -> str:
        return host.run(["podman", "pod", "inspect", "--format={{.Id}}", "it-member-pod"]).stdout.strip()

    told = podman(host, "--dry-run").said(0, member="false")
    alone = distro == "bookworm"
    assert [row["Unit"] for row in told.rows] == [deployed.unit if alone else root]

    for ours in (False, True):
        new = rebuilt(host, push, "3" if ours else "2")
        before, pod_before, restarts = look(host), pod(), starts(host, root)
        if ours:
            checked = ansible.update(host.name, check=True).succeeded()
            assert checked.verdicts() == {"it-member": ("pending", "check_mode")}
            result = ansible.update(host.name).succeeded()
            assert result.verdicts() == {"it-member": ("updated", None)}
            assert result.row("it-member")["unit"] == root
        else:
            podman(host, "--dry-run").said(0, member="pending")
            told = podman(host)
            assert (told.rc, told.updated["it-member"] in (("true", "rolled back") if alone else ("true",))) == (
                0,
                True,
            )
            if told.updated["it-member"] == "rolled back":
                continue
            await_running(host, "it-member")
        after = look(host)
        assert after.runs("it-member") == new
        assert after.containers["it-member"].id != before.containers["it-member"].id
        if ours or not alone:
            assert pod() != pod_before
            assert len(starts(host, root) - restarts) == 1

    host.run(["systemctl", "stop", root])
    assert {unit(host, name).active for name in (root, deployed.unit)} == {"inactive"}


def test_a_broken_member_of_a_pod_beside_podman(
    host: Host, ansible: Ansible, push: Push, old: Pushed, distro: str
) -> None:
    """The pod's own start succeeds, so podman 5 calls the member updated although it does not run."""
    deployed = deploy(host, "it-member", image=NAME, policy="local", style="pod", pull_first=False)
    bad = rebuilt(host, push, "2", kind=Kind.NO_START)

    result = ansible.update(host.name).failed()
    assert result.verdicts() == {"it-member": ("rolled_back", "not_running")}
    after = look(host)
    assert after.runs("it-member") == id_of(old) == after.names[NAME]

    host.run(["podman", "tag", bad, NAME])
    if distro == "bookworm":
        # Now and then its restart on the old image comes while systemd is at its own, and podman says so.
        assert podman(host).updated["it-member"] in ("rolled back", "failed")
        return
    podman(host).said(0, member="true")
    # systemd tries it again and again, so the container comes and goes.
    assert "it-member" not in host.run(["podman", "ps", "--format={{.Names}}"]).stdout.split()
    assert unit(host, deployed.unit).active != "active"
