# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic units of the role start the containers that «podman generate systemd --new» does, and Quadlet's the same."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from corpus import CORPUS, DIFFER, GENERATE_CANNOT
from harness import Ansible
from lablib.host import Host
from locations import SCRATCH
from pushing import Push

from roles import play, units

_PREPARE = f"""set -e
mkdir -p '{SCRATCH}/a b'
printf 'FROM_FILE=a b\\nOTHER=$HOME\\n' > {SCRATCH}/corpus.env
podman secret rm it-secret > /dev/null 2>&1 || true
printf s3cret | podman secret create it-secret - > /dev/null
podman network exists it-net || podman network create --subnet=10.91.7.0/24 it-net > /dev/null
"""
_AWAY = "podman network rm -f it-net; podman secret rm it-secret"


def _names() -> list[str]:
    return [f"it-c{number}" for number in range(len(CORPUS))]


def _generated(host: Host, image: str) -> dict[str, Any]:
    """What podman's own units start."""
    script = ["set -e", "cd /run/systemd/system"]
    for name, (entry, before, after) in zip(_names(), CORPUS):
        policy = [] if "autoupdate" in entry else ["--label=io.containers.autoupdate=registry"]
        create = ["podman", "create", "--quiet", f"--name={name}", *policy, *before, image, *after]
        script += [
            f"{shlex.join(create)} > /dev/null",
            f"podman generate systemd --new --files --name {name} > /dev/null",
        ]
    # podman 4.3's own units fail to start again after «podman rm», but all that is asked here is one start.
    names = " ".join(f"container-{name}.service" for name in _names())
    script += [
        "podman rm --all --force --time 0 > /dev/null",
        "systemctl daemon-reload",
        f"systemctl start {names} || true",
    ]
    try:
        host.run(["sh", "-s"], input="\n".join(script) + "\n", timeout=300)
        return _inspected(host)
    finally:
        kill = "podman kill --all > /dev/null 2>&1"
        host.run(
            [
                "sh",
                "-c",
                f"systemctl stop --no-block {names}; {kill}; systemctl stop {names}; rm -f /run/systemd/system/container-it-c*; systemctl daemon-reload; systemctl reset-failed",
            ],
            check=False,
            timeout=300,
        )


def _inspected(host: Host) -> dict[str, Any]:
    running = host.run(["podman", "ps", "--format={{.Names}}"]).stdout.split()
    answer = json.loads(host.run(["podman", "inspect", "--type=container", *running]).stdout)
    return {one["Name"]: one for one in answer}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Path → value of everything that counts; what is a set is sorted."""
    if path in DIFFER:
        return {}
    if isinstance(value, dict) and value:
        return {key: one for name, inner in value.items() for key, one in _flat(inner, f"{path}.{name}").items()}
    if isinstance(value, list):
        kept = [one for one in value if not str(one).startswith("HOSTNAME=")]
        return {path: sorted(json.dumps(one, sort_keys=True) for one in kept) if path != ".Config.Cmd" else kept}
    return {path: value}


def _differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    found = {}
    for name, (entry, _before, _after) in zip(_names(), CORPUS):
        if name not in one:
            continue
        left, right = _flat(one[name]), _flat(other[name])
        for key in sorted(set(left) | set(right)):
            if left.get(key) != right.get(key):
                found[f"{name} {entry} {key}"] = (left.get(key), right.get(key))
    return found


@pytest.mark.parametrize("distro", ["trixie", "bookworm"])
def test_the_role_starts_what_podmans_own_units_start(host: Host, ansible: Ansible, push: Push) -> None:
    assert len(CORPUS) - len(GENERATE_CANNOT) >= 40
    image = push("corpus").reference
    host.run(["sh", "-s"], input=_PREPARE)
    entries = [{"name": name, "image": image, **entry} for name, (entry, _before, _after) in zip(_names(), CORPUS)]
    try:
        podmans = _generated(host, image)
        units(ansible, host, entries, style="service").succeeded()
        classic = _inspected(host)
        assert {name for name in _names() if name not in podmans} == {f"it-c{number}" for number in GENERATE_CANNOT}
        assert sorted(classic) == sorted(_names())
        assert _differences(podmans, classic) == {}
        if host.distro == "trixie":
            units(ansible, host, entries, style="quadlet").succeeded()
            assert _differences(classic, _inspected(host)) == {}
    finally:
        play(ansible, host, {}, entry="remove")
        host.run(["sh", "-c", _AWAY], check=False)
