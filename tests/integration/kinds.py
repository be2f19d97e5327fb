# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of unit that runs containers, in the system's manager or in a user's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import kube
from kube import KubeContainer
from lablib.host import Host
from lablib.units import ContainerSpec, many_unit, pod_unit, quadlet_unit, service_unit
from users import USER, User

_MARK = "# A unit of the podfleet lab\n"
_LABEL = "--label=io.containers.autoupdate=registry"
_BY_HAND = """{mark}[Service]
{settings}
Environment=PODMAN_SYSTEMD_UNIT=%n
TimeoutStopSec=70
ExecStart=/usr/bin/podman run --rm --replace --name={name} {label} {options} {image}
ExecStop=/usr/bin/podman rm --force --ignore --time=1 {name}
"""
_QUADLET_POD = f"{_MARK}[Pod]\nPodName=it-quadlets\n"


@dataclass(frozen=True)
class Workload:
    """A container, the unit that counts for it, and the files that make it: name → text, as their folders differ.

    ``members`` have to be started by name, as starting the unit only wants them.
    """

    container: str
    unit: str
    files: Mapping[str, str]
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manager:
    """Where units are put, and who runs them: root, or a user of the host."""

    host: Host
    user: User | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What tells image_autoupdate that these units are meant."""
        return {"scope": "user", "user": USER} if self.user else {}

    def path(self, name: str) -> str:
        quadlet = name.endswith((".container", ".kube", ".pod"))
        if name.endswith(".yml"):
            return f"/home/{USER}/{name}" if self.user else f"/run/podfleet-integration/{name}"
        if self.user:
            return f"/home/{USER}/.config/{'containers/systemd' if quadlet else 'systemd/user'}/{name}"
        return f"{'/etc/containers/systemd' if quadlet else '/etc/systemd/system'}/{name}"

    def run(self, *argv: str, check: bool = True, timeout: float = 120) -> str:
        """A command of root's, or of the user's; ``systemctl`` speaks to the manager that is meant."""
        if self.user is None:
            return self.host.run(argv, check=check, timeout=timeout).stdout
        return self.user.run(*argv, check=check, timeout=timeout)

    def systemctl(self, *argv: str, check: bool = True) -> str:
        return self.run("systemctl", *(["--user"] if self.user else []), *argv, check=check)

    def start(self, image: str, *workloads: Workload) -> None:
        """Write all of them and start them. The image is any that runs."""
        for workload in workloads:
            for name, text in workload.files.items():
                self.host.write(self.path(name), text)
        if self.user:
            self.host.run(["chown", "-R", f"{USER}:", f"/home/{USER}"])
            # What all containers of a user share (a process, a network) must not live in the unit that happens to be first.
            self.run("podman", "run", "--detach", "--name=it-shared", "--network=bridge", image)
        self.systemctl("daemon-reload")
        self.systemctl("start", *(name for one in workloads for name in (one.unit, *one.members)))

    def property(self, unit: str, name: str) -> str:
        return self.systemctl("show", f"--property={name}", "--value", unit).strip()

    def invocations(self, *workloads: Workload) -> dict[str, str]:
        """Another one for each unit after each start."""
        return {one.unit: self.property(one.unit, "InvocationID") for one in workloads}

    def starts(self, *workloads: Workload) -> list[int]:
        """How often each unit was started, as the journal knows it."""
        field = "USER_UNIT" if self.user else "UNIT"
        invocation = "USER_INVOCATION_ID" if self.user else "INVOCATION_ID"
        counts = []
        for one in workloads:
            argv = ["journalctl", "--quiet", "--output=json", f"--output-fields={invocation}", f"{field}={one.unit}"]
            entries = map(json.loads, self.host.run(argv).stdout.splitlines())
            counts.append(len({entry[invocation] for entry in entries if entry.get(invocation)}))
        return counts

    def ids(self) -> dict[str, str]:
        """Container name → its ID, of all that run."""
        lines = self.run("podman", "ps", "--no-trunc", "--format={{.Names}} {{.ID}}").splitlines()
        return dict(line.split() for line in lines)

    def running(self, *containers: str) -> dict[str, str]:
        """Container name → the image ID that it runs."""
        found = json.loads(self.run("podman", "inspect", "--type=container", *containers))
        assert {one["Name"]: one["State"]["Running"] for one in found} == dict.fromkeys(containers, True)
        return {one["Name"]: f"sha256:{one['Image']}" for one in found}

    def cgroup(self, container: str) -> str:
        """The control group of a container's conmon."""
        pid = self.run("podman", "inspect", "--type=container", "--format={{.State.ConmonPid}}", container).strip()
        (line,) = (line for line in self.host.read(f"/proc/{pid}/cgroup").splitlines() if line.startswith("0::"))
        return line[3:]


