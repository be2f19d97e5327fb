# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry with TLS and a password, and how a unit comes to run an image of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from lablib.host import Host
from lablib.images import ImageMaker, Pushed
from lablib.registry import SecureRegistry
from lablib.units import deploy
from locations import SCRATCH
from pushing import Push

#: A file as podman login writes it, on a host where a test has put it.
AUTHFILE = f"{SCRATCH}/auth.json"
#: Where every lab host has the lab's CA.
CA_PATH = "/etc/podfleet-lab/ca.crt"


@dataclass(frozen=True)
class Vault:
    """The secure registry and what opens it."""

    registry: SecureRegistry
    distro: str

    @property
    def push(self) -> Push:
        secure = self.registry
        maker = ImageMaker(secure.address, ca_path=secure.ca_path, username=secure.username, password=secure.password)
        return Push(maker, self.distro)

    @property
    def pair(self) -> str:
        """User and password as they travel: the password in another form."""
        return base64.b64encode(f"{self.registry.username}:{self.registry.password}".encode()).decode("ascii")

    def credentials(self, password: str) -> list[dict[str, Any]]:
        return [{"registry": self.registry.address, "username": self.registry.username, "password": password}]

    def put_authfile(self, host: Host, *addresses: str) -> None:
        """Log in on the host, to this registry or to where a proxy shows it."""
        auths = {address: {"auth": self.pair} for address in addresses or (self.registry.address,)}
        host.write(AUTHFILE, json.dumps({"auths": auths}), mode=0o600)

    def deploy(self, host: Host, name: str, image: Pushed) -> None:
        """A unit that runs an image which its host could pull once, and cannot any more."""
        self.put_authfile(host)
        host.run(["podman", "pull", "--quiet", f"--authfile={AUTHFILE}", image.reference])
        host.run(["rm", AUTHFILE])
        deploy(host, name, image=image.reference, pull_first=False)
