# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put units on a host that play Kubernetes YAML, in both of podman's ways."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lablib.host import Host
from locations import SCRATCH

_POLICY = "io.containers.autoupdate"
#: What the lab takes off a host again; an instance of podman's own template has no file of its own.
_MARK = "# A unit of the podfleet lab"


@dataclass(frozen=True)
class KubeContainer:
    """One container of the YAML. ``policy`` is podman's annotation for it, ``pull`` its imagePullPolicy."""

    name: str
    image: str
    policy: str | None = None
    pull: str | None = None
    more: Mapping[str, str] | None = None


def text(
    name: str,
    containers: Sequence[KubeContainer],
    policy: str | None = None,
    *,
    notified_by: str | None = None,
    places: Sequence[str] = (),
) -> str:
    """A pod; ``policy`` is the annotation for all of its containers.

    The unit waits until the container ``notified_by`` says that it is ready. ``places`` of the host are there for it.
    """
    annotations = {_POLICY: policy, **{f"{_POLICY}/{one.name}": one.policy for one in containers}}
    if notified_by:
        annotations[f"io.containers.sdnotify/{notified_by}"] = "container"
    lines = ["# Made by a test", "apiVersion: v1", "kind: Pod", "metadata:", f"  name: {name}", "  annotations:"]
    lines += [f"    {key}: {value}" for key, value in annotations.items() if value]
    lines += ["    made-by: 'a test: of kube'", "spec:", "  containers:"]
    for one in containers:
        lines += [f"  - name: {one.name}", f'    image: "{one.image}"  # what runs']
        lines += [f"    imagePullPolicy: {one.pull}"] if one.pull else []
        lines += [f"    {key}: {value}" for key, value in (one.more or {}).items()]
        if one.name == notified_by:
            mounts = [{"name": f"v{number}", "mountPath": place} for number, place in enumerate(places)]
            lines.append(f"    volumeMounts: {json.dumps(mounts)}")
    volumes = [{"name": f"v{number}", "hostPath": {"path": place}} for number, place in enumerate(places)]
    lines += [f"  volumes: {json.dumps(volumes)}"] if volumes else []
    return "\n".join(lines) + "\n"


def deploy(
    host: Host,
    name: str,
    containers: Sequence[KubeContainer],
    *,
    policy: str | None = None,
    style: str = "template",
    **more: Any,
) -> str:
    """Write the YAML and start its unit, whose name is returned. ``style`` is template (podman-kube@) or quadlet."""
    path = f"{SCRATCH}/{name}.yml"
    host.write(path, text(name, containers, policy, **more))
    if style == "quadlet":
        unit = f"{name}.service"
        host.write(f"/etc/containers/systemd/{name}.kube", f"{_MARK}\n[Kube]\nYaml={path}\n")
        host.run(["systemctl", "daemon-reload"])
    else:
        escaped = host.run(["systemd-escape", path]).stdout.strip()
        unit = f"podman-kube@{escaped}.service"
    host.run(["systemctl", "start", unit], timeout=120)
    return unit


def remove(host: Host) -> None:
    """Stop every instance of podman's template: the lab knows only units that have a file."""
    units = shlex.quote("podman-kube@*")
    host.run(["sh", "-c", f"systemctl stop {units}; systemctl reset-failed {units}; true"], timeout=120)
