# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible inventory of the lab, shared by people, Molecule and the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

from .host import Host
from .paths import LabPaths


def ssh_options(paths: LabPaths) -> list[str]:
    """How to reach a host: strict host keys of our own, one kept connection per host."""
    return [
        "-o ControlMaster=auto",
        "-o ControlPersist=60s",
        f"-o ControlPath={paths.run}/ssh-%C",
        f"-o UserKnownHostsFile={paths.keys / 'known_hosts'}",
        "-o GlobalKnownHostsFile=/dev/null",
        "-o StrictHostKeyChecking=yes",
        "-o IdentitiesOnly=yes",
        "-o PreferredAuthentications=publickey",
        "-o LogLevel=ERROR",
    ]


def render(paths: LabPaths, hosts: Sequence[Host]) -> str:
    """YAML written by hand: nothing but the standard library runs here, and every value is ours."""
    lines = [
        "# Written by tests/lab/lab.py; «lab.py up» and «lab.py down» keep it right.",
        "lab:",
        "  vars:",
        "    ansible_connection: ssh",
        "    ansible_user: root",
        f"    ansible_ssh_private_key_file: {paths.keys / 'id_ed25519'}",
        f'    ansible_ssh_args: "{" ".join(ssh_options(paths))}"',
        "    ansible_pipelining: true",
        "    ansible_python_interpreter: /usr/bin/python3",
        "  children:",
    ]
    for distro in sorted({host.distro for host in hosts}):
        lines += [f"    lab_{distro}:", "      hosts:"]
        for host in hosts:
            if host.distro == distro:
                lines += [f"        {host.name}:", f"          ansible_host: {host.address}"]
    return "\n".join(lines) + "\n"
