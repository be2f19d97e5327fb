# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that play Kubernetes YAML: one unit, several containers, each with a policy of its own."""

from __future__ import annotations

from collections.abc import Iterator

import kube
import pytest
from harness import Ansible, same_prediction
from kube import KubeContainer
from lablib.host import Host
from lablib.images import Kind
from pushing import Push, id_of
from sight import look, starts

STYLES = [("trixie", "template"), ("trixie", "quadlet"), ("bookworm", "template")]
_SAFE = "IfNotPresent"


@pytest.fixture(autouse=True)
def tidy(host: Host) -> Iterator[None]:
    yield
    kube.remove(host)


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_each_container_follows_its_own_policy(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    """check, run, check, run: one restart for the unit, whatever changes in it."""
    web, app, still = push("web", tag="v1"), push("app", tag="v1"), push("still", tag="v1")
    unit = kube.deploy(
        host,
        "it-kube",
        [
            KubeContainer("web", web.reference, pull=_SAFE),
            KubeContainer("app", app.reference, "local", pull=_SAFE),
            KubeContainer("still", still.reference, "disabled", pull=_SAFE),
        ],
        policy="registry",
        style=style,
    )
    new_web, new_app = push("web", tag="v1", version="2"), push("app", tag="v1", version="2")
    current = ansible.update(host.name, check=True).succeeded()
    assert current.verdicts() == {"it-kube-web": ("pending", "check_mode"), "it-kube-app": ("current", None)}
    assert {row["unit"] for row in current.rows} == {unit}
    assert current.row("it-kube-web")["image"] == web.reference
    assert [current.row(f"it-kube-{name}")["policy"] for name in ("web", "app")] == ["registry", "local"]

    host.run(["podman", "pull", "-q", new_app.reference])
    before, began = look(host), starts(host, unit)
    check = ansible.update(host.name, check=True).succeeded()
    run = ansible.update(host.name).succeeded()

    assert same_prediction(check, run)
    assert run.verdicts() == dict.fromkeys(("it-kube-web", "it-kube-app"), ("updated", None))
    after = look(host)
    assert after.runs("it-kube-web") == id_of(new_web) == after.names[web.reference]
    assert after.runs("it-kube-app") == id_of(new_app)
    assert after.runs("it-kube-still") == before.runs("it-kube-still")
    assert len(starts(host, unit) - began) == 1
    assert not ansible.update(host.name, check=True).succeeded().changed
    assert not ansible.update(host.name).succeeded().changed
    assert len(starts(host, unit) - began) == 1


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_a_broken_image_takes_all_of_the_unit_back(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    web, app = push("web", tag="v1"), push("app", tag="v1")
    kube.deploy(
        host,
        "it-kube",
        [KubeContainer("web", web.reference, pull=_SAFE), KubeContainer("app", app.reference, pull=_SAFE)],
        policy="registry",
        style=style,
    )
    push("web", tag="v1", version="2")
    push("app", tag="v1", version="2", kind=Kind.NO_START)

    run = ansible.update(host.name).failed()

    assert {name: status for name, (status, _reason) in run.verdicts().items()} == {
        "it-kube-web": "rolled_back",
        "it-kube-app": "rolled_back",
    }
    after = look(host)
    assert (after.runs("it-kube-web"), after.runs("it-kube-app")) == (id_of(web), id_of(app))
    assert (after.names[web.reference], after.names[app.reference]) == (id_of(web), id_of(app))


def test_what_is_named_by_id_or_digest_is_pinned(host: Host, ansible: Ansible, push: Push) -> None:
    """podman shows a tag for a container that is named by its image's ID (the registry policy it refuses there)."""
    image = push("app", tag="v1")
    host.run(["podman", "pull", "-q", image.reference])
    kube.deploy(
        host,
        "it-kube",
        [
            KubeContainer("by-id", id_of(image).partition(":")[2], "local"),
            KubeContainer("by-digest", image.pinned),
            KubeContainer("by-tag", image.reference, pull=_SAFE),
        ],
        policy="registry",
    )
    push("app", tag="v1", version="2")

    check = ansible.update(host.name, check=True).succeeded()

    assert check.verdicts() == {
        "it-kube-by-id": ("pinned", None),
        "it-kube-by-digest": ("pinned", None),
        "it-kube-by-tag": ("pending", "check_mode"),
    }
    info = ansible.info(host.name).succeeded()
    assert info.workload("it-kube-by-id")["pinned"]


def test_a_file_that_says_something_else_by_now_is_not_believed(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("app", tag="v1")
    kube.deploy(host, "it-kube", [KubeContainer("app", image.reference, pull=_SAFE)], policy="registry")
    path = "/run/podfleet-integration/it-kube.yml"
    host.write(path, host.read(path).replace(":v1", ":v2"))

    run = ansible.update(host.name).failed()

    assert run.verdicts() == {"it-kube-app": ("failed", "raw_name_unknown")}
    assert "v2" in run.row("it-kube-app")["error"]
    host.run(["rm", path])
    assert ansible.update(host.name, check=True).failed().verdicts() == {"it-kube-app": ("failed", "raw_name_unknown")}


def test_a_deployment_is_found_by_its_containers_names(host: Host, ansible: Ansible, push: Push) -> None:
    one, two = push("one", tag="v1"), push("two", tag="v1")
    path = "/run/podfleet-integration/it-deployment.yml"
    host.write(
        path,
        f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: it-dep
  annotations: {{io.containers.autoupdate: registry}}
spec:
  selector:
    matchLabels: {{app: it-dep}}
  template:
    metadata:
      labels: {{app: it-dep}}
    spec:
      containers:
      - {{name: web, image: "{one.reference}", imagePullPolicy: IfNotPresent}}
---
apiVersion: v1
kind: Pod
metadata:
  name: it-pod
  annotations:
    io.containers.autoupdate: local
spec:
  containers:
  - image: {two.reference}
    name: web
    imagePullPolicy: IfNotPresent
""",
    )
    escaped = host.run(["systemd-escape", path]).stdout.strip()
    host.run(["systemctl", "start", f"podman-kube@{escaped}.service"])

    rows = ansible.update(host.name, check=True).succeeded().rows

    assert sorted((row["image"], row["policy"], row["status"]) for row in rows) == [
        (one.reference, "registry", "current"),
        (two.reference, "local", "current"),
    ]
