# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's units on real hosts: a check says what a run does, a second run does nothing, and only what changed restarts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from pushing import Push, id_of
from sight import look, unit

from roles import play, units

STYLES = [("trixie", "service"), ("trixie", "quadlet"), ("bookworm", "service")]
_SUFFIX = {"quadlet": "/etc/containers/systemd/{}.container", "service": "/etc/systemd/system/{}.service"}


def _entries(image: str, **more: Any) -> list[dict[str, Any]]:
    """One unit of each kind."""
    yaml = f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: it-kube\nspec:\n  containers:\n    - name: app\n      image: {image}\n"
    return [
        {"name": "it-web", "image": image, "timeout_stop": 3, **more},
        {
            "name": "it-shop",
            "kind": "pod",
            "members": [{"name": "web", "image": image}, {"name": "cache", "image": image, "autoupdate": "disabled"}],
        },
        {"name": "it-play", "kind": "kube", "yaml": yaml, "policies": {"*": "registry"}},
    ]


def _ids(host: Host) -> dict[str, str]:
    return {name: container.id for name, container in look(host).containers.items()}


def _files(host: Host) -> str:
    command = (
        "ls -l --time-style=full-iso /etc/systemd/system /etc/containers/systemd /etc/podfleet-autoupdate/kube 2>&1"
    )
    return host.run(["sh", "-c", command], check=False).stdout


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_a_check_says_what_a_run_does_and_a_second_run_does_nothing(
    host: Host, ansible: Ansible, push: Push, style: str
) -> None:
    entries = _entries(push("app").reference)
    before = _files(host)

    predicted = units(ansible, host, entries, "--check", "--diff", style=style).succeeded()

    assert _files(host) == before
    assert _ids(host) == {}
    assert "+ExecStart=" in predicted.output or "+ContainerName=it-web" in predicted.output

    real = units(ansible, host, entries, "--diff", style=style).succeeded()

    assert real.stories() == predicted.stories()
    assert real.stories() == {
        "it-web.service": ("created", "started"),
        "it-shop-pod.service": ("created", "started"),
        "it-play.service": ("created", "started"),
    }
    for name in ("it-web", "it-shop-pod", "it-shop-web", "it-shop-cache", "it-play"):
        assert unit(host, f"{name}.service").active == "active"
    labels = json.loads(host.run(["podman", "inspect", "it-web", "it-shop-web", "it-kube-app"]).stdout)
    assert [one["Config"]["Labels"].get("io.containers.autoupdate") for one in labels] == ["registry"] * 3
    assert labels[0]["Config"]["Labels"]["PODMAN_SYSTEMD_UNIT"] == "it-web.service"

    after, files = _ids(host), _files(host)
    for options in (["--check"], []):
        again = units(ansible, host, entries, *options, style=style).succeeded()
        assert set(again.stories().values()) == {("unchanged", "none")}
        assert again.changed == 0
    assert (_ids(host), _files(host)) == (after, files)


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_only_the_changed_unit_restarts_and_what_leaves_the_list_goes(
    host: Host, ansible: Ansible, push: Push, style: str
) -> None:
    image = push("app").reference
    units(ansible, host, _entries(image), style=style).succeeded()
    host.write("/etc/systemd/system/it-foreign.service", "[Service]\nExecStart=/bin/sleep 1\n")
    before = _ids(host)

    changed = units(ansible, host, _entries(image, environment={"A": "1"}), style=style).succeeded()

    assert changed.stories() == {
        "it-web.service": ("changed", "restarted"),
        "it-shop-pod.service": ("unchanged", "none"),
        "it-play.service": ("unchanged", "none"),
    }
    after = _ids(host)
    assert {name for name in before if before[name] != after.get(name)} == {"it-web"}

    rest = _entries(image)[1:2]
    predicted = units(ansible, host, rest, "--check", style=style).succeeded()
    assert _ids(host) == after
    gone = units(ansible, host, rest, style=style).succeeded()

    assert (
        predicted.stories()
        == gone.stories()
        == {
            "it-web.service": ("removed", "stopped"),
            "it-play.service": ("removed", "stopped"),
            "it-shop-pod.service": ("unchanged", "none"),
        }
    )
    left = _ids(host)
    assert {"it-shop-web", "it-shop-cache"} < set(left)
    assert len(left) == 3, "the pod has one container more, which holds it together"
    assert all(left[name] == after[name] for name in left)
    assert host.run(["systemctl", "cat", "it-web.service"], check=False).returncode != 0

    assert play(ansible, host, {}, entry="remove").succeeded().changed == 1
    assert _ids(host) == {}
    assert host.run(["test", "-e", "/etc/systemd/system/it-foreign.service"]).returncode == 0
    assert play(ansible, host, {}, entry="remove").succeeded().changed == 0
    host.run(["rm", "/etc/systemd/system/it-foreign.service"])


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_a_pods_changed_member_restarts_the_pod(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    entries = _entries(push("app").reference)[:2]
    units(ansible, host, entries, style=style).succeeded()
    before = _ids(host)
    entries[1]["members"][0]["labels"] = {"it.new": "yes"}

    story = units(ansible, host, entries, style=style).succeeded().stories()

    assert story == {"it-web.service": ("unchanged", "none"), "it-shop-pod.service": ("changed", "restarted")}
    after = _ids(host)
    assert after["it-web"] == before["it-web"]
    assert after["it-shop-web"] != before["it-shop-web"]
    assert unit(host, "it-shop-web.service").active == "active"
    assert unit(host, "it-shop-cache.service").active == "active"
    assert units(ansible, host, entries, style=style).succeeded().changed == 0


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_a_broken_definition_replaces_nothing(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    entries = _entries(push("app").reference)[:1]
    units(ansible, host, entries, style=style).succeeded()
    files, before = _files(host), _ids(host)
    broken = {"Service": {"Type": "no-such-type"}} if style == "service" else {"Container": {"NoSuchKey": "1"}}

    for options in (["--check"], []):
        told = units(ansible, host, [{**entries[0], "unit_options": broken}], *options, style=style).failed()
        assert ("systemd refuses a unit" if style == "service" else "Quadlet refuses") in told
    assert (_files(host), _ids(host)) == (files, before)


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_states_and_boot(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    entry = _entries(push("app").reference)[0]
    units(ansible, host, [entry], style=style).succeeded()
    link = "/run/systemd/generator" if style == "quadlet" else "/etc/systemd/system"
    wants = f"{link}/default.target.wants/it-web.service"
    assert host.run(["test", "-e", wants], check=False).returncode == 0
    before = _ids(host)

    off = units(ansible, host, [{**entry, "enabled": False}], style=style).succeeded()

    assert off.changed == 1
    assert _ids(host) == before, "whether it starts at boot is nothing to restart for"
    assert host.run(["test", "-e", wants], check=False).returncode == 1
    assert units(ansible, host, [{**entry, "enabled": False}], style=style).succeeded().changed == 0

    stopped = {**entry, "enabled": False, "state": "stopped"}
    assert units(ansible, host, [stopped], style=style).succeeded().stories() == {
        "it-web.service": ("unchanged", "stopped")
    }
    assert _ids(host) == {}
    assert units(ansible, host, [stopped], style=style).succeeded().changed == 0


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_an_interrupted_run_is_finished_by_the_next(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    """The file is there and newer than the run of its unit: nobody came to restart it."""
    entries = _entries(push("app").reference)[:1]
    units(ansible, host, entries, style=style).succeeded()
    before = _ids(host)
    host.run(["touch", _SUFFIX[style].format("it-web")])

    assert units(ansible, host, entries, style=style).succeeded().stories() == {
        "it-web.service": ("unchanged", "restarted")
    }
    assert _ids(host) != before
    assert units(ansible, host, entries, style=style).succeeded().changed == 0


@pytest.mark.parametrize("distro", ["trixie"])
def test_another_style_takes_over(host: Host, ansible: Ansible, push: Push) -> None:
    entries = _entries(push("app").reference)
    for style in ("service", "quadlet", "service"):
        predicted = units(ansible, host, entries, "--check", style=style).succeeded()
        assert units(ansible, host, entries, style=style).succeeded().stories() == predicted.stories()
        assert units(ansible, host, entries, style=style).succeeded().changed == 0
        path = host.run(["systemctl", "show", "--value", "--property=FragmentPath", "it-web.service"]).stdout
        assert path.startswith("/run/systemd/generator" if style == "quadlet" else "/etc/systemd/system")
        assert len(_ids(host)) == len(set(_ids(host))) >= 6


@pytest.mark.parametrize("distro", ["trixie", "bookworm"])
def test_what_is_not_the_roles_own_is_left_alone(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("app").reference
    host.write("/etc/systemd/system/it-web.service", "[Service]\nExecStart=/bin/sleep 1\n")

    told = units(ansible, host, _entries(image)[:1], style="service").failed()

    assert "/etc/systemd/system/it-web.service is there already and was not made by this collection" in told
    host.run(["rm", "/etc/systemd/system/it-web.service"])
    units(ansible, host, _entries(image)[:1], group="one").succeeded()
    told = units(ansible, host, _entries(image)[:1], group="two").failed()
    assert "belongs to the group one" in told
    assert units(ansible, host, [], group="two").succeeded().changed == 0
    assert "it-web" in _ids(host)


@contextmanager
def _without_podman(host: Host) -> Iterator[None]:
    host.run(["mv", "/usr/bin/podman", "/usr/bin/podman.away"])
    try:
        yield
    finally:
        host.run(["mv", "/usr/bin/podman.away", "/usr/bin/podman"])


@pytest.mark.parametrize("distro", ["trixie", "bookworm"])
def test_a_check_on_a_bare_host_is_complete(host: Host, ansible: Ansible, push: Push) -> None:
    entries = _entries(push("app").reference)
    with _without_podman(host):
        told = units(ansible, host, entries, "--check", "--diff").succeeded()
        failure = units(ansible, host, entries).failed()

    assert set(told.stories().values()) == {("created", "started")}
    assert "+ContainerName=it-web" in told.output
    assert "podman is not installed yet" in " ".join(told.output.split())
    assert "podman is not installed on this host" in failure


@pytest.mark.parametrize("distro", ["bookworm"])
def test_a_podman_that_is_too_old_is_refused(host: Host, ansible: Ansible) -> None:
    variables = {"container_units_install": False}
    with _without_podman(host):
        missing = play(ansible, host, variables, entry="prerequisites").failed()
        host.write("/usr/bin/podman", "#!/bin/sh\necho podman version 4.2.1\n")
        host.run(["chmod", "755", "/usr/bin/podman"])
        old = play(ansible, host, variables, entry="prerequisites", options=["--check"]).failed()

    assert "podman is not installed; 4.3 or newer is needed" in missing
    assert "podman 4.2.1 is too old; 4.3 or newer is needed" in old
    assert play(ansible, host, variables, entry="prerequisites").succeeded().changed == 0


@pytest.mark.parametrize("distro", ["trixie", "bookworm"])
def test_a_unit_that_cannot_start_fails_the_task_and_the_next_run_tries_again(
    host: Host, ansible: Ansible, push: Push
) -> None:
    bad = push("app", kind=Kind.NO_START)
    # systemd itself would try again, and find the good image first.
    entries = [{"name": "it-web", "image": bad.reference, "restart": "no"}]

    assert "it-web.service did not start" in units(ansible, host, entries).failed()
    good = push("app", version="2")
    host.run(["podman", "pull", "--quiet", good.reference])

    assert units(ansible, host, entries).succeeded().stories() == {"it-web.service": ("unchanged", "started")}
    assert look(host).runs("it-web") == id_of(good)


@pytest.mark.parametrize("distro", ["bookworm"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("container_units", "text"),
        ("container_units_style", "compose"),
        ("container_units_timeout", "soon"),
        ("container_units_install", "perhaps"),
        ("container_units_packages", {"a": 1}),
        ("container_units", [{"name": "it-web", "kind": "vm"}]),
        ("environment", [{"name": "it-web", "environment": ["A=1"]}]),
        ("timeout_stop", [{"name": "it-web", "timeout_stop": "soon"}]),
        ("enabled", [{"name": "it-web", "enabled": "perhaps"}]),
        ("health", [{"name": "it-web", "health": "true"}]),
        ("members", [{"name": "it-web", "members": ["a"]}]),
        ("name", [{"image": "a/b"}]),
    ],
)
def test_a_wrong_type_is_refused_with_the_variables_name(host: Host, ansible: Ansible, name: str, value: Any) -> None:
    variables = {name: value} if name.startswith("container_units_") else {"container_units": value}
    told = play(ansible, host, {"container_units": [], **variables}).failed()

    assert name in told
    assert "Validation of arguments failed" in told
