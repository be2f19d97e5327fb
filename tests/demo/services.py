# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three services of the demo: made, published anew, and looked at from the host itself."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

import checkout  # noqa: F401 (makes the lab importable)
from lablib import units
from lablib.host import Host
from lablib.images import ImageMaker, Kind, Pushed
from lablib.lab import Lab
from telling import DemoError

# Not «db»: podman 4.3 takes a name of hexadecimal digits for the beginning of a container ID.
WEB, API, DATABASE = "web", "api", "database"
NAMES = (WEB, API, DATABASE)
_TAG = "stable"
_LABEL = "podfleet.demo"
_INSPECTED = '{{.Name}} {{.Id}} sha256:{{.Image}} {{index .Config.Labels "lab.version"}}'
_POLICY_LABEL = "io.containers.autoupdate"


@dataclass(frozen=True)
class Running:
    """One service as the host itself shows it."""

    name: str
    active: str
    container_id: str
    image_id: str
    version: str


class Services:
    """The demo's own units on one host. Every run has images of its own, so that «new» is true each time."""

    def __init__(self, lab: Lab, host: Host) -> None:
        self._host = host
        self._maker = ImageMaker(lab.registry.address)
        self._run = time.strftime("%Y%m%d-%H%M%S")

    @property
    def style(self) -> str:
        """podman 4.3 of bookworm knows no Quadlet."""
        return "service" if self._host.distro == "bookworm" else "quadlet"

    def others(self) -> list[str]:
        """Running containers of somebody else that take part in updates."""
        listed = self._host.run(["podman", "ps", "--filter", f"label={_POLICY_LABEL}", "--format", "{{.Names}}"]).stdout
        return sorted(set(listed.split()) - set(NAMES))

    def remove_earlier(self) -> None:
        """Take away what an earlier run of the demo left, and nothing else."""
        for name in NAMES:
            units.remove(self._host, name)
        left = self._host.run(["podman", "images", "--quiet", "--no-trunc", "--filter", f"label={_LABEL}"]).stdout
        if left.split():
            self._host.run(["podman", "rmi", "--force", *dict.fromkeys(left.split())], timeout=120)

    def publish(self, name: str, version: str, kind: Kind = Kind.GOOD) -> Pushed:
        """Push a version of a service's image under the tag that the service follows."""
        return self._maker.push(
            self._repository(name), _TAG, kind=kind, version=version, labels={_LABEL: f"{name} {self._run}"}
        )

    def deploy(self, name: str) -> None:
        """A unit that follows the service's tag."""
        reference = f"{self._maker.address}/{self._repository(name)}:{_TAG}"
        units.deploy(self._host, name, image=reference, style=self.style)

    def look(self) -> dict[str, Running]:
        """What runs now."""
        # One missing container makes podman end with an error, and still tell of the others.
        inspected = self._host.run(["podman", "inspect", "--format", _INSPECTED, *NAMES], check=False).stdout
        containers = {line.split()[0]: line.split()[1:] for line in inspected.splitlines() if len(line.split()) == 4}
        active = self._host.run(["systemctl", "is-active", *NAMES], check=False).stdout.split()
        return {name: Running(name, state, *containers.get(name, ("", "", ""))) for name, state in zip(NAMES, active)}

    def _repository(self, name: str) -> str:
        return f"demo-{name}"


def verify(before: t.Mapping[str, Running], after: t.Mapping[str, Running], pushed: Pushed) -> None:
    """Whether the host shows what was promised; C(pushed) is the good new image of web.

    Raises:
        DemoError: It shows something else.
    """
    web, api, database = (after[name] for name in NAMES)
    promised = (
        (
            web.image_id in pushed.image_ids.values() and web.version == "v2",
            f"web runs {web.version or 'nothing'}, not v2",
        ),
        (api.image_id == before[API].image_id and api.version == "v1", f"api runs {api.version or 'nothing'}, not v1"),
        (api.container_id != before[API].container_id, "api was never restarted, so nothing was tried"),
        (database.container_id == before[DATABASE].container_id, "database was restarted, although nothing is new"),
        *((one.active == "active", f"{one.name}.service is {one.active}") for one in after.values()),
    )
    broken = [problem for held, problem in promised if not held]
    if broken:
        raise DemoError("The host shows something else than promised: " + "; ".join(broken) + ".")
