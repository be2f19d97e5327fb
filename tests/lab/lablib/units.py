# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put real units on a host: classic, Quadlet, pods, several containers in one unit; and take everything off again.

Each helper is one call into the host, for a call costs more than most of what it does.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import LabError
from .host import Host

_MARK = "# A unit of the podfleet lab"
_SYSTEM = "/etc/systemd/system"
_QUADLET = "/etc/containers/systemd"
STYLES = ("service", "quadlet", "pod")


@dataclass(frozen=True)
class ContainerSpec:
    """One of several containers of a unit."""

    name: str
    image: str
    policy: str | None = "registry"
    extra_args: Sequence[str] = ()


@dataclass(frozen=True)
class Deployed:
    """What was put on the host. ``unit`` is the one that PODMAN_SYSTEMD_UNIT names and that a restart concerns."""

    unit: str
    containers: tuple[str, ...]
    files: tuple[str, ...]
    pod_unit: str | None = None


def _checked(containers: Sequence[ContainerSpec]) -> None:
    """podman 4.3 takes «--replace --name a» for any container whose ID begins with «a», and removes that one."""
    for spec in containers:
        if not set(spec.name) - set("0123456789abcdef"):
            raise LabError(
                f"the container name «{spec.name}» could be the beginning of an ID, which old podman confuses with a name; choose another"
            )


def _label(policy: str | None) -> list[str]:
    return [f"--label=io.containers.autoupdate={policy}"] if policy else []


def _escaped(words: Sequence[str]) -> str:
    """Words as systemd reads them: quoted, with its specifiers and variables taken literally."""
    quoted = (
        '"{}"'.format(word.replace("\\", "\\\\").replace('"', '\\"')) if set(word) & set(" \t\"'\\") else word
        for word in words
    )
    return " ".join(quoted).replace("$", "$$").replace("%", "%%")


def service_unit(container: ContainerSpec, *, pod: str | None = None) -> str:
    """What «podman generate systemd --new» writes, with its semantics (as podman 4.3 does: its «podman rm» leaves the ID file)."""
    member = f"BindsTo={pod}.service\nAfter={pod}.service\n" if pod else ""
    in_pod = f" --pod-id-file=%t/{pod}.pod-id" if pod else ""
    arguments = _escaped(["--name", container.name, *_label(container.policy), *container.extra_args, container.image])
    return f"""{_MARK}
[Unit]
Description=Podman container {container.name}
Wants=network-online.target
After=network-online.target
RequiresMountsFor=%t/containers
{member}
[Service]
Environment=PODMAN_SYSTEMD_UNIT=%n
Restart=on-failure
TimeoutStopSec=70
ExecStartPre=/bin/rm -f %t/%n.ctr-id
ExecStart=/usr/bin/podman run --cidfile=%t/%n.ctr-id --cgroups=no-conmon --rm{in_pod} --sdnotify=conmon -d --replace {arguments}
ExecStop=/usr/bin/podman stop --ignore -t 10 --cidfile=%t/%n.ctr-id
ExecStopPost=/usr/bin/podman rm -f --ignore -t 10 --cidfile=%t/%n.ctr-id
Type=notify
NotifyAccess=all

[Install]
WantedBy=default.target
"""


def pod_unit(name: str, member: str) -> str:
    """The pod's own unit, as «podman generate systemd --new» writes it."""
    files = f"--pod-id-file=%t/{name}.pod-id"
    return f"""{_MARK}
[Unit]
Description=Podman pod {name}
Wants=network-online.target {member}.service
After=network-online.target
Before={member}.service
RequiresMountsFor=%t/containers

[Service]
Environment=PODMAN_SYSTEMD_UNIT=%n
Restart=on-failure
TimeoutStopSec=70
ExecStartPre=/bin/rm -f %t/{name}.pid %t/{name}.pod-id
ExecStartPre=/usr/bin/podman pod create --infra-conmon-pidfile=%t/{name}.pid {files} --exit-policy=stop --name={name} --replace
ExecStart=/usr/bin/podman pod start {files}
ExecStop=/usr/bin/podman pod stop --ignore {files} -t 10
ExecStopPost=/usr/bin/podman pod rm --ignore -f {files}
PIDFile=%t/{name}.pid
Type=forking

[Install]
WantedBy=default.target
"""


def quadlet_unit(container: ContainerSpec) -> str:
    """A Quadlet .container file."""
    policy = f"AutoUpdate={container.policy}\n" if container.policy else ""
    extra = f"PodmanArgs={_escaped(container.extra_args)}\n" if container.extra_args else ""
    return f"""{_MARK}
[Unit]
Description=Quadlet container {container.name}

[Container]
ContainerName={container.name}
Image={container.image}
{policy}{extra}
[Service]
TimeoutStopSec=70

[Install]
WantedBy=default.target
"""


def many_unit(containers: Sequence[ContainerSpec]) -> str:
    """One oneshot unit that starts several containers and stays active."""
    starts = "".join(
        "ExecStart=/usr/bin/podman run -d --replace "
        + _escaped(["--name", spec.name, *_label(spec.policy), *spec.extra_args, spec.image])
        + "\n"
        for spec in containers
    )
    names = " ".join(spec.name for spec in containers)
    return f"""{_MARK}
[Unit]
Description=Podman containers {names}

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=PODMAN_SYSTEMD_UNIT=%n
TimeoutStopSec=70
{starts}ExecStop=/usr/bin/podman rm -f -i -t 10 {names}

[Install]
WantedBy=default.target
"""


