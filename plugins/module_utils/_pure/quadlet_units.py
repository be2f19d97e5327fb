# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Quadlet files (podman-systemd.unit(5)).

Only keys are used that Quadlet has had since podman 4.4, its first; all else goes by C(PodmanArgs=). Quadlet splits
some values into words and takes others as they are: those others go by C(PodmanArgs=) too, unless they are plain.
"""

from __future__ import annotations

import re
import typing as t

from .container_definitions import ContainerUnit, KubeUnit, Notify, PodUnit
from .errors import InputError
from .podman_arguments import labels, policy_annotations, run_only_options, sharing_options
from .service_units import head, tail, timing
from .unit_files import Entry, command

#: What Quadlet hands on unchanged, and systemd takes literally.
_PLAIN = re.compile(r"[A-Za-z0-9_./:,=@+-]+\Z")
#: A name with such a suffix would be a reference to another Quadlet file.
_REFERENCES = re.compile(r"\.(?:image|build|volume|network|pod|container|kube)(?::|\Z)")
#: Quadlet drops an empty word and all after it, ends a command at a semicolon, and makes one byte of U+0080.
_LOST = ("", ";")
_MANGLED = "\x80"
_KEYS = {"--publish": "PublishPort", "--volume": "Volume", "--network": "Network"}


class QuadletCannotError(InputError):
    """A definition that Quadlet would change; a classic unit can have it."""


def container_file(definition: ContainerUnit, pod: PodUnit | None = None) -> list[Entry]:
    """A C(.container) file.

    Raises:
        QuadletCannotError: A value would not reach the container as it is.
    """
    container, unit = definition.container, definition.unit
    if _REFERENCES.search(container.image):
        raise QuadletCannotError(
            f"{definition.name}: Quadlet would take the image {container.image} for another file's name; use the style"
            " service"
        )
    own = _Lines("Container", definition.name)
    own.add("ContainerName", container.name)
    own.add("Image", container.image)
    if pod:
        own.add("Pod", f"{pod.name}.pod")
    for name, value in container.environment:
        own.words("Environment", [f"{name}={value}"])
    for name, value in labels(container):
        own.words("Label", [f"{name}={value}"])
    own.shared(sharing_options(container))
    if container.notify is not Notify.CONMON:
        own.add("Notify", "yes" if container.notify is Notify.CONTAINER else container.notify.value)
    own.arguments(run_only_options(container, unit.stop_seconds))
    if container.command:
        own.words("Exec", container.command)
    return [
        *head(unit, f"Podman container {definition.name}"),
        *own.lines,
        *timing(unit),
        # A unit that Quadlet makes is enabled by having this section; a member is started by its pod.
        *tail(unit, wanted=unit.enabled and pod is None),
    ]


def pod_file(pod: PodUnit) -> list[Entry]:
    """A C(.pod) file; Quadlet adds what ties the members to it."""
    own = _Lines("Pod", pod.name)
    own.add("PodName", pod.name)
    own.shared(sharing_options(pod))
    own.arguments([*([f"--userns={pod.userns}"] if pod.userns else []), *pod.podman_args])
    return [
        *head(pod.unit, f"Podman pod {pod.name}"),
        *own.lines,
        *timing(pod.unit),
        *tail(pod.unit, wanted=pod.unit.enabled),
    ]


def kube_file(kube: KubeUnit, path: str) -> list[Entry]:
    """A C(.kube) file."""
    if not _PLAIN.match(path):
        raise QuadletCannotError(f"{kube.name}: Quadlet cannot be given the path {path[:64]!r}; use the style service")
    own = _Lines("Kube", kube.name)
    own.add("Yaml", path)
    own.shared([*(f"--network={one}" for one in kube.networks), *(f"--publish={one}" for one in kube.publish)])
    own.arguments([*policy_annotations(kube), *kube.podman_args])
    return [
        *head(kube.unit, f"Podman kube play {kube.name}"),
        *own.lines,
        *timing(kube.unit),
        *tail(kube.unit, wanted=kube.unit.enabled),
    ]


class _Lines:
    """The lines of a file's own section."""

    def __init__(self, section: str, unit: str) -> None:
        self.lines: list[Entry] = []
        self._section = section
        self._unit = unit

    def add(self, key: str, value: str) -> None:
        self.lines.append(Entry(self._section, key, value))

    def words(self, key: str, words: t.Sequence[str]) -> None:
        """A value that Quadlet splits into words, each of which stays as it is."""
        for one in words:
            if one in _LOST or _MANGLED in one:
                raise QuadletCannotError(
                    f"{self._unit}: Quadlet does not hand on the value {one[:64]!r} as it is; use the style service"
                )
        self.add(key, command(words))

    def shared(self, options: t.Iterable[str]) -> None:
        """Ports, volumes and networks: by their own keys where Quadlet changes nothing in them."""
        for option in options:
            name, _equals, value = option.partition("=")
            if _PLAIN.match(value) and not _REFERENCES.search(value):
                self.add(_KEYS[name], value)
            else:
                self.words("PodmanArgs", [option])

    def arguments(self, words: t.Iterable[str]) -> None:
        """podman's options as they are, one in each line."""
        for one in words:
            self.words("PodmanArgs", [one])
