# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that turn a plain Debian into a lab host, as one tar that is the last layer of its image."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from .engine import LIMITS
from .paths import GATEWAY, PLAIN_PORT, PROXY_PORTS, SECURE_PORT

GUEST_DIR = "/etc/podfleet-lab"

# Not for a lab: what loads kernel modules, or changes kernel settings that a privileged container shares with the machine;
# what runs by itself at an hour of its own; and podman-auto-update, whose service Debian 12 even runs at every boot.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "netavark-dhcp-proxy.service",
    "netavark-dhcp-proxy.socket",
    "netavark-firewalld-reload.service",
    "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-modules-load.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-udevd.service",
)
# Off for root and for users, but not masked: tests may want to start them.
DISABLED = (
    "podman-auto-update.timer",
    "podman-auto-update.service",
    "podman.service",
    "podman-restart.service",
    "docker.service",
    "docker.socket",
    "containerd.service",
)

_SSHD = f"""# Keys come from the machine that runs the lab, new ones for each lab.
HostKey {GUEST_DIR}/ssh_host_ed25519_key
AuthorizedKeysFile {GUEST_DIR}/authorized_keys .ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
MaxSessions 100
MaxStartups 100
"""


def registries_conf() -> str:
    """The plain registry, and every place a proxy may listen, speak HTTP. The secure one is left to its CA."""
    ports = (PLAIN_PORT, *PROXY_PORTS)
    return "\n".join(f'[[registry]]\nlocation = "{GATEWAY}:{port}"\ninsecure = true\n' for port in ports)


def files(can_raise_limits: bool) -> dict[str, str]:
    """Path → content."""
    content = {
        "etc/containers/registries.conf.d/podfleet-lab.conf": registries_conf(),
        "etc/ssh/sshd_config.d/podfleet-lab.conf": _SSHD,
        # Rootless containers need both devices; a device node in a container is its own, so this touches no one else.
        "etc/tmpfiles.d/podfleet-lab.conf": "z /dev/fuse 0666 root root -\nz /dev/net/tun 0666 root root -\n",
        # Empty, not absent: an id of its own for each host, yet no «first boot», which would enable every unit there is.
        "etc/machine-id": "",
        "etc/systemd/journald.conf.d/podfleet-lab.conf": "[Journal]\nStorage=volatile\nRateLimitBurst=0\n",
    }
    if not can_raise_limits:
        content["etc/containers/containers.conf"] = f'[engine]\nruntime = "runc"\n\n[containers]\n{LIMITS}'
    return content


def links() -> Mapping[str, str]:
    """Path → target of a symbolic link."""
    masks = {f"etc/systemd/system/{unit}": "/dev/null" for unit in MASKED}
    # Dangles until the lab has a CA, which it makes at every start.
    return {**masks, f"etc/containers/certs.d/{GATEWAY}:{SECURE_PORT}/ca.crt": f"{GUEST_DIR}/ca.crt"}


def layer(can_raise_limits: bool) -> bytes:
    """The tar; the same bytes for the same input, for the image's name is made from it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, text in sorted(files(can_raise_limits).items()):
            entry = tarfile.TarInfo(path)
            data = text.encode()
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
        for path, target in sorted(links().items()):
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(entry)
    return stream.getvalue()
