# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container cannot name any unit it likes: only the one that owns its processes is restarted."""

from __future__ import annotations

from harness import Ansible
from lablib.host import Host
from pushing import Push
from sight import look, unit

LABEL = "io.containers.autoupdate=registry"
#: Container name → the unit that its label claims.
FORGED = {
    "it-sshd": "ssh.service",
    "it-target": "reboot.target",
    "it-path": "../../etc/systemd/system/x.service",
    "it-option": "--help.service",
    "it-missing": "it-no-such.service",
}


def test_a_forged_label_restarts_nothing(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("forged")
    starts = [
        f"podman run --detach --name={name} --label={LABEL} --label=PODMAN_SYSTEMD_UNIT={claimed} {image.reference}"
        for name, claimed in FORGED.items()
    ]
    host.run(["sh", "-ec", "\n".join(starts)])
    push("forged", version="2")
    before, sshd = look(host), unit(host, "ssh.service")
    assert sshd.active == "active"

    result = ansible.update(host.name).failed()

    assert result.verdicts() == dict.fromkeys(FORGED, ("failed", "unit_mismatch"))
    assert not result.changed
    assert look(host) == before
    assert unit(host, "ssh.service") == sshd


def test_without_a_unit_there_is_nothing_to_restart(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("by-hand")
    host.run(["podman", "run", "--detach", "--name=it-by-hand", f"--label={LABEL}", image.reference])
    push("by-hand", version="2")
    before = look(host)

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-by-hand": ("failed", "no_unit_label")}
    assert result.row("it-by-hand")["unit"] is None
    assert look(host) == before
