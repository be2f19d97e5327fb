# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registries.conf of a real host: the check asks where podman pulls from, mirrors first, in names of nobody's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from access import Asked
from harness import Ansible
from lablib.host import Host
from lablib.images import ImageMaker, Pushed
from lablib.lab import Lab
from lablib.registry import Registry
from lablib.units import deploy
from locations import LANE, PROXY_PORTS
from pushing import Push, id_of

_NAME = "images.example.test/team"
_FILE = "/etc/containers/registries.conf.d/it-mirrors.conf"
Configure = Callable[[str], None]


@pytest.fixture
def mirror(lab: Lab, distro: str) -> Iterator[Registry]:
    """A second registry, which is this test's alone."""
    registry = Registry(lab.paths, f"it-mirror-{distro}-{LANE}", PROXY_PORTS[distro][-1])
    registry.start()
    yield registry
    registry.stop()
    shutil.rmtree(registry.paths.registry_data / registry.name, ignore_errors=True)


@pytest.fixture
def configure(host: Host) -> Iterator[Configure]:
    """Write a drop-in of registries.conf."""
    yield lambda text: host.write(_FILE, text)
    host.run(["rm", "-f", _FILE])


def _rule(origin: Registry, mirror: Registry, more: str = "", mirrors: str = "") -> str:
    return f"""
[[registry]]
prefix = "{_NAME}"
location = "{origin.address}"
insecure = true
{more}
[[registry.mirror]]
location = "{mirror.address}"
insecure = true
{mirrors}
"""


def _push_to_both(push: Push, mirror: Registry, distro: str, version: str) -> Pushed:
    """The same image in both places."""
    there = Push(ImageMaker(mirror.address), distro)("mirrored", version=version)
    here = push("mirrored", version=version)
    assert here.digest == there.digest
    return here


def _name(push: Push) -> str:
    return f"{_NAME}/{push.repository('mirrored')}:latest"


def test_a_mirror_is_asked_before_its_origin_and_the_origin_when_it_is_gone(
    lab: Lab, host: Host, ansible: Ansible, push: Push, mirror: Registry, configure: Configure, distro: str
) -> None:
    configure(_rule(lab.registry, mirror))
    old = _push_to_both(push, mirror, distro, "1")
    deploy(host, "it-mirrored", image=_name(push))
    path = f"/v2/{push.repository('mirrored')}/manifests/latest"

    marks = lab.registry.mark(), mirror.mark()
    run = ansible.update(host.name, check=True)
    assert run.succeeded().verdicts() == {"it-mirrored": ("current", None)}
    assert (Asked.by(host, mirror, marks[1]).heads, Asked.by(host, lab.registry, marks[0]).requests) == ([path], ())

    new = _push_to_both(push, mirror, distro, "2")
    assert ansible.update(host.name, check=True).succeeded().verdicts() == {"it-mirrored": ("pending", "check_mode")}
    updated = ansible.update(host.name).succeeded()
    assert updated.verdicts() == {"it-mirrored": ("updated", None)}
    row = updated.row("it-mirrored")
    assert row["before"] == {"id": id_of(old), "digest": old.digest}
    assert row["after"] == {"id": id_of(new), "digest": new.digest}
    assert ansible.update(host.name, check=True).succeeded().verdicts() == {"it-mirrored": ("current", None)}
    again = ansible.update(host.name).succeeded()
    assert (again.changed, again.verdicts()) == (False, {"it-mirrored": ("current", None)})

    mirror.stop()
    marks = lab.registry.mark(), 0
    run = ansible.update(host.name, check=True)
    assert run.succeeded().verdicts() == {"it-mirrored": ("current", None)}
    assert Asked.by(host, lab.registry, marks[0]).heads == [path]
    told = {one["registry"]: one["reason"] for one in run.result.data["registries"]}
    assert told == {mirror.address: "registry_unreachable", lab.registry.address: None}


@pytest.mark.parametrize("older_key", [True, False])
def test_a_mirror_for_digests_only_is_not_asked_for_a_tag(
    lab: Lab,
    host: Host,
    ansible: Ansible,
    push: Push,
    mirror: Registry,
    configure: Configure,
    distro: str,
    older_key: bool,
) -> None:
    by_digest = ("mirror-by-digest-only = true", "") if older_key else ("", 'pull-from-mirror = "digest-only"')
    configure(_rule(lab.registry, mirror, *by_digest))
    _push_to_both(push, mirror, distro, "1")
    deploy(host, "it-mirrored", image=_name(push))
    new = _push_to_both(push, mirror, distro, "2")

    marks = lab.registry.mark(), mirror.mark()
    run = ansible.update(host.name, check=True)
    assert run.succeeded().verdicts() == {"it-mirrored": ("pending", "check_mode")}
    assert run.result.row("it-mirrored")["after"]["id"] == id_of(new)
    asked = Asked.by(host, lab.registry, marks[0])
    assert (len(asked.heads), Asked.by(host, mirror, marks[1]).requests) == (1, ())


def test_what_is_blocked_is_not_asked(
    lab: Lab, host: Host, ansible: Ansible, push: Push, mirror: Registry, configure: Configure, distro: str
) -> None:
    configure(_rule(lab.registry, mirror))
    _push_to_both(push, mirror, distro, "1")
    deploy(host, "it-mirrored", image=_name(push))
    configure(_rule(lab.registry, mirror, "blocked = true"))

    marks = lab.registry.mark(), mirror.mark()
    run = ansible.update(host.name, check=True)
    assert run.succeeded().verdicts() == {"it-mirrored": ("unknown", "blocked")}
    for registry, mark in zip((lab.registry, mirror), marks):
        assert Asked.by(host, registry, mark).requests == ()
