# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dockerd and containerd on a host, for as long as a test needs them. Both are the distribution's own and real.

crictl is packaged nowhere, so what stands on a host under that name is a stand-in: ``tests/lab/on_host/crictl.py``, which
asks containerd's real CRI socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .host import Host

_CRICTL = Path(__file__).resolve().parents[1] / "on_host" / "crictl.py"
_ON_PATH = "/usr/local/bin/crictl"
_SETTINGS = "/etc/docker/daemon.json"


@contextmanager
def dockerd(host: Host, *, containerd_store: bool = False) -> Iterator[None]:
    """Run dockerd. ``containerd_store`` lets containerd keep its images, which dockerd can since version 23."""
    # Its bridge and its firewall rules would take the network from podman's containers.
    settings: dict[str, object] = {"bridge": "none", "iptables": False, "ip6tables": False}
    if containerd_store:
        settings |= {"features": {"containerd-snapshotter": True}, "storage-driver": "native"}
    host.write(_SETTINGS, json.dumps(settings))
    try:
        host.run(["systemctl", "start", "docker"])
        yield
    finally:
        _stop(host, "docker.socket", "docker", "containerd")
        host.run(["sh", "-c", f"rm -rf {_SETTINGS} /var/lib/docker/* /var/lib/containerd/*"])


@contextmanager
def containerd(host: Host) -> Iterator[None]:
    """Run containerd, with its CRI socket, and let «crictl» ask it."""
    host.write(_ON_PATH, _CRICTL.read_text(encoding="utf-8"), 0o755)
    try:
        host.run(["systemctl", "start", "containerd"])
        yield
    finally:
        host.run(["rm", "-f", _ON_PATH])
        _stop(host, "containerd")
        host.run(["sh", "-c", "rm -rf /var/lib/containerd/*"])


def _stop(host: Host, *units: str) -> None:
    host.run(["systemctl", "stop", *units], check=False)
    host.run(["systemctl", "reset-failed", *units], check=False)
