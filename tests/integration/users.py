# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user of a lab host who lingers and has units of their own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lablib.host import Host

USER = "it-shop"
_AWAY = f"""loginctl disable-linger {USER}
systemctl kill --signal=KILL user@$(id -u {USER}).service
systemctl stop user@$(id -u {USER}).service
pkill -KILL -u {USER}
userdel --force --remove {USER}
systemctl daemon-reload
true
"""
#: podman 4.3 leaves its unit's control group where /proc/self/cgroup also lists hierarchies of version 1, as in these
#: hosts, which share a kernel with such; on a machine of its own it stays. Without a bus it has no way to leave.
_STAY = {
    "systemd/user/service.d/stay.conf": "[Service]\nEnvironment=DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent\n",
    "containers/containers.conf": '[engine]\ncgroup_manager = "cgroupfs"\n',
}
_UNIT = """# A unit of the podfleet lab
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=PODMAN_SYSTEMD_UNIT=%n
TimeoutStopSec=30
{options}
ExecStart=/usr/bin/podman run --detach --replace --name {name} --label io.containers.autoupdate={policy} {arguments} {image}
ExecStop=/usr/bin/podman rm --force --ignore --time 1 {name}
[Install]
WantedBy=default.target
"""


@dataclass(frozen=True)
class User:
    """The user, as the host sees them."""

    host: Host
    uid: int

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> str:
        """A command of the user's, as in a login."""
        environment = {"XDG_RUNTIME_DIR": f"/run/user/{self.uid}", "HOME": f"/home/{USER}"}
        return self.host.run(argv, check=check, user=USER, env=environment, timeout=timeout).stdout

    def deploy(self, name: str, image: str, *, policy: str = "registry", arguments: str = "", options: str = "") -> str:
        """A unit of theirs, started."""
        text = _UNIT.format(name=name, image=image, policy=policy, arguments=arguments, options=options)
        path = f"/home/{USER}/.config/systemd/user/{name}.service"
        self.host.write(path, text)
        self.host.run(["chown", "-R", f"{USER}:", f"/home/{USER}/.config"])
        self.run("podman", "pull", "--quiet", image)
        self.run("systemctl", "--user", "daemon-reload")
        self.run("systemctl", "--user", "start", f"{name}.service")
        return f"{name}.service"

    def container(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("podman", "inspect", "--type=container", name))[0]
        return found

    def runs(self, name: str) -> str:
        """The image ID that a running container runs."""
        found = self.container(name)
        assert found["State"]["Running"], f"{name} is {found['State']}"
        return f"sha256:{found['Image']}"

    def id_of(self, image: str) -> str:
        """What a name points to in the user's storage."""
        return "sha256:" + self.run("podman", "image", "inspect", "--format={{.Id}}", image).strip()


@contextlib.contextmanager
def lingering(host: Host) -> Iterator[User]:
    """A fresh user whose manager runs; gone afterwards."""
    host.run(["sh", "-c", _AWAY], check=False)
    host.run(["useradd", "--create-home", USER])
    uid = int(host.run(["id", "-u", USER]).stdout)
    for name, text in _STAY.items() if host.distro == "bookworm" else ():
        host.write(f"/home/{USER}/.config/{name}", text)
    host.run(["chown", "-R", f"{USER}:", f"/home/{USER}"])
    host.run(["loginctl", "enable-linger", USER])
    host.run(["sh", "-c", f"for i in $(seq 100); do test -S /run/user/{uid}/bus && exit; sleep 0.1; done; exit 1"])
    try:
        yield User(host, uid)
    finally:
        host.run(["sh", "-c", _AWAY], check=False)
