# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own podman: own store, own network folder, own settings, in the lab's namespace where one is needed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .commands import run
from .namespace import Namespace
from .paths import BRIDGE_NAME, GATEWAY, NETWORK_NAME, SUBNET, LabPaths
from .probing import MachineFacts

LIMITS = 'default_ulimits = ["nofile=20000:20000", "nproc=9000:9000"]\npids_limit = 0\n'


def containers_conf(facts: MachineFacts) -> str:
    """Settings of the podman that runs the hosts; the odd ones only where the machine was seen to need them."""
    lines = '[containers]\nlog_driver = "k8s-file"\n'
    if not facts.can_raise_limits:
        lines += LIMITS
    lines += '\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    # crun's device filter and podman's default limits want CAP_SYS_RESOURCE; runc lives without.
    if not facts.can_raise_limits:
        lines += 'runtime = "runc"\n'
    return lines + '\n[network]\nnetwork_backend = "netavark"\n'


def network_definition() -> dict[str, Any]:
    """podman's own file format. Written by hand because podman 4.3 cannot choose the bridge's name."""
    return {
        "name": NETWORK_NAME,
        "id": "b1e05a7e" * 8,
        "driver": "bridge",
        "network_interface": BRIDGE_NAME,
        "created": "2024-01-01T00:00:00Z",
        "subnets": [{"subnet": SUBNET, "gateway": GATEWAY}],
        "ipv6_enabled": False,
        "internal": False,
        "dns_enabled": False,
        "ipam_options": {"driver": "host-local"},
    }


@dataclass(frozen=True)
class Engine:
    """How every podman call of the lab is made."""

    paths: LabPaths
    namespace: Namespace | None

    def configure(self, facts: MachineFacts) -> None:
        """Write the settings; harmless to repeat."""
        for folder in (self.paths.store, self.paths.volumes, self.paths.networks):
            folder.mkdir(parents=True, exist_ok=True)
        (self.paths.run / "containers.conf").write_text(containers_conf(facts), encoding="utf-8")
        (self.paths.run / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self.paths.store}"\nrunroot = "{self.paths.run / "runroot"}"\n',
            encoding="utf-8",
        )
        (self.paths.networks / f"{NETWORK_NAME}.json").write_text(
            json.dumps(network_definition(), indent=1), encoding="utf-8"
        )

    def argv(self, *arguments: str) -> list[str]:
        """The whole command line of one podman call."""
        prefix = self.namespace.prefix() if self.namespace else ()
        return [
            *prefix,
            "podman",
            f"--root={self.paths.store}",
            f"--runroot={self.paths.run / 'runroot'}",
            f"--tmpdir={self.paths.run / 'libpod'}",
            f"--volumepath={self.paths.volumes}",
            f"--network-config-dir={self.paths.networks}",
            *arguments,
        ]

    def environment(self) -> dict[str, str]:
        """The caller's, with our settings in place of the machine's."""
        ours = {
            "CONTAINERS_CONF": str(self.paths.run / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.paths.run / "storage.conf"),
        }
        return {**os.environ, **ours}

    def run(
        self, *arguments: str, timeout: float = 60, check: bool = True, input: str | None = None, show: bool = False
    ) -> subprocess.CompletedProcess[str]:
        return run(self.argv(*arguments), timeout=timeout, check=check, input=input, env=self.environment(), show=show)

    def containers(self) -> dict[str, str]:
        """Name → state («running», «exited» …) of every container of the lab.

        podman believes its record of a container whose processes were killed together with its monitor; we look.
        """
        listed = json.loads(self.run("ps", "--all", "--format", "json").stdout or "[]") or []
        return {
            entry["Names"][0]: "dead" if entry["State"] == "running" and not _lives(entry["Pid"]) else entry["State"]
            for entry in listed
        }

    def images(self) -> list[str]:
        """Every image name in the lab's store."""
        listed = json.loads(self.run("images", "--format", "json").stdout or "[]") or []
        return [name for entry in listed for name in entry.get("Names") or []]

    def remove_containers(self, names: Sequence[str]) -> None:
        """With their volumes. A host gets a second to stop: there is nothing in it to save."""
        if not names:
            return
        remove = ("rm", "--force", "--volumes", "--time=1", "--ignore", *names)
        # Of a host whose monitor was killed podman learns in the first attempt, a minute later, that it is gone.
        if self.run(*remove, timeout=120 + 5 * len(names), check=False).returncode != 0:
            self.run(*remove, timeout=120 + 5 * len(names))
        volumes = [volume for name in names for volume in host_volumes(name)]
        self.run("volume", "rm", "--force", *volumes, check=False)


def _lives(pid: int) -> bool:
    """Whether this is still a host's first process: not a zombie, which has no command line, nor another's number."""
    try:
        return b"systemd" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def host_volumes(name: str) -> tuple[str, str]:
    """A host's podman stores (root's, users'), on the backing file system because overlay does not nest on overlay."""
    return f"{name}-containers", f"{name}-home"
