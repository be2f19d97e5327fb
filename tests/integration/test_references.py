# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the image argument is read: pinned, or with a transport."""

from __future__ import annotations

from harness import Ansible
from lablib.host import Host
from lablib.lab import Lab
from lablib.units import deploy
from pushing import Push, id_of
from sight import look


def test_a_digest_is_pinned_and_asks_nobody(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    old = push("pinned")
    deploy(host, "it-pinned", image=old.pinned)
    push("pinned", version="2")
    before, mark = look(host), lab.registry.mark()

    result = ansible.update(host.name).succeeded()

    assert result.verdicts() == {"it-pinned": ("pinned", None)}
    assert not result.changed
    assert look(host) == before
    assert [request for request in lab.registry.requests(mark) if request.remote == host.address] == []


def test_an_image_id_is_pinned(host: Host, ansible: Ansible, push: Push) -> None:
    """podman's ImageName is a tag here too; to follow it would replace what was asked for by ID."""
    old = push("by-id")
    host.run(["podman", "pull", "--quiet", old.reference])
    deploy(host, "it-by-id", image=id_of(old).partition(":")[2], policy="local", pull_first=False)
    new = push("by-id", version="2")
    host.run(["podman", "pull", "--quiet", new.reference])
    before = look(host)

    assert ansible.update(host.name).succeeded().verdicts() == {"it-by-id": ("pinned", None)}

    assert look(host) == before


def test_the_docker_transport_is_understood(host: Host, ansible: Ansible, push: Push) -> None:
    """podman's own command fails on it, always."""
    old = push("transport")
    deploy(host, "it-transport", image=f"docker://{old.reference}")
    new = push("transport", version="2")

    assert ansible.update(host.name).succeeded().verdicts() == {"it-transport": ("updated", None)}

    after = look(host)
    assert after.runs("it-transport") == id_of(new) == after.names[old.reference]
