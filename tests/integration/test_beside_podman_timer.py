# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: a host that updates itself, behind a proxy, with an authfile that a variable names."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.paths import GATEWAY
from lablib.proxy import FaultProxy
from lablib.units import deploy
from locations import PROXY_PORTS
from peer import started
from pushing import Push, id_of
from secure import AUTHFILE, Vault
from sight import look

from roles import play

_SOON = 60.0
_SERVICE = """[Service]
Type=oneshot
Environment="http_proxy={proxy}" "REGISTRY_AUTH_FILE={authfile}"
ExecStart=/usr/bin/podman auto-update
"""
_TIMER = "[Timer]\nOnActiveSec=0\n"


_AWAY = "systemctl stop it-auto.timer; rm /etc/systemd/system/it-auto.timer"


@pytest.fixture(autouse=True)
def tidy(host: Host) -> Iterator[None]:
    yield
    host.run(["sh", "-c", _AWAY])


def test_a_timer_behind_a_proxy_beside_podman(
    host: Host, ansible: Ansible, push: Push, proxy: FaultProxy, vault: Vault, distro: str
) -> None:
    """Nobody listens where the image is said to be: only the proxy knows the way. Registries take requests as proxies do."""
    nowhere, address = f"{GATEWAY}:{PROXY_PORTS[distro].start + 1}", f"http://{proxy.address}"
    old, locked = push("proxied"), vault.push("locked")
    reference = f"{nowhere}/{old.reference.partition('/')[2]}"
    host.run(["podman", "pull", "--quiet", reference], env={"http_proxy": address})
    deploy(host, "it-proxied", image=reference, pull_first=False)
    vault.deploy(host, "it-locked", locked)
    vault.put_authfile(host)

    for ours in (False, True):
        version = "3" if ours else "2"
        proxied, secret = push("proxied", version=version), vault.push("locked", version=version)
        # Debian 12's podman does not look at the variable when it asks, and says that nothing is new.
        alone = distro == "bookworm" and not ours
        wanted = {"it-proxied": id_of(proxied), "it-locked": id_of(locked if alone else secret)}
        before = proxy.connections
        if ours:
            settings = {
                "settings": {"settle": 0},
                "environment": {"http_proxy": address, "REGISTRY_AUTH_FILE": AUTHFILE},
            }
            given = {f"container_units_timer_{key}": value for key, value in settings.items()}
            play(ansible, host, given, entry="timer").succeeded()
            host.run(["systemctl", "start", "podfleet-autoupdate.service"], timeout=180)
        else:
            host.write("/etc/systemd/system/it-auto.timer", _TIMER)
            text = _SERVICE.format(proxy=address, authfile=AUTHFILE)
            started(host, "it-auto.service", text.replace("/usr/bin/podman auto-update", "/usr/bin/true"))
            host.write("/etc/systemd/system/it-auto.service", f"# A unit of the podfleet lab\n{text}")
            host.run(["sh", "-ec", "systemctl daemon-reload; systemctl start it-auto.timer"])
        deadline = time.monotonic() + _SOON
        while {name: _runs(host, name) for name in wanted} != wanted:
            assert time.monotonic() < deadline, _told(host)
            time.sleep(0.5)
        assert proxy.connections > before


def _runs(host: Host, name: str) -> str | None:
    found = look(host).containers.get(name)
    return found.image if found and found.state == "running" else None


def _told(host: Host) -> str:
    """What the engine of the host said last."""
    units = ("--unit=it-auto.service", "--unit=podfleet-autoupdate.service")
    return host.run(["journalctl", "--no-pager", "--lines=40", *units]).stdout
