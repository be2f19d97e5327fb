# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that cannot be restarted now, or not onto another image."""

from __future__ import annotations

import time

from harness import Ansible
from lablib.host import Host
from pushing import Push, id_of
from sight import look, unit

LABEL = "io.containers.autoupdate=registry"
#: The first line is how the lab knows what to take off a host again.
_BUSY = """# A unit of the podfleet lab
[Service]
Type=oneshot
Environment=PODMAN_SYSTEMD_UNIT=%n
ExecStart=/usr/bin/podman run --detach --replace --name it-busy --label {label} {image}
ExecStart=/usr/bin/sleep 600
"""
_REUSE = """# A unit of the podfleet lab
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/podman start it-reuse
ExecStop=/usr/bin/podman stop --time 5 it-reuse
"""


def test_a_job_that_still_runs_is_left_alone(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("busy")
    host.run(["podman", "pull", "--quiet", old.reference])
    host.write("/etc/systemd/system/it-busy.service", _BUSY.format(label=LABEL, image=old.reference))
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "--no-block", "it-busy.service"])
    _wait_for(host, "it-busy")
    push("busy", version="2")
    before, busy = look(host), unit(host, "it-busy.service")
    assert busy.active == "activating"

    for check in (True, False):
        result = ansible.update(host.name, check=check).succeeded()
        assert result.verdicts() == {"it-busy": ("pending", "job_running")}
        assert not result.changed
    assert look(host) == before
    assert unit(host, "it-busy.service") == busy


def _wait_for(host: Host, container: str) -> None:
    deadline = time.monotonic() + 20
    while not any(name == container and one.state == "running" for name, one in look(host).containers.items()):
        assert time.monotonic() < deadline, f"{container} does not run"
        time.sleep(0.2)


def test_a_unit_that_keeps_its_container_is_put_back(host: Host, ansible: Ansible, push: Push) -> None:
    """Only a unit that creates a container at each start can run another image."""
    old = push("reuse")
    host.run(["podman", "pull", "--quiet", old.reference])
    host.run(
        ["podman", "create", "--name=it-reuse", f"--label={LABEL}", old.reference],
        env={"PODMAN_SYSTEMD_UNIT": "it-reuse.service"},
    )
    host.write("/etc/systemd/system/it-reuse.service", _REUSE)
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "it-reuse.service"])
    push("reuse", version="2")

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-reuse": ("rolled_back", "unit_reuses_container")}
    after = look(host)
    assert after.runs("it-reuse") == id_of(old) == after.names[old.reference]
