# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: units that systemd restarts along with another one, and units that pull at each start."""

from __future__ import annotations

from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from lablib.units import deploy
from locations import DROP_INS
from peer import await_running, podman
from pushing import Push, id_of
from sight import look, starts, unit


def test_a_parent_and_its_child_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """systemd restarts a child that requires its parent along with it: podman may restart it once more, as its order is random."""
    names = ("it-parent", "it-child")
    old = push("family")
    for name in names:
        deploy(host, name, image=old.reference, start=name != "it-child")
    needs = "[Unit]\nRequires=it-parent.service\nAfter=it-parent.service\n"
    host.write(f"{DROP_INS.replace('*', 'child')}/needs.conf", needs)
    host.run(["sh", "-ec", "systemctl daemon-reload; systemctl start it-child.service"])

    new, before = push("family", version="2"), look(host)
    restarts = {name: starts(host, f"{name}.service") for name in names}
    podman(host, "--dry-run").said(0, parent="pending", child="pending")
    podman(host, "--rollback=false").said(0, parent="true", child="true")
    await_running(host, "it-child")
    after = look(host)
    assert {after.runs(name) for name in names} == {id_of(new)}
    assert after.containers["it-child"].id != before.containers["it-child"].id
    counts = {name: len(starts(host, f"{name}.service") - restarts[name]) for name in names}
    assert counts in ({"it-parent": 1, "it-child": often} for often in (1, 2))

    new = push("family", version="3")
    restarts = {name: starts(host, f"{name}.service") for name in names}
    assert ansible.update(host.name).succeeded().verdicts() == dict.fromkeys(names, ("updated", None))
    after = look(host)
    assert {after.runs(name) for name in names} == {id_of(new)}
    assert [len(starts(host, f"{name}.service") - restarts[name]) for name in names] == [1, 1]


def test_a_unit_that_pulls_at_each_start_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """podman cannot put it back, as its start fetches the bad image again; so nothing is begun here."""
    old = push("pulls")
    deploy(host, "it-pulls", image=old.reference, extra_args=["--pull=always"])
    for verb in ("stop", "start"):
        host.run(["systemctl", verb, "it-pulls.service"])
    podman(host).said(0, pulls="false")
    assert ansible.update(host.name).succeeded().verdicts() == {"it-pulls": ("current", None)}

    new = push("pulls", version="2")
    before = look(host)
    for check in (True, False):
        held = ansible.update(host.name, check=check).succeeded()
        assert held.verdicts() == {"it-pulls": ("held", "rollback_unsafe")}
    assert look(host) == before
    allowed = ansible.update(host.name, allow_unsafe_rollback=True).succeeded()
    assert allowed.verdicts() == {"it-pulls": ("updated", None)}
    assert look(host).runs("it-pulls") == id_of(new)

    push("pulls", version="3", kind=Kind.NO_START)
    told = podman(host).said(125, pulls="failed")
    assert "during rollback" in told.stderr
    assert unit(host, "it-pulls.service").active != "active"
