# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own units, set up by root: they run as the user, in the user's folders, without a login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from harness import Ansible
from lablib.host import Host
from pushing import Push

from roles import play

_USER = "it-shop"
_AWAY = f"""loginctl disable-linger {_USER}
systemctl stop user@$(id -u {_USER}).service
rm -rf /etc/systemd/system/user@$(id -u {_USER}).service.d
userdel --force --remove {_USER}
rm -rf /run/user/1000
systemctl daemon-reload
true
"""


@dataclass(frozen=True)
class Shop:
    """The user, as the host sees it."""

    host: Host
    uid: int

    def run(self, *argv: str, check: bool = True) -> str:
        """A command of the user's, as in a login."""
        environment = {"XDG_RUNTIME_DIR": f"/run/user/{self.uid}", "HOME": f"/home/{_USER}"}
        return self.host.run(argv, check=check, user=_USER, env=environment).stdout

    def container(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("podman", "inspect", "--type=container", name))[0]
        return found


@pytest.fixture
def shop(host: Host) -> Iterator[Shop]:
    host.run(["sh", "-c", _AWAY], check=False)
    host.run(["useradd", "--create-home", _USER])
    yield Shop(host, int(host.run(["id", "-u", _USER]).stdout))
    host.run(["sh", "-c", _AWAY], check=False)


@pytest.mark.parametrize(("distro", "style"), [("trixie", "quadlet"), ("trixie", "service")])
def test_units_of_a_user(host: Host, ansible: Ansible, push: Push, shop: Shop, style: str) -> None:
    image = push("app").reference
    variables = {
        "container_units_user": _USER,
        "container_units_style": style,
        "container_units_install": False,
        "container_units": [
            {"name": "it-web", "image": image, "environment": {"A": "$HOME %h"}, "timeout_stop": 2, "restart": "no"}
        ],
    }

    predicted = play(ansible, host, variables, options=["--check", "--diff"]).succeeded()
    assert host.run(["ls", "-A", f"/home/{_USER}"]).stdout.split() == [".bash_logout", ".bashrc", ".profile"]
    real = play(ansible, host, variables).succeeded()

    assert predicted.stories() == real.stories() == {"it-web.service": ("created", "started")}
    (path,) = real.data["units"][0]["files"]
    assert path.startswith(f"/home/{_USER}/.config/")
    assert host.run(["stat", "-c%U:%a", path]).stdout == f"{_USER}:644\n"
    container = shop.container("it-web")
    assert container["State"]["Running"]
    assert "A=$HOME %h" in container["Config"]["Env"]
    assert container["Config"]["Labels"]["PODMAN_SYSTEMD_UNIT"] == "it-web.service"
    assert host.run(["stat", "-c%U", f"/proc/{container['State']['Pid']}"]).stdout == f"{_USER}\n"
    assert host.run(["podman", "ps", "--quiet"]).stdout == "", "nothing runs as root"
    wants = host.run(["systemctl", "show", "--property=Wants", f"user@{shop.uid}.service"]).stdout
    assert "network-online.target" in wants

    for options in (["--check"], []):
        assert play(ansible, host, variables, options=options).succeeded().changed == 0
    assert shop.container("it-web")["Id"] == container["Id"]

    shop.run("podman", "kill", "it-web")
    failed = "until systemctl --user is-failed it-web.service; do sleep 0.1; done"
    shop.run("timeout", "20", "sh", "-c", failed)
    away = {name: value for name, value in variables.items() if name == "container_units_user"}
    assert play(ansible, host, away, entry="remove").succeeded().stories() == {"it-web.service": ("removed", "stopped")}
    assert shop.run("podman", "ps", "--all", "--quiet") == ""
    assert "it-web" not in shop.run("systemctl", "--user", "--failed")
    assert (
        "network-online.target"
        not in host.run(["systemctl", "show", "--property=Wants", f"user@{shop.uid}.service"]).stdout
    )


@pytest.mark.parametrize("distro", ["trixie", "bookworm"])
def test_a_user_who_cannot_run_containers_is_refused(ansible: Ansible, push: Push, shop: Shop) -> None:
    host = shop.host
    variables = {
        "container_units_user": _USER,
        "container_units": [{"name": "it-web", "image": push("app").reference}],
    }
    host.run(["sed", "-i", f"/^{_USER}:/d", "/etc/subuid"])

    assert f"{_USER} has no subordinate IDs" in play(ansible, host, variables, entry="units").failed()
    nobody = {**variables, "container_units_user": "it-nobody"}
    assert "there is no user 'it-nobody'" in play(ansible, host, nobody, entry="units").failed()
    told = play(ansible, host, nobody, entry="units", options=["--check"]).succeeded()
    assert told.stories() == {"it-web.service": ("created", "started")}
