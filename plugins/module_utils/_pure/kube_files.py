# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What the Kubernetes YAML of a unit says of its containers: their references, and when they are pulled.

podman keeps neither (C(podman inspect) and C(podman kube generate) have only the name that it resolved to, which a
container that is named by ID has too). So the file is read, and counts only as far as podman's own facts fit it.
"""

from __future__ import annotations

import pathlib
import re
import typing as t
from dataclasses import dataclass

from .kube_yaml import KubeYamlError, load_documents

#: podman calls a Deployment's container C(NAME-pod-CONTAINER), podman 4.3 C(NAME-pod-0-CONTAINER).
_REPLICA = r"(?:-pod(?:-\d+)?)?"
_MOST = 1000
#: Options of C(podman kube play) whose value is a word of its own, in the releases 4.3 to 5.6.
_WITH_VALUE = (
    *("--annotation", "--authfile", "--build-context", "--cert-dir", "--configmap", "--context-dir", "--creds", "--ip"),
    *("--log-driver", "--log-opt", "--mac-address", "--network", "--publish", "--seccomp-profile-root", "--userns"),
)


@dataclass(frozen=True)
class KubeContainer:
    """One container of a file; C(owner) is the name of the pod, or of the deployment, that it is in."""

    owner: str
    name: str
    image: str
    pull_policy: str | None

    def is_called(self, container_name: str) -> bool:
        """Whether podman gives the container that name (podman-kube-play(1))."""
        pattern = f"{re.escape(self.owner)}{_REPLICA}-{re.escape(self.name)}"
        return re.fullmatch(pattern, container_name) is not None


def containers_of(text: str) -> tuple[KubeContainer, ...]:
    """The containers that a file names; what has no image is left out.

    Raises:
        KubeYamlError: The text cannot be read.
    """
    found = [one for document in load_documents(text) for one in _of_object(document)]
    if len(found) > _MOST:
        raise KubeYamlError(f"it names more than {_MOST} containers")
    return tuple(found)


def _of_object(document: object) -> t.Iterator[KubeContainer]:
    top = _mapping(document)
    if top.get("kind") == "List":
        for item in _list(top.get("items")):
            if _mapping(item).get("kind") != "List":
                yield from _of_object(item)
        return
    owner = _mapping(top.get("metadata")).get("name")
    spec = _mapping(top.get("spec"))
    pod = spec if top.get("kind") == "Pod" else _mapping(_mapping(spec.get("template")).get("spec"))
    for entry in map(_mapping, _list(pod.get("containers"))):
        name, image, policy = entry.get("name"), entry.get("image"), entry.get("imagePullPolicy")
        if isinstance(owner, str) and isinstance(name, str) and isinstance(image, str):
            # A policy that is there and cannot be read is not the default.
            told = "imagePullPolicy" in entry
            yield KubeContainer(owner, name, image, policy if isinstance(policy, str) else "always" if told else None)


def _mapping(value: object) -> t.Mapping[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> t.Sequence[t.Any]:
    return value if isinstance(value, list) else ()


def played_file(command: t.Sequence[str]) -> str | None:
    """The file of a C(podman kube play) or C(podman play kube) command; None where it is another command, or no file."""
    words = list(command[1:])
    for start in range(len(words) - 1):
        if (words[start], words[start + 1]) in (("kube", "play"), ("play", "kube")):
            break
    else:
        return None
    if pathlib.PurePath(command[0]).name != "podman" or "--down" in words:
        return None
    rest = words[start + 2 :]
    position = 0
    while position < len(rest):
        word = rest[position]
        if not word.startswith("-"):
            return word if word.startswith("/") else None
        position += 2 if word in _WITH_VALUE else 1
    return None
