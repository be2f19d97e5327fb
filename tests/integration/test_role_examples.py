# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the module container_units, run as they stand but for the registry's name."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import yaml
from harness import COLLECTION, Ansible
from lablib.host import Host
from pushing import Push
from users import USER, lingering

_MODULE = f"{COLLECTION}.container_units"
_SERVE = "mkdir -p /w && echo well > /w/index.html && exec httpd -f -p 80 -h /w"


@pytest.mark.parametrize("distro", ["trixie"])
def test_they_run(host: Host, ansible: Ansible, push: Push) -> None:
    text = importlib.import_module("ansible_collections.podfleet.autoupdate.plugins.modules.container_units").EXAMPLES
    serving = {"Entrypoint": ["/bin/sh", "-c", _SERVE], "Cmd": []}
    for name, config in (("web", serving), ("cache", {})):
        text = text.replace(f"registry.example.com/shop/{name}:stable", push(name, config=config).reference)
    assert "registry.example.com" not in text
    web, pod, away = (task[_MODULE] for task in yaml.safe_load(text.replace("user: shop", f"user: {USER}")))

    def run(arguments: dict[str, Any], *options: str) -> bool:
        return ansible.run(host.name, _MODULE, arguments, options=options).succeeded().changed

    assert run(web)
    (container,) = json.loads(host.run(["podman", "inspect", "--type=container", "web"]).stdout)
    assert container["State"]["Health"]["Status"] == "healthy"
    assert "GREETING=100% of $HOME, as it stands" in container["Config"]["Env"]
    fetch = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/').read().decode())"
    assert host.run(["python3", "-c", fetch]).stdout.strip() == "well"
    assert not run(web)

    with lingering(host) as user:
        assert run(pod)
        members = {"shop-web", "shop-cache"}
        assert members <= set(user.run("podman", "ps", "--format={{.Names}}").split())
        assert not run(pod, "--check")

    assert run(away)
    assert host.run(["podman", "ps", "--all", "--quiet"]).stdout == ""
    host.run(["podman", "volume", "rm", "web-data"])
