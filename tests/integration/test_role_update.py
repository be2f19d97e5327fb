# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit that the role made is updated by image_autoupdate: a new image runs, a broken one is rolled back."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from pushing import Push, id_of
from sight import look

from roles import units

CASES = [
    (distro, style, name)
    for distro, style in (("trixie", "quadlet"), ("trixie", "service"), ("bookworm", "service"))
    for name in ("it-web", "it-web@blue", "pod")
] + [("trixie", "quadlet", "kube"), ("bookworm", "service", "kube")]
_YAML = """apiVersion: v1
kind: Pod
metadata:
  name: it-web
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: app
      image: {image}
      imagePullPolicy: IfNotPresent
"""


def _entry(name: str, image: str) -> tuple[dict[str, Any], str, str]:
    """The entry, its container's name, and its unit."""
    if name == "pod":
        return (
            {"name": "it-web", "kind": "pod", "members": [{"name": "app", "image": image}]},
            "it-web-app",
            "it-web-pod",
        )
    if name == "kube":
        entry = {"name": "it-play", "kind": "kube", "yaml": _YAML.format(image=image), "policies": {"app": "registry"}}
        return entry, "it-web-app", "it-play"
    return {"name": name, "image": image, "timeout_stop": 2}, name.replace("@", "-"), name


@pytest.mark.parametrize(("distro", "style", "name"), CASES)
def test_a_new_image_runs_and_a_broken_one_does_not_stay(
    host: Host, ansible: Ansible, push: Push, style: str, name: str
) -> None:
    old = push("app")
    entry, container, service = _entry(name, old.reference)
    units(ansible, host, [entry], style=style).succeeded()
    assert look(host).runs(container) == id_of(old)
    new = push("app", version="2")

    updated = ansible.update(host.name).succeeded()

    assert updated.verdicts() == {container: ("updated", None)}
    assert updated.row(container)["unit"] == f"{service}.service"
    assert look(host).runs(container) == id_of(new)

    push("app", version="3", kind=Kind.NO_START)
    broken = ansible.update(host.name).failed()

    assert broken.row(container)["status"] == "rolled_back"
    assert look(host).runs(container) == id_of(new)
    assert units(ansible, host, [entry], style=style).succeeded().changed == 0
