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
_AWAY = """loginctl disable-linger {name}
systemctl kill --signal=KILL user@$(id -u {name}).service
systemctl stop user@$(id -u {name}).service
pkill -KILL -u {name}
userdel --force --remove {name}
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
    name: str = USER

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> str:
        """A command of the user's, as in a login."""
        environment = {"XDG_RUNTIME_DIR": f"/run/user/{self.uid}", "HOME": f"/home/{self.name}"}
        return self.host.run(argv, check=check, user=self.name, env=environment, timeout=timeout).stdout

    def deploy(self, name: str, image: str, *, policy: str = "registry", arguments: str = "", options: str = "") -> str:
        """A unit of theirs, started."""
        text = _UNIT.format(name=name, image=image, policy=policy, arguments=arguments, options=options)
        path = f"/home/{self.name}/.config/systemd/user/{name}.service"
        self.host.write(path, text)
        self.host.run(["chown", "-R", f"{self.name}:", f"/home/{self.name}/.config"])
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
def lingering(host: Host, name: str = USER) -> Iterator[User]:
    """A fresh user whose manager runs; gone afterwards."""
    with staying_away(host, name) as user:
        for path, text in _STAY.items() if host.distro == "bookworm" else ():
            host.write(f"/home/{name}/.config/{path}", text)
        host.run(["chown", "-R", f"{name}:", f"/home/{name}"])
        host.run(["loginctl", "enable-linger", name])
        bus = f"/run/user/{user.uid}/bus"
        host.run(["sh", "-c", f"for i in $(seq 100); do test -S {bus} && exit; sleep 0.1; done; exit 1"])
        yield user


@contextlib.contextmanager
def staying_away(host: Host, name: str) -> Iterator[User]:
    """A fresh user who never logs in; gone afterwards."""
    away = ["sh", "-c", _AWAY.format(name=name)]
    host.run(away, check=False)
    host.run(["useradd", "--create-home", name])
    try:
        yield User(host, int(host.run(["id", "-u", name]).stdout), name)
    finally:
        host.run(away, check=False)
