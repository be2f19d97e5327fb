# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a lab host itself: what runs, what local storage holds, what systemd says. Never through the modules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from lablib.host import Host

_LOOK = """ids=$(podman ps --all --quiet --no-trunc)
if [ -n "$ids" ]; then podman inspect --type container --format json $ids; else echo '[]'; fi
echo ---
podman images --all --no-trunc --format json
"""
_OURS = "localhost/podfleet-autoupdate/"


@dataclass(frozen=True)
class Container:
    """One container as podman inspect tells it; ``image`` is the ID of the image that it runs."""

    id: str
    image: str
    state: str


@dataclass(frozen=True)
class Sight:
    """One look at a host. ``names`` is every name in local storage with the image ID that it points to."""

    containers: Mapping[str, Container]
    names: Mapping[str, str]
    images: frozenset[str]

    @property
    def slots(self) -> dict[str, str]:
        """The names under which replaced images are kept."""
        return {name: image for name, image in self.names.items() if name.startswith(f"{_OURS}slot:")}

    @property
    def staged(self) -> dict[str, str]:
        """The names under which images wait to be activated."""
        return {name: image for name, image in self.names.items() if name.startswith(f"{_OURS}staged:")}

    @property
    def rejected(self) -> dict[str, str]:
        """The names under which images that could not run are kept."""
        return {name: image for name, image in self.names.items() if name.startswith(f"{_OURS}rejected:")}

    @property
    def names_by_digest(self) -> list[str]:
        """What a pull by digest leaves when nobody tidies up."""
        return [name for name in self.names if "@" in name]

    def runs(self, container: str) -> str:
        """The image ID that a running container runs."""
        found = self.containers[container]
        assert found.state == "running", f"{container} is {found.state}"
        return found.image


def look(host: Host) -> Sight:
    """Look at containers and images."""
    inspected, _, listed = host.run(["sh", "-c", _LOOK]).stdout.partition("---\n")
    containers = {
        entry["Name"]: Container(entry["Id"], _image_id(entry["Image"]), entry["State"]["Status"])
        for entry in json.loads(inspected)
    }
    images = json.loads(listed) or []
    names = {name: _image_id(image["Id"]) for image in images for name in image.get("Names") or []}
    return Sight(containers, names, frozenset(_image_id(image["Id"]) for image in images))


def _image_id(text: str) -> str:
    return f"sha256:{text.rpartition(':')[2]}"


@dataclass(frozen=True)
class Unit:
    """A unit as systemctl shows it. ``invocation`` is another one after each start; what is no service has no numbers."""

    active: str
    sub: str
    invocation: str
    restarts: int
    main_pid: int


def unit(host: Host, name: str) -> Unit:
    """Ask systemd about one unit."""
    keys = ("ActiveState", "SubState", "InvocationID", "NRestarts", "MainPID")
    text = host.run(["systemctl", "show", f"--property={','.join(keys)}", name]).stdout
    value = dict(line.split("=", 1) for line in text.splitlines())
    active, sub, invocation = (value[key] for key in keys[:3])
    return Unit(active, sub, invocation, int(value.get("NRestarts", 0)), int(value.get("MainPID", 0)))


def starts(host: Host, name: str) -> frozenset[str]:
    """All invocations of a unit that the journal knows: what was started twice stands here twice."""
    argv = ["journalctl", "--quiet", "--output=json", "--output-fields=INVOCATION_ID", f"UNIT={name}", "_PID=1"]
    lines = host.run(argv).stdout.splitlines()
    return frozenset(entry["INVOCATION_ID"] for entry in map(json.loads, lines) if entry.get("INVOCATION_ID"))
