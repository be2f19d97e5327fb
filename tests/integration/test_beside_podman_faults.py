# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: units that hang, that systemd refuses to restart, that need others or that others need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.units import deploy
from locations import DROP_INS
from peer import podman, started
from pushing import Push, id_of
from sight import look, unit

_GONE = ("it-masked", "it-gone")
_FOLDER = "/etc/systemd/system"
_TARGET = "it-stack.target"


def _settings(host: Host, name: str, text: str) -> None:
    host.write(f"{DROP_INS.replace('*', name.partition('-')[2])}/fault.conf", text)
    host.run(["systemctl", "daemon-reload"])


def _points_to(reference: str, image: Pushed) -> str:
    """A command of a shell that succeeds while the name points to the image."""
    return f"podman image inspect --format {{{{.Id}}}} {reference} | grep -q {id_of(image)[7:]}"


def _are_back(host: Host, old: dict[str, Pushed]) -> None:
    """Every unit runs what it did, is active, and its name points there."""
    after = look(host)
    assert {name: after.runs(name) for name in old} == {name: id_of(image) for name, image in old.items()}
    assert {name: after.names[image.reference] for name, image in old.items()} == {
        name: id_of(image) for name, image in old.items()
    }
    assert {name: unit(host, f"{name}.service").active for name in old} == dict.fromkeys(old, "active")


def test_what_hangs_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """In its start or in its stop, without a timeout of its own. podman waits for as long as the unit does."""
    old = {name: push(name) for name in ("it-start", "it-stop")}
    other = push("it-other")
    for name, image in {**old, "it-other": other}.items():
        deploy(host, name, image=image.reference)
    new = {name: push(name, version="2") for name in (*old, "it-other")}
    hang = f"! {_points_to(old['it-start'].reference, new['it-start'])} || sleep infinity"
    _settings(host, "it-start", f"[Service]\nTimeoutStartSec=infinity\nExecStartPre=/bin/sh -c '{hang}'\n")
    _settings(host, "it-stop", "[Service]\nTimeoutStopSec=infinity\nExecStop=/bin/sleep 12\n")

    result = ansible.update(host.name, timeout=8).failed()

    assert result.verdicts() == {
        **dict.fromkeys(old, ("rolled_back", "job_timeout")),
        "it-other": ("updated", None),
    }
    assert {result.row(name)["job_result"] for name in old} == {"timeout"}
    _are_back(host, old)
    assert look(host).runs("it-other") == id_of(new["it-other"])

    host.run(["systemctl", "stop", "it-stop.service"])
    ended = host.run(["timeout", "10", "podman", "auto-update"], check=False, timeout=30)
    assert ended.returncode == 124
    assert unit(host, "it-start.service").active == "activating"
    host.run(["systemctl", "stop", "it-start.service"])


@pytest.fixture
def masked(host: Host) -> Iterator[None]:
    """What is masked is no unit of the lab's any more, so it is taken off here."""
    yield
    host.run(
        ["sh", "-c", f"rm -f {_FOLDER}/it-masked.service; systemctl daemon-reload; systemctl stop {' '.join(_GONE)}"]
    )


@pytest.mark.usefixtures("masked")
def test_what_systemd_refuses_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """A unit that was masked or removed while it runs, and one that is not to be stopped by hand, run on as they are."""
    old = {name: push(name) for name in (*_GONE, "it-refused")}
    for name, image in old.items():
        deploy(host, name, image=image.reference)
        push(name, version="2")
    script = f"""cd {_FOLDER}; rm it-masked.service it-gone.service; ln -s /dev/null it-masked.service"""
    host.run(["sh", "-ec", script])
    _settings(host, "it-refused", "[Unit]\nRefuseManualStop=yes\n")
    before = look(host)

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {
        "it-masked": ("failed", "unit_not_loaded"),
        "it-gone": ("failed", "unit_not_loaded"),
        "it-refused": ("failed", "job_failed"),
    }
    assert not result.changed
    row = result.row("it-refused")
    assert (row["changed"], row["after"], "it-refused.service" in row["error"]) == (False, row["before"], True)
    after = look(host)
    assert after.containers == before.containers
    assert {after.names[image.reference] for image in old.values()} == set(map(id_of, old.values()))
    assert (after.slots, after.rejected) == ({}, {})
    # Nobody has seen the new image fail, so the next run tries again.
    assert ansible.update(host.name, check=True).failed().verdicts()["it-refused"] == ("pending", "check_mode")

    podman(host).said(125, masked="failed", gone="failed", refused="failed")
    assert look(host).containers == before.containers


def test_needs_and_endless_tries_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """What a unit requires fails on the new image; and a unit that systemd starts again and again."""
    old = {name: push(name) for name in ("it-needs", "it-always")}
    for name, image in old.items():
        deploy(host, name, image=image.reference)
    new = push("it-needs", version="2")
    push("it-always", version="2", kind=Kind.NO_START)
    migrates = f"! {_points_to(old['it-needs'].reference, new)}"
    started(host, "it-migration.service", f"[Service]\nType=oneshot\nExecStart=/bin/sh -c '{migrates}'\n")
    _settings(host, "it-needs", "[Unit]\nRequires=it-migration.service\nAfter=it-migration.service\n")
    _settings(host, "it-always", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=100ms\n")

    result = ansible.update(host.name).failed()

    assert result.verdicts() == dict.fromkeys(old, ("rolled_back", "job_failed"))
    assert {name: result.row(name)["job_result"] for name in old} == {"it-needs": "dependency", "it-always": "failed"}
    _are_back(host, old)

    podman(host).said(0, needs="rolled back", always="rolled back")
    _are_back(host, old)


@pytest.fixture
def stack(host: Host) -> Iterator[None]:
    yield
    script = f"systemctl stop {_TARGET} it-child it-side; rm -f {_FOLDER}/{_TARGET}; systemctl daemon-reload"
    host.run(["sh", "-c", script])


@pytest.mark.usefixtures("stack")
def test_what_others_need_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """A service that requires the unit, a target that does, and what is bound to that target: up before, up afterwards.

    The service requires another unit too, whose new image is good: it does not suffer from that the first one's is not.
    """
    old, other = push("it-web"), push("it-db")
    deploy(host, "it-web", image=old.reference)
    deploy(host, "it-db", image=other.reference)
    needs = "[Unit]\nRequires=it-web.service\nAfter=it-web.service\n"
    sleep = "[Service]\nExecStart=/usr/bin/sleep infinity\n"
    host.write(f"{_FOLDER}/{_TARGET}", needs)
    started(host, "it-child.service", f"{needs}Requires=it-db.service\nAfter=it-db.service\n{sleep}")
    started(host, "it-side.service", f"[Unit]\nBindsTo={_TARGET}\nAfter={_TARGET}\n{sleep}")
    others = ("it-child.service", _TARGET, "it-side.service")
    assert {unit(host, name).active for name in others} == {"active"}
    push("it-web", version="2", kind=Kind.NO_START)
    good = push("it-db", version="2")

    verdicts = ansible.update(host.name).failed().verdicts()
    assert verdicts == {"it-web": ("rolled_back", "job_failed"), "it-db": ("updated", None)}

    assert look(host).runs("it-db") == id_of(good)
    _are_back(host, {"it-web": old})
    assert {name: unit(host, name).active for name in others} == dict.fromkeys(others, "active")

    podman(host).said(0, web="rolled back", db="false")
    assert look(host).runs("it-web") == id_of(old)
    assert {name: unit(host, name).active for name in others} == dict.fromkeys(others, "inactive")