def _install(
    host: Host, files: Mapping[str, str], unit: str, *, images: Sequence[str], start: bool, timeout: float
) -> None:
    script = ["set -e"]
    for path, text in files.items():
        script += [
            f"mkdir -p {shlex.quote(path.rpartition('/')[0])}",
            f"printf %s {shlex.quote(text)} > {shlex.quote(path)}",
        ]
    script += [f"podman pull -q {shlex.quote(image)} > /dev/null" for image in dict.fromkeys(images)]
    script.append("systemctl daemon-reload")
    if start:
        script.append(f"systemctl restart {unit}")
    try:
        host.run(["sh", "-s"], input="\n".join(script) + "\n", timeout=timeout)
    except LabError as failed:
        log = host.run(["journalctl", "--no-pager", "-n", "30", "-u", unit], check=False).stdout
        raise LabError(f"{unit} was not started on {host.name}: {failed}\n--- its journal\n{log}") from failed


def deploy(
    host: Host,
    name: str,
    *,
    image: str,
    policy: str | None = "registry",
    style: str = "service",
    extra_args: Sequence[str] = (),
    pull_first: bool = True,
    start: bool = True,
    timeout: float = 120,
) -> Deployed:
    """Write and start one unit with one container called ``name``; ``policy=None`` leaves the label out."""
    spec = ContainerSpec(name, image, policy, extra_args)
    _checked([spec])
    pod = None
    if style == "service":
        files = {f"{_SYSTEM}/{name}.service": service_unit(spec)}
    elif style == "quadlet":
        if host.distro == "bookworm":
            raise LabError(f'{host.name} has podman 4.3, which knows no Quadlet; use a trixie host, or style="service"')
        files = {f"{_QUADLET}/{name}.container": quadlet_unit(spec)}
    elif style == "pod":
        pod = f"{name}-pod"
        files = {
            f"{_SYSTEM}/{pod}.service": pod_unit(pod, name),
            f"{_SYSTEM}/{name}.service": service_unit(spec, pod=pod),
        }
    else:
        raise LabError(f"style must be one of {', '.join(STYLES)}, not {style}")
    # A pod's member is started by name too: its pod only «wants» it, so a failure would go unseen.
    root = f"{pod}.service {name}.service" if pod else f"{name}.service"
    _install(host, files, root, images=[image] if pull_first else [], start=start, timeout=timeout)
    return Deployed(f"{name}.service", (name,), tuple(files), f"{pod}.service" if pod else None)


def deploy_many(
    host: Host,
    unit: str,
    containers: Sequence[ContainerSpec],
    *,
    pull_first: bool = True,
    start: bool = True,
    timeout: float = 180,
) -> Deployed:
    """One unit with several containers."""
    _checked(containers)
    name = unit[: -len(".service")] if unit.endswith(".service") else unit
    files = {f"{_SYSTEM}/{name}.service": many_unit(containers)}
    _install(
        host,
        files,
        f"{name}.service",
        images=[spec.image for spec in containers] if pull_first else [],
        start=start,
        timeout=timeout,
    )
    return Deployed(f"{name}.service", tuple(spec.name for spec in containers), tuple(files))


def remove(host: Host, name: str, *, timeout: float = 120) -> None:
    """Stop and remove the unit (and pod unit) that deploy() made under that name."""
    name = name[: -len(".service")] if name.endswith(".service") else name
    files = [f"{_SYSTEM}/{name}.service", f"{_SYSTEM}/{name}-pod.service", f"{_QUADLET}/{name}.container"]
    units = f"{name}.service $(test -e {_SYSTEM}/{name}-pod.service && echo {name}-pod.service)"
    script = f"systemctl stop {units}\nrm -f {' '.join(files)}\nsystemctl daemon-reload\nsystemctl reset-failed {units} 2> /dev/null || true\n"
    host.run(["sh", "-s"], input=script, timeout=timeout)


_RESET = f"""files=$(grep -ls '^{_MARK}' {_SYSTEM}/*.service {_QUADLET}/*)
units=$(for file in $files; do base=${{file##*/}}; echo "${{base%.*}}.service"; done)
if [ -n "$units" ]; then
    # Queue the stops first, so that nothing is restarted; killing the containers then spares their stop timeouts.
    systemctl stop --no-block $units
    podman kill --all --signal KILL > /dev/null 2>&1
    systemctl stop $units
    rm -f $files
fi
rm -rf /var/lib/podfleet-autoupdate {_SYSTEM}/podfleet-autoupdate.* /run/podfleet-autoupdate
systemctl daemon-reload
systemctl reset-failed
podman pod rm --all --force --time 0 > /dev/null 2>&1
podman rm --all --force --time 0 --volumes > /dev/null 2>&1
podman rmi --all --force > /dev/null 2>&1
podman volume prune --force > /dev/null 2>&1
left=$(podman ps --all --quiet; podman images --quiet)
[ -z "$left" ] || {{ echo "left over: $left" >&2; exit 1; }}
"""


def reset(host: Host, *, timeout: float = 120) -> None:
    """Root's units, containers, images and the product's own state: gone. Users' stores are left to those who made the users."""
    host.run(["sh", "-s"], input=_RESET, timeout=timeout)
