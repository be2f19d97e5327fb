# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units whose start pulls could not be put back: they are left alone before anything starts, in check mode too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kube
import pytest
from harness import Ansible, Result
from kube import KubeContainer
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.units import deploy
from pushing import Push, id_of
from sight import look, starts

HELD = ("held", "rollback_unsafe")
_CONF = "/etc/containers/containers.conf.d/it-pull.conf"


@pytest.fixture(autouse=True)
def tidy(host: Host) -> Iterator[None]:
    yield
    kube.remove(host)
    host.run(["rm", "-f", _CONF])


def _both(host: Host, ansible: Ansible, **arguments: Any) -> Result:
    """The same verdict in check mode and in a run, and nothing changed by either."""
    check = ansible.update(host.name, check=True, **arguments).succeeded()
    run = ansible.update(host.name, **arguments).succeeded()
    assert check.verdicts() == run.verdicts()
    assert not check.changed
    assert not run.changed
    return run


@pytest.mark.parametrize("option", ["--pull=always", "--pull=newer", "--platform=linux/amd64"])
def test_a_unit_whose_start_pulls_is_left_alone(host: Host, ansible: Ansible, push: Push, option: str) -> None:
    old = push("app")
    deploy(host, "it-app", image=old.reference, extra_args=[option])
    push("app", version="2", kind=Kind.NO_START)
    before, began = look(host), starts(host, "it-app.service")

    run = _both(host, ansible)

    assert run.verdicts() == {"it-app": HELD}
    assert option in run.row("it-app")["error"]
    assert look(host) == before
    assert starts(host, "it-app.service") == began


def test_it_is_updated_where_that_is_allowed_or_no_rollback_is_wanted(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-app", image=push("app").reference, extra_args=["--pull=always"])
    push("app", version="2")
    assert ansible.update(host.name, allow_unsafe_rollback=True).succeeded().verdicts() == {"it-app": ("updated", None)}
    new = push("app", version="3")
    assert ansible.update(host.name, rollback=False).succeeded().verdicts() == {"it-app": ("updated", None)}
    assert look(host).runs("it-app") == id_of(new)


def test_the_hosts_own_default_counts(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-app", image=push("app").reference)
    deploy(host, "it-told", image=push("told").reference, extra_args=["--pull=missing"])
    push("app", version="2")
    push("told", version="2")
    host.write(_CONF, '[engine]\npull_policy = "newer"\n')

    check = ansible.update(host.name, check=True).succeeded()

    assert check.verdicts() == {"it-app": HELD, "it-told": ("pending", "check_mode")}
    assert "containers.conf" in check.row("it-app")["error"]


def _kube(host: Host, push: Push, tag: str, pull: str | None) -> Pushed:
    image = push("app", tag=tag)
    kube.deploy(host, "it-kube", [KubeContainer("app", image.reference, pull=pull)], policy="registry")
    return image


@pytest.mark.parametrize(
    ("distro", "tag", "pull", "safe"),
    [
        ("trixie", "latest", None, False),
        ("trixie", "v1", None, True),
        ("trixie", "v1", "Always", False),
        ("trixie", "latest", "IfNotPresent", True),
        ("bookworm", "latest", None, False),
        ("bookworm", "v1", None, False),
        ("bookworm", "v1", "Always", False),
        ("bookworm", "latest", "IfNotPresent", True),
    ],
)
def test_kubes_defaults_are_those_of_the_release(
    host: Host, ansible: Ansible, push: Push, tag: str, pull: str | None, *, safe: bool
) -> None:
    _kube(host, push, tag, pull)
    push("app", tag=tag, version="2")

    check = ansible.update(host.name, check=True).succeeded()

    assert check.verdicts() == {"it-kube-app": ("pending", "check_mode") if safe else HELD}


@pytest.mark.parametrize("distro", ["trixie"])
def test_an_image_unit_is_warned_of(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("app")
    host.write(
        "/etc/containers/systemd/it-img.image", f"# A unit of the podfleet lab\n[Image]\nImage={image.reference}\n"
    )
    host.write(
        "/etc/containers/systemd/it-app.container",
        "# A unit of the podfleet lab\n[Container]\nContainerName=it-app\nImage=it-img.image\nAutoUpdate=registry\n",
    )
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "it-app.service"])
    push("app", version="2")

    check = ansible.update(host.name, check=True)

    assert check.succeeded().verdicts() == {"it-app": ("pending", "check_mode")}
    assert check.warns("boot_pulls")
    assert ansible.update(host.name).succeeded().verdicts() == {"it-app": ("updated", None)}
