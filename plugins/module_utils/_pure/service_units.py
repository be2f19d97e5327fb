# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Classic service units, with the semantics of C(podman generate systemd --new).

Where a line differs from podman's, the reason stands beside it.
"""

from __future__ import annotations

import typing as t

from .container_definitions import ContainerUnit, KubeUnit, PodUnit, UnitOptions
from .podman_arguments import kube_options, pod_options, run_options
from .unit_files import Entry, command, word

#: podman's own stop timeout, and the room that podman itself has to clean up after it.
_STOP_SECONDS = 10
_STOP_ROOM = 60


def container_unit(definition: ContainerUnit, podman: str, pod: PodUnit | None = None) -> list[Entry]:
    """A unit that starts a fresh container from what its tag names then, and reports when it is ready."""
    container, unit = definition.container, definition.unit
    program = word(podman)
    id_file = "%t/%n.ctr-id"
    stop = "" if unit.stop_seconds is None else f" -t {unit.stop_seconds}"
    membership = [f"--pod-id-file=%t/{pod.service_name}.pod-id"] if pod else []
    unit_words = [
        f"--cidfile={id_file}",
        "--cgroups=no-conmon",
        "--rm",
        *membership,
        f"--sdnotify={container.notify.value}",
        "-d",
        "--replace",
    ]
    words = [f"--name={container.name}", *run_options(container, unit.stop_seconds), container.image]
    return [
        *head(unit, f"Podman container {definition.name}"),
        *_member_of(pod),
        *timing(unit),
        # podman 4.3's «podman rm» leaves the file, and its next «podman run» would refuse it.
        Entry("Service", "ExecStartPre", f"/bin/rm -f {id_file}"),
        Entry(
            "Service",
            "ExecStart",
            f"{program} run {' '.join(unit_words)} {command([*words, *container.command])}",
        ),
        Entry("Service", "ExecStop", f"{program} stop --ignore{stop} --cidfile={id_file}"),
        Entry("Service", "ExecStopPost", f"{program} rm -f --ignore{stop} --cidfile={id_file}"),
        Entry("Service", "Type", "notify"),
        Entry("Service", "NotifyAccess", "all"),
        # A member is started by its pod.
        *tail(unit, wanted=pod is None),
    ]


def _member_of(pod: PodUnit | None) -> list[Entry]:
    if pod is None:
        return []
    return [Entry("Unit", key, f"{pod.service_name}.service") for key in ("BindsTo", "After")]


def pod_unit(pod: PodUnit, podman: str) -> list[Entry]:
    """A unit that makes the pod anew at each start; it ends when the last of its containers ends."""
    program = word(podman)
    id_file, pid_file = f"%t/{pod.service_name}.pod-id", f"%t/{pod.service_name}.pid"
    members = " ".join(name for member in pod.members for name in member.services)
    create = f"--infra-conmon-pidfile={pid_file} --pod-id-file={id_file} --exit-policy=stop --replace"
    stop = "" if pod.unit.stop_seconds is None else f" -t {pod.unit.stop_seconds}"
    return [
        *head(pod.unit, f"Podman pod {pod.name}"),
        Entry("Unit", "Wants", members),
        Entry("Unit", "Before", members),
        *timing(pod.unit),
        # As for containers: podman refuses the ID file that an older one leaves.
        Entry("Service", "ExecStartPre", f"/bin/rm -f {pid_file} {id_file}"),
        Entry(
            "Service",
            "ExecStartPre",
            f"{program} pod create {create} {command([f'--name={pod.name}', *pod_options(pod)])}",
        ),
        Entry("Service", "ExecStart", f"{program} pod start --pod-id-file={id_file}"),
        Entry("Service", "ExecStop", f"{program} pod stop --ignore{stop} --pod-id-file={id_file}"),
        Entry("Service", "ExecStopPost", f"{program} pod rm --ignore -f --pod-id-file={id_file}"),
        Entry("Service", "PIDFile", pid_file),
        Entry("Service", "Type", "forking"),
        *tail(pod.unit, wanted=True),
    ]


def kube_unit(kube: KubeUnit, path: str, podman: str) -> list[Entry]:
    """A unit that plays the YAML, as podman's own podman-kube@.service does."""
    program, file = word(podman), word(path)
    options = command(kube_options(kube))
    return [
        *head(kube.unit, f"Podman kube play {kube.name}"),
        *timing(kube.unit),
        Entry(
            "Service",
            "ExecStart",
            " ".join(filter(None, [program, "kube play --replace --service-container=true", options, file])),
        ),
        Entry("Service", "ExecStop", f"{program} kube down {file}"),
        Entry("Service", "Type", "notify"),
        Entry("Service", "NotifyAccess", "all"),
        *tail(kube.unit, wanted=True),
    ]


def head(unit: UnitOptions, description: str) -> list[Entry]:
    """What every unit of every style waits for."""
    entries = [
        Entry("Unit", "Description", description),
        Entry("Unit", "Wants", "network-online.target"),
        Entry("Unit", "After", "network-online.target"),
        Entry("Unit", "RequiresMountsFor", "%t/containers"),
    ]
    # systemd's Requires= says nothing of order, and «needs» without «starts after» is what nobody means.
    entries += [Entry("Unit", key, name) for name in unit.requires for key in ("Requires", "After")]
    entries += [Entry("Unit", "After", name) for name in unit.after]
    return entries + [Entry("Unit", "Upholds", name) for name in unit.upholds]


def timing(unit: UnitOptions) -> t.Iterator[Entry]:
    """Restarts and timeouts; systemd waits longer for the stop than podman does, else it would kill podman first."""
    yield Entry("Service", "Restart", unit.restart)
    if unit.start_seconds is not None:
        yield Entry("Service", "TimeoutStartSec", str(unit.start_seconds))
    stop = _STOP_SECONDS if unit.stop_seconds is None else unit.stop_seconds
    yield Entry("Service", "TimeoutStopSec", str(stop + _STOP_ROOM))


def tail(unit: UnitOptions, *, wanted: bool) -> t.Iterator[Entry]:
    """The user's own lines, which win, and after them the one line without which nothing is ever updated."""
    yield from unit.lines
    yield Entry("Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n")
    if wanted:
        yield Entry("Install", "WantedBy", "default.target")
