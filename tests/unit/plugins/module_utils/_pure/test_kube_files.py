# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of Kubernetes YAML, their names at podman, and the file that a command plays."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.kube_files import (
    KubeContainer,
    containers_of,
    played_file,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.kube_yaml import KubeYamlError

_POD = """
kind: Pod
metadata: {name: p}
spec:
  initContainers:
  - {name: first, image: init}
  containers:
  - {name: a, image: one}
  - {name: b, image: two, imagePullPolicy: Always}
  - {name: c}
  - {image: four}
  - {name: d, image: five, imagePullPolicy: *somewhere}
"""


def test_a_pods_containers() -> None:
    assert containers_of(_POD) == (
        KubeContainer("p", "a", "one", None),
        KubeContainer("p", "b", "two", "Always"),
        KubeContainer("p", "d", "five", "always"),
    )


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Job"])
def test_a_template(kind: str) -> None:
    spec = {"containers": [{"name": "a", "image": "one"}]}
    document = {"kind": kind, "metadata": {"name": "d"}, "spec": {"template": {"spec": spec}}}
    (one,) = containers_of(json.dumps(document))
    assert one == KubeContainer("d", "a", "one", None)
    listed = {"kind": "List", "items": [document, {"kind": "List", "items": [document]}]}
    assert containers_of(json.dumps(listed)) == (one,)


@pytest.mark.parametrize("text", ["", "a: b", "- x", "kind: Pod", "kind: Pod\nspec: [1]", "kind: ConfigMap\ndata: {}"])
def test_what_has_no_containers(text: str) -> None:
    assert containers_of(text) == ()


def test_too_many_are_refused() -> None:
    items = ", ".join(f"{{name: c{number}, image: i}}" for number in range(1001))
    with pytest.raises(KubeYamlError, match="more than 1000"):
        containers_of(f"kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{items}]}}")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p-web", True),
        ("p-pod-web", True),
        ("p-pod-0-web", True),
        ("p-pod-12-web", True),
        ("p-my-web", False),
        ("other-web", False),
        ("web", False),
        ("p-webs", False),
        ("p-pod-x-web", False),
        ("pXweb", False),
    ],
)
def test_the_names_that_podman_gives(name: str, *, expected: bool) -> None:
    assert KubeContainer("p", "web", "image", None).is_called(name) is expected


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("/usr/bin/podman kube play --replace --service-container=true /k/app.yml", "/k/app.yml"),
        ("/usr/bin/podman play kube --replace --service-container=true /k/app.yml", "/k/app.yml"),
        ("/usr/bin/podman --log-level debug kube play --network net --annotation a=b /k/app.yml x", "/k/app.yml"),
        ("podman kube play --network=net --userns keep-id /k/app.yml", "/k/app.yml"),
        ("/usr/bin/podman kube play app.yml", None),
        ("/usr/bin/podman kube play -", None),
        ("/usr/bin/podman kube play https://example.com/app.yml", None),
        ("/usr/bin/podman kube play", None),
        ("/usr/bin/podman kube play --network", None),
        ("/usr/bin/podman play kube --down /k/app.yml", None),
        ("/usr/bin/podman kube down /k/app.yml", None),
        ("/usr/bin/podman run kube", None),
        ("/bin/sh -c kube play /k/app.yml", None),
        ("podman", None),
    ],
)
def test_the_file_that_is_played(command: str, path: str | None) -> None:
    assert played_file(command.split()) == path
