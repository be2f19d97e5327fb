# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What is to run on a host, as frozen facts: containers, pods of containers, and Kubernetes YAML, each with its unit."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .unit_files import Entry


class Notify(str, enum.Enum):
    """Who tells systemd that the unit is ready (podman-run(1), --sdnotify)."""

    CONMON = "conmon"
    CONTAINER = "container"
    HEALTHY = "healthy"


class State(str, enum.Enum):
    """What becomes of a unit."""

    STARTED = "started"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Health:
    """A healthcheck, in podman's own words; durations are Go's (30s, 1m30s)."""

    command: str
    interval: str | None = None
    retries: int | None = None
    start_period: str | None = None
    timeout: str | None = None


@dataclass(frozen=True)
class ContainerOptions:
    """What C(podman run) is told of one container. Nothing in it is escaped."""

    name: str
    image: str
    autoupdate: str
    authfile: str | None = None
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    environment_files: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    user: str | None = None
    userns: str | None = None
    health: Health | None = None
    notify: Notify = Notify.CONMON
    labels: tuple[tuple[str, str], ...] = ()
    podman_args: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnitOptions:
    """What systemd is told. Timeouts are in seconds; C(stop_seconds) is how long the container may take to stop."""

    restart: str = "on-failure"
    start_seconds: int | None = None
    stop_seconds: int | None = None
    requires: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    upholds: tuple[str, ...] = ()
    lines: tuple[Entry, ...] = ()
    enabled: bool = True
    state: State = State.STARTED


@dataclass(frozen=True)
class ContainerUnit:
    """One container and its unit C(name.service)."""

    name: str
    container: ContainerOptions
    unit: UnitOptions

    @property
    def services(self) -> tuple[str, ...]:
        """The units, the one to start first."""
        return (f"{self.name}.service",)


@dataclass(frozen=True)
class PodUnit:
    """A pod: the unit C(name-pod.service), and one unit for each member."""

    name: str
    unit: UnitOptions
    members: tuple[ContainerUnit, ...]
    publish: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    userns: str | None = None
    podman_args: tuple[str, ...] = ()

    @property
    def service_name(self) -> str:
        """The pod's own unit, without its suffix; podman's Quadlet names it so."""
        return f"{self.name}-pod"

    @property
    def services(self) -> tuple[str, ...]:
        """The units, the one to start first."""
        return (f"{self.service_name}.service", *(name for member in self.members for name in member.services))


@dataclass(frozen=True)
class KubeUnit:
    """Kubernetes YAML that podman plays: either the text itself, or the path of a file on the host."""

    name: str
    unit: UnitOptions
    yaml: str | None = None
    path: str | None = None
    #: Container name (empty: every container) and policy.
    policies: tuple[tuple[str, str], ...] = ()
    publish: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    podman_args: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """The units, the one to start first."""
        return (f"{self.name}.service",)


Definition = t.Union[ContainerUnit, PodUnit, KubeUnit]
