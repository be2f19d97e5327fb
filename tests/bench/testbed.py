# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab host full of units, behind a slow proxy and a registry that nobody else asks."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import time
import typing as t
from dataclasses import dataclass, field, replace

import checkout  # noqa: F401 (makes the lab importable)
from lablib import lab as lablab
from lablib import packages, units
from lablib.errors import LabError
from lablib.host import Host
from lablib.images import ImageMaker, Kind
from lablib.lab import Lab
from lablib.paths import GATEWAY
from lablib.proxy import FaultProxy
from lablib.registry import Registry

#: Which of each distribution's hosts is used where «PODFLEET_LANE» says so; see tests/integration/locations.py.
LANE = int(os.environ.get("PODFLEET_LANE", "0"))
#: The last two of the lane's ports, which its integration tests leave free.
PROXY_PORT, _REGISTRY_PORT = (5148 + 20 * (LANE - 1), 5149 + 20 * (LANE - 1)) if LANE else (5120, 5121)
_TAG = "stable"
_SECONDS_A_UNIT = 15.0


class BenchError(Exception):
    """Something was not done, or not done right: figures of it would mean nothing."""


@dataclass(frozen=True)
class Testbed:
    """N running units with an image each. Make it by C(prepared)."""

    lab: Lab
    host: Host
    registry: Registry
    names: tuple[str, ...]
    proxy: FaultProxy = field(repr=False)
    _maker: ImageMaker = field(repr=False)
    #: How the processes behave, and the seconds that they get to stop; None for podman's own default.
    kind: Kind = Kind.GOOD
    stop_seconds: int | None = None

    def first(self, count: int) -> Testbed:
        """The same with the first so many units: the others are stopped, and their containers go with them."""
        others = [f"{name}.service" for name in self.names[count:]]
        if others:
            self.host.run(["systemctl", "stop", *others], timeout=self.patience)
        return replace(self, names=self.names[:count])

    def publish(self) -> dict[str, str]:
        """Push a new image for every unit; returns the image IDs by unit."""
        now = time.time_ns()
        # The version is in the image's own layer too: nothing but the system's layer is shared.
        pushed = {name: self._maker.push(name, _TAG, version=f"{name} {now}", kind=self.kind) for name in self.names}
        return {name: image.image_ids["linux/amd64"] for name, image in pushed.items()}

    def deploy(self) -> None:
        """Write, pull and start all units."""
        script = ["set -e"]
        for name in self.names:
            path, text = self._unit(name)
            script += [f"mkdir -p {path.rpartition('/')[0]}", f"printf %s {shlex.quote(text)} > {path}"]
        script += [f"podman pull -q {self._reference(name)} > /dev/null" for name in self.names]
        script += ["systemctl daemon-reload", "systemctl start " + " ".join(f"{name}.service" for name in self.names)]
        self.host.run(["sh", "-s"], input="\n".join(script) + "\n", timeout=self.patience)

    @property
    def patience(self) -> float:
        """How long anything that touches every unit may take, in seconds."""
        return 60.0 + _SECONDS_A_UNIT * len(self.names)

    def running_images(self) -> dict[str, str]:
        """The image ID of each unit's container, as the host tells."""
        told = self.host.run(["podman", "inspect", "--format", "{{.Name}} sha256:{{.Image}}", *self.names]).stdout
        lines = [line.split() for line in told.splitlines()]
        return {line[0]: line[1] for line in lines}

    def forget_replaced_images(self) -> None:
        """Every timed update starts with the same store: the running images and nothing else."""
        self.host.run(["podman", "image", "prune", "--all", "--force"], timeout=self.patience)

    def _reference(self, name: str) -> str:
        return f"{GATEWAY}:{PROXY_PORT}/{name}:{_TAG}"

    def _unit(self, name: str) -> tuple[str, str]:
        arguments = () if self.stop_seconds is None else (f"--stop-timeout={self.stop_seconds}",)
        container = units.ContainerSpec(name, self._reference(name), extra_args=arguments)
        # podman 4.3 of bookworm knows no Quadlet.
        if self.host.distro == "bookworm":
            return f"/etc/systemd/system/{name}.service", units.service_unit(container)
        return f"/etc/containers/systemd/{name}.container", units.quadlet_unit(container)


@contextlib.contextmanager
def prepared(
    distro: str,
    number: int,
    images: int,
    delay_ms: float,
    say: t.Callable[[str], None],
    *,
    kind: Kind = Kind.GOOD,
    stop_seconds: int | None = None,
) -> t.Iterator[Testbed]:
    """The test bed, with everything deployed; afterwards the host is empty, and proxy and registry are gone.

    The host is emptied first too: `podman auto-update` updates whatever it finds.
    """
    # sudo and cron often leave the sbin folders out, where mount helpers and iptables live.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{packages.SEARCH_PATH}"
    lab, host = _host(distro, number, say)
    registry = Registry(lab.paths, "bench-registry", _REGISTRY_PORT)
    names = tuple(f"bench-{one:03}" for one in range(1, images + 1))
    with contextlib.ExitStack() as stack:
        stack.callback(_forget, registry)
        registry.start()
        proxy = stack.enter_context(FaultProxy((GATEWAY, _REGISTRY_PORT), (GATEWAY, PROXY_PORT)))
        units.reset(host)
        stack.callback(units.reset, host)
        bed = Testbed(lab, host, registry, names, proxy, ImageMaker(registry.address), kind, stop_seconds)
        bed.publish()
        say(f"starting {images} units on {host.name}")
        bed.deploy()
        proxy.delay_ms = delay_ms
        yield bed


def _host(distro: str, number: int, say: t.Callable[[str], None]) -> tuple[Lab, Host]:
    """The lab and one host of it, started where it does not run; a lab that runs is used as it is."""
    with contextlib.suppress(LabError):
        running = Lab.open()
        # Whatever cache it lives in.
        os.environ["PODFLEET_CACHE"] = str(running.paths.cache.parent)
        return running, running.host(f"{distro}-{number}")
    lab = lablab.up(distro, number, secure=False, say=say)
    return lab, lab.host(f"{distro}-{number}")


def _forget(registry: Registry) -> None:
    registry.stop()
    shutil.rmtree(registry.paths.registry_data / registry.name, ignore_errors=True)
