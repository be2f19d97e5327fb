# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of the lab lives, and the fixed facts of its network."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

# One lab per machine: this path is the key. Bridges, ports and addresses could not be shared anyway.
RUN_DIR = Path("/run/podfleet-autoupdate-lab")
LOCK_FILE = Path("/run/podfleet-autoupdate-lab.lock")

NETWORK_NAME = "lab"
BRIDGE_NAME = "podfleet-lab"
SUBNET = "10.78.0.0/24"
GATEWAY = "10.78.0.1"
PLAIN_PORT = 5000
SECURE_PORT = 5443
PROXY_PORTS = range(5100, 5300)


def default_cache_dir() -> Path:
    """The lab's part of the cache folder, as the environment chooses it."""
    chosen = os.environ.get("PODFLEET_CACHE")
    if chosen:
        return Path(chosen).absolute() / "lab"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base).absolute() / "podfleet-autoupdate" / "lab"


@dataclass(frozen=True)
class LabPaths:
    """Every path that the lab writes to."""

    cache: Path = field(default_factory=default_cache_dir)
    run: Path = RUN_DIR

    @property
    def store(self) -> Path:
        """The lab's own podman store: nothing else on the machine meets it."""
        return self.cache / "store"

    @property
    def volumes(self) -> Path:
        return self.cache / "volumes"

    @property
    def registry_data(self) -> Path:
        return self.cache / "registry"

    @property
    def state(self) -> Path:
        return self.run / "state.json"

    @property
    def inventory(self) -> Path:
        return self.run / "inventory.yml"

    @property
    def keys(self) -> Path:
        """What people and Ansible need to get into the hosts."""
        return self.run / "keys"

    @property
    def guest(self) -> Path:
        """Mounted read-only into every host as /etc/podfleet-lab."""
        return self.run / "guest"

    @property
    def tls(self) -> Path:
        return self.run / "tls"

    @property
    def networks(self) -> Path:
        return self.run / "networks"

    @property
    def namespace(self) -> Path:
        return self.run / "namespace"
