# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what this machine can do, and say what is missing together with the remedy. Assumes nothing."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import packages
from .commands import run
from .errors import CommandError
from .namespace import cgroups_are_v2
from .paths import PLAIN_PORT, LabPaths

CAP_SYS_ADMIN = 21
CAP_SYS_RESOURCE = 24
CAP_NET_ADMIN = 12


def parse_capabilities(status: str) -> int:
    """The effective capability mask in the text of /proc/self/status."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def parse_os_release(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key: value.strip().strip("\"'") for key, _, value in pairs}


@dataclass(frozen=True)
class MachineFacts:
    """What the lab adapts itself to."""

    is_root: bool
    can_mount: bool
    can_configure_network: bool
    can_raise_limits: bool
    cgroups_v2: bool
    cgroup2_available: bool
    distribution: str

    @classmethod
    def gather(cls) -> MachineFacts:
        mask = parse_capabilities(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))
        return cls(
            is_root=os.geteuid() == 0,
            can_mount=bool(mask >> CAP_SYS_ADMIN & 1),
            can_configure_network=bool(mask >> CAP_NET_ADMIN & 1),
            can_raise_limits=bool(mask >> CAP_SYS_RESOURCE & 1),
            cgroups_v2=cgroups_are_v2(),
            cgroup2_available="cgroup2" in Path("/proc/filesystems").read_text(encoding="ascii"),
            distribution=packages.family(parse_os_release(Path("/etc/os-release").read_text(encoding="utf-8"))),
        )


@dataclass(frozen=True)
class Finding:
    """One line of ``probe``. ``blocking``: without it there is no lab."""

    subject: str
    fine: bool
    text: str
    remedy: str = ""
    blocking: bool = True

    def line(self) -> str:
        mark = "ok     " if self.fine else ("MISSING" if self.blocking else "note   ")
        return f"{mark} {self.subject}: {self.text}" + (f" -> {self.remedy}" if self.remedy and not self.fine else "")


def overlay_works(folder: Path) -> str | None:
    """None when an overlay can be mounted on the folder's file system, else what the kernel said. Only root can ask."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="overlay-probe-") as place:
        parts = {name: Path(place, name) for name in ("lower", "upper", "work", "merged")}
        for part in parts.values():
            part.mkdir()
        options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
        try:
            run(["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])], timeout=10)
        except CommandError as refused:
            return refused.stderr.strip() or str(refused)
        run(["umount", str(parts["merged"])], timeout=10)
    return None


def port_is_free(port: int) -> bool:
    """Whether anybody listens on all addresses of the machine at that port (Debian's docker-registry service does)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def probe(paths: LabPaths, facts: MachineFacts) -> list[Finding]:
    """Everything that matters to the lab, fine or not."""
    found = [
        Finding("root", facts.is_root, "yes" if facts.is_root else "no", "run with sudo"),
        Finding("mounting (CAP_SYS_ADMIN)", facts.can_mount, "yes" if facts.can_mount else "no", "run on a machine or in a VM, not in an unprivileged container"),
        Finding("networks (CAP_NET_ADMIN)", facts.can_configure_network, "yes" if facts.can_configure_network else "no", "as above"),
        Finding(
            "raising limits (CAP_SYS_RESOURCE)",
            facts.can_raise_limits,
            "yes" if facts.can_raise_limits else "no: runc and lowered limits are used instead",
            blocking=False,
        ),
        Finding(
            "cgroup v2",
            facts.cgroups_v2 or facts.cgroup2_available,
            "yes" if facts.cgroups_v2 else "hybrid or v1: the lab runs in a mount namespace of its own with cgroup2" if facts.cgroup2_available else "the kernel has none",
            "boot a kernel with cgroup v2 (systemd.unified_cgroup_hierarchy=1)",
        ),
        *(Finding(device, Path(device).exists(), "yes" if Path(device).exists() else "no: rootless containers in hosts will not work", f"modprobe {module}", False)
          for device, module in (("/dev/fuse", "fuse"), ("/dev/net/tun", "tun"))),
    ]  # fmt: skip
    for need in packages.needs(facts.distribution, facts.can_raise_limits):
        present = packages.is_present(need)
        found.append(
            Finding(
                need.any_of[0],
                present,
                "yes" if present else f"no; {need.why}",
                packages.remedy(facts.distribution, need),
            )
        )
    if facts.is_root and facts.can_mount:
        problem = overlay_works(paths.cache)
        found.append(
            Finding(
                f"overlay on {paths.cache}",
                problem is None,
                problem or "yes",
                "set PODFLEET_CACHE to a folder on ext4, xfs or btrfs",
            )
        )
    if not paths.state.exists():
        free = port_is_free(PLAIN_PORT)
        found.append(
            Finding(
                f"port {PLAIN_PORT}",
                free,
                "free" if free else "taken",
                "stop what listens there (systemctl disable --now docker-registry)",
            )
        )
    return found
