# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""From definitions to files: which style a host can have, and what its folders should hold."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from .container_definitions import ContainerUnit, Definition, KubeUnit, Notify, PodUnit, State
from .errors import InputError
from .podman_arguments import warnings
from .quadlet_units import QuadletCannotError, container_file, kube_file, pod_file
from .service_units import container_unit, kube_unit, pod_unit
from .unit_files import Entry, marker, render

#: Since when podman has what (its release notes); Quadlet's .pod files begin with 5.0.
OLDEST_PODMAN = (4, 3)
_QUADLET = (4, 4)
_QUADLET_PODS = (5, 0)
_NOTIFY_HEALTHY = (5, 0)
_KUBE_PUBLISH = (4, 4)
#: Older ones take «--replace --name a» for any container whose ID begins with «a».
_EXACT_REPLACE = (4, 4)
_HEXADECIMAL = re.compile(r"[0-9a-f]+\Z")
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")

Version = tuple[int, int]


class Style(str, enum.Enum):
    """How a unit is written."""

    AUTO = "auto"
    QUADLET = "quadlet"
    SERVICE = "service"


class Folder(str, enum.Enum):
    """Where a file belongs."""

    SYSTEMD = "systemd"
    QUADLET = "quadlet"
    KUBE = "kube"


@dataclass(frozen=True)
class UnitFile:
    """One file. C(service) is the unit that it makes; None for what a unit only reads."""

    folder: Folder
    name: str
    text: str
    service: str | None


@dataclass(frozen=True)
class Rendered:
    """One definition, ready for the host. C(root) is the unit to start; C(services) are all of them."""

    name: str
    kind: str
    style: Style
    root: str
    services: tuple[str, ...]
    files: tuple[UnitFile, ...]
    state: State
    enabled: bool
    warnings: tuple[str, ...]
    #: A file of the user's that the unit reads; a newer one asks for a restart.
    reads: str | None = None


@dataclass(frozen=True)
class Target:
    """The host that is rendered for. C(kube_folder) is where YAML goes that was given by value."""

    podman: str
    version: Version
    quadlet: bool
    kube_folder: str
    group: str


def parse_version(text: str) -> Version | None:
    """Major and minor of what C(podman --version) prints."""
    found = _VERSION.search(text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def rendered(definition: Definition, style: Style, target: Target) -> Rendered:
    """The files of one definition.

    Raises:
        InputError: The host's podman cannot do what is asked for.
    """
    _possible(definition, target.version)
    chosen = _style(definition, style, target)
    try:
        files = _files(definition, chosen is Style.QUADLET, target)
    except QuadletCannotError:
        if style is Style.QUADLET:
            raise
        chosen = Style.SERVICE
        files = _files(definition, False, target)
    return Rendered(
        name=definition.name,
        kind=_kind(definition),
        style=chosen,
        root=definition.services[0],
        services=definition.services,
        files=tuple(files),
        state=definition.unit.state,
        enabled=definition.unit.enabled,
        warnings=tuple(warning for one in _containers(definition) for warning in warnings(one.container, one.name)),
        reads=definition.path if isinstance(definition, KubeUnit) else None,
    )


def _kind(definition: Definition) -> str:
    if isinstance(definition, ContainerUnit):
        return "container"
    return "pod" if isinstance(definition, PodUnit) else "kube"


def _files(definition: Definition, quadlet: bool, target: Target) -> list[UnitFile]:
    if isinstance(definition, ContainerUnit):
        return [_container(definition, quadlet, target, None)]
    if isinstance(definition, PodUnit):
        return _pod(definition, quadlet, target)
    return _kube(definition, quadlet, target)


def _containers(definition: Definition) -> tuple[ContainerUnit, ...]:
    if isinstance(definition, ContainerUnit):
        return (definition,)
    return definition.members if isinstance(definition, PodUnit) else ()


def _possible(definition: Definition, version: Version) -> None:
    shown = ".".join(map(str, version))
    for one in _containers(definition):
        if one.container.notify is Notify.HEALTHY and version < _NOTIFY_HEALTHY:
            raise InputError(f"{one.name}: notify healthy needs podman 5.0; the host has {shown}")
        if version < _EXACT_REPLACE and _HEXADECIMAL.match(one.container.name):
            raise InputError(
                f"{one.name}: podman {shown} confuses the name {one.container.name} with the beginning of an ID, and"
                " would remove other containers; set container_name to one with another letter than a to f"
            )
    if isinstance(definition, KubeUnit) and definition.publish and version < _KUBE_PUBLISH:
        raise InputError(f"{definition.name}: publish needs podman 4.4 for the kind kube; the host has {shown}")


def _style(definition: Definition, style: Style, target: Target) -> Style:
    needed = _QUADLET_PODS if isinstance(definition, PodUnit) else _QUADLET
    possible = target.quadlet and target.version >= needed
    if style is Style.AUTO:
        return Style.QUADLET if possible else Style.SERVICE
    if style is Style.QUADLET and not possible:
        raise InputError(
            f"{definition.name}: the style quadlet needs podman {'.'.join(map(str, needed))} with its generator; the"
            f" host has {'.'.join(map(str, target.version))}"
        )
    return style


def _container(definition: ContainerUnit, quadlet: bool, target: Target, pod: PodUnit | None) -> UnitFile:
    if quadlet:
        return _file(definition.name, "container", container_file(definition, pod), definition.services[0], target)
    return _service(definition.services[0], container_unit(definition, target.podman, pod), target)


def _pod(pod: PodUnit, quadlet: bool, target: Target) -> list[UnitFile]:
    root = pod.services[0]
    own = _file(pod.name, "pod", pod_file(pod), root, target) if quadlet else None
    members = [_container(member, quadlet, target, pod) for member in pod.members]
    return [own or _service(root, pod_unit(pod, target.podman), target), *members]


def _kube(kube: KubeUnit, quadlet: bool, target: Target) -> list[UnitFile]:
    path = kube.path or f"{target.kube_folder}/{kube.name}.yml"
    root = kube.services[0]
    unit = (
        _file(kube.name, "kube", kube_file(kube, path), root, target)
        if quadlet
        else _service(root, kube_unit(kube, path, target.podman), target)
    )
    if kube.yaml is None:
        return [unit]
    text = f"{marker(target.group)}\n{kube.yaml}" + ("" if kube.yaml.endswith("\n") else "\n")
    return [unit, UnitFile(Folder.KUBE, f"{kube.name}.yml", text, None)]


def _file(name: str, suffix: str, entries: list[Entry], service: str, target: Target) -> UnitFile:
    return UnitFile(Folder.QUADLET, f"{name}.{suffix}", render(target.group, entries), service)


def _service(service: str, entries: list[Entry], target: Target) -> UnitFile:
    return UnitFile(Folder.SYSTEMD, service, render(target.group, entries), service)