def generated(name: str, image: str) -> Workload:
    """As «podman generate systemd» writes it."""
    return Workload(name, f"{name}.service", {f"{name}.service": service_unit(ContainerSpec(name, image))})


def all_kinds(manager: Manager, image_of: Callable[[str], str]) -> tuple[Workload, ...]:
    """One of each kind that this host's podman knows; each container has an image of its own."""

    def spec(name: str) -> ContainerSpec:
        return ContainerSpec(name, image_of(name))

    def by_hand(name: str, settings: str, options: str) -> Workload:
        text = _BY_HAND.format(
            mark=_MARK, name=name, settings=settings, label=_LABEL, options=options, image=image_of(name)
        )
        return Workload(name, f"{name}.service", {f"{name}.service": text})

    def yaml(name: str) -> str:
        # With one container only, the pod of podman 4.3 would end along with it.
        image, safe = image_of(f"{name}-one"), "IfNotPresent"
        containers = [KubeContainer("one", image, pull=safe), KubeContainer("two", image, "disabled", pull=safe)]
        return kube.text(name, containers, policy="registry")

    oneshot = "Type=oneshot\nRemainAfterExit=yes"
    path = manager.path("it-kube.yml").replace("-", "\\x2d").replace("/", "-")
    instance = by_hand("it-shop-home", oneshot, "--detach")
    found = [
        generated("it-generated", image_of("it-generated")),
        Workload("it-oneshot", "it-oneshot.service", {"it-oneshot.service": many_unit([spec("it-oneshot")])}),
        by_hand("it-forked", oneshot, "--detach"),
        by_hand("it-split", "Type=notify\nNotifyAccess=all", "--detach --sdnotify=conmon --cgroups=split"),
        by_hand("it-foreground", "Type=simple", "--cgroups=no-conmon"),
        # An instance's container is called as the instance, which has a character that systemd escapes.
        replace(
            instance,
            unit="it-stall@shop\\x2dhome.service",
            files={"it-stall@.service": instance.files["it-shop-home.service"].replace("=it-shop-home", "=it-%I")},
        ),
        Workload(
            "it-member",
            "it-member-pod.service",
            {
                "it-member-pod.service": pod_unit("it-member-pod", "it-member"),
                "it-member.service": service_unit(spec("it-member"), pod="it-member-pod"),
            },
            members=("it-member.service",),
        ),
        Workload("it-kube-one", f"podman-kube@{path}.service", {"it-kube.yml": yaml("it-kube")}),
    ]
    if manager.host.distro == "trixie":
        played = f"{_MARK}[Kube]\nYaml={manager.path('it-played.yml')}\n"
        inside = quadlet_unit(spec("it-inside")).replace("[Container]\n", "[Container]\nPod=it-quadlets.pod\n")
        found += [
            Workload("it-quadlet", "it-quadlet.service", {"it-quadlet.container": quadlet_unit(spec("it-quadlet"))}),
            Workload(
                "it-played-one", "it-played.service", {"it-played.yml": yaml("it-played"), "it-played.kube": played}
            ),
            Workload(
                "it-inside",
                "it-quadlets-pod.service",
                {"it-quadlets.pod": _QUADLET_POD, "it-inside.container": inside},
                members=("it-inside.service",),
            ),
        ]
    return tuple(found)
