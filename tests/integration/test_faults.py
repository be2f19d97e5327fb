# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on a host in the middle of a run: the old image runs afterwards, others move on, and the row says it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import Ansible
from hooks import hooked
from lablib.host import Host
from lablib.images import Kind
from lablib.proxy import Fault, FaultProxy
from lablib.units import deploy
from locations import DROP_INS, SCRATCH
from peer import podman
from pushing import Push, id_of
from sight import look, starts, unit

BUS = "/run/dbus/system_bus_socket"
PRUNE = "/usr/bin/podman image prune --force"


def drop_in(host: Host, name: str, text: str) -> None:
    host.write(f"{DROP_INS.replace('*', name)}/fault.conf", text)
    host.run(["systemctl", "daemon-reload"])


def test_the_start_limit_does_not_keep_the_old_image_down(host: Host, ansible: Ansible, push: Push) -> None:
    """podman's second restart is refused where the first one used up the limit, and the unit stays down."""
    names = ("it-limited", "it-peer")
    old = {name: push(name) for name in names}
    limit = "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=300\n[Service]\nRestart=no\n"
    for name in names:
        deploy(host, name, image=old[name].reference)
        drop_in(host, name.partition("-")[2], limit)
        host.run(["systemctl", "reset-failed", f"{name}.service"], check=False)
        push(name, version="2", kind=Kind.NO_START)

    result = ansible.update(host.name, only=["it-limited"]).failed()
    assert result.verdicts() == {"it-limited": ("rolled_back", "job_failed")}
    after = look(host)
    assert after.runs("it-limited") == id_of(old["it-limited"]) == after.names[old["it-limited"].reference]
    assert unit(host, "it-limited.service").active == "active"

    host.run(["systemctl", "stop", "it-limited.service"])
    podman(host).said(125, peer="failed")
    assert unit(host, "it-peer.service").active == "failed"


def test_what_somebody_stops_in_the_middle_of_its_restart_stays_stopped(
    host: Host, ansible: Ansible, push: Push
) -> None:
    old = push("stopped")
    deploy(host, "it-stopped", image=old.reference)
    new = push("stopped", version="2")
    asks = f"podman image inspect --format {{{{.Id}}}} {old.reference} | grep -q {id_of(new)[7:]}"
    slow = f"! {asks} || {{ touch {SCRATCH}/starts; sleep 60; }}"
    drop_in(host, "stopped", f"[Service]\nExecStartPre=/bin/sh -c '{slow}'\n")
    stop = (
        f"for n in $(seq 300); do test -e {SCRATCH}/starts && exec systemctl stop it-stopped; sleep 0.1; done; exit 1"
    )

    with ThreadPoolExecutor(max_workers=1) as pool:
        stopped = pool.submit(host.run, ["sh", "-c", f"mkdir -p {SCRATCH}; {stop}"])
        result = ansible.update(host.name).failed()
        stopped.result()

    assert result.verdicts() == {"it-stopped": ("failed", "job_failed")}
    row = result.row("it-stopped")
    assert (row["job_result"], row["after"]["id"], "stays stopped" in row["error"]) == ("canceled", None, True)
    assert unit(host, "it-stopped.service").active != "active"
    assert look(host).names[old.reference] == id_of(old)
    host.run(["systemctl", "start", "it-stopped.service"])
    assert look(host).runs("it-stopped") == id_of(old)
    assert ansible.update(host.name, check=True).succeeded().verdicts() == {"it-stopped": ("pending", "check_mode")}


@pytest.fixture
def no_bus(host: Host) -> Iterator[None]:
    """Nobody reaches D-Bus. podman does not miss it: it knows systemd's private socket, which is none of ours."""
    host.run(["mv", BUS, f"{BUS}.away"])
    yield
    host.run(["mv", f"{BUS}.away", BUS])


@pytest.mark.usefixtures("no_bus")
def test_without_dbus_nothing_is_moved(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("unreached")
    deploy(host, "it-unreached", image=old.reference)
    new = push("unreached", version="2")
    before = look(host)

    run = ansible.update(host.name, check=True)
    assert run.succeeded().verdicts() == {"it-unreached": ("pending", "check_mode")}
    assert run.warns("units_not_checked")
    result = ansible.update(host.name).failed()
    assert result.verdicts() == {"it-unreached": ("failed", "units_not_checked")}
    assert look(host) == before

    podman(host).said(0, unreached="true")
    assert look(host).runs("it-unreached") == id_of(new)


def test_a_new_image_that_vanishes_changes_nothing(host: Host, ansible: Ansible, push: Push) -> None:
    """Somebody removes it between the pull and the restart."""
    old, other = push("vanishing"), push("staying")
    deploy(host, "it-vanishing", image=old.reference)
    deploy(host, "it-staying", image=other.reference)
    new, new_other = push("vanishing", version="2"), push("staying", version="2")
    before, restarts = look(host), starts(host, "it-vanishing.service")

    with hooked(host, f"{push.repository('vanishing')}@", after=f"/usr/bin/podman rmi --force {id_of(new)[7:]}"):
        result = ansible.update(host.name).failed()

    assert result.verdicts()["it-staying"] == ("updated", None)
    assert result.row("it-vanishing")["status"] == "failed"
    assert result.row("it-vanishing")["reason"] in ("store_failed", "pull_failed", "tag_moved")
    after = look(host)
    assert after.runs("it-staying") == id_of(new_other)
    assert after.containers["it-vanishing"] == before.containers["it-vanishing"]
    assert after.names[old.reference] == id_of(old)
    assert starts(host, "it-vanishing.service") == restarts


def test_the_old_image_survives_every_prune(host: Host, ansible: Ansible, push: Push) -> None:
    """Somebody prunes after each command of ours, and while the unit is down: when the old image is in use by nobody."""
    names = ("it-bad", "it-good")
    old = {name: push(name) for name in names}
    for name in names:
        deploy(host, name, image=old[name].reference)
        drop_in(host, name.partition("-")[2], f"[Service]\nExecStartPre={PRUNE}\nExecStopPost={PRUNE}\n")
    bad, good = push("it-bad", version="2", kind=Kind.NO_START), push("it-good", version="2")

    # One after the other: podman itself may lose what it is pulling to somebody who prunes at that moment.
    with hooked(host, "", after=PRUNE):
        result = ansible.update(host.name, parallel=1).failed()

    assert result.verdicts() == {"it-bad": ("rolled_back", "job_failed"), "it-good": ("updated", None)}
    after = look(host)
    assert (after.runs("it-bad"), after.runs("it-good")) == (id_of(old["it-bad"]), id_of(good))
    assert after.names[old["it-bad"].reference] == id_of(old["it-bad"])
    assert after.names[old["it-good"].reference] == id_of(good)
    assert list(after.rejected.values()) == [id_of(bad)]
    assert list(after.slots.values()) == [id_of(old["it-good"])]


def test_a_container_that_ends_during_the_scan_is_not_in_the_way(host: Host, ansible: Ansible, push: Push) -> None:
    for name in ("leaving", "staying"):
        deploy(host, f"it-{name}", image=push(name).reference)
    new = [push(name, version="2") for name in ("leaving", "staying")][1]

    with hooked(host, " ps ", after="systemctl stop it-leaving.service"):
        run = ansible.update(host.name)

    (result,) = run.results.values()
    assert result.verdicts()["it-staying"] == ("updated", None)
    assert look(host).runs("it-staying") == id_of(new)
    left = result.verdicts().get("it-leaving")
    assert left is None or left[0] == "failed"
    # What somebody stops meanwhile stays stopped.
    assert unit(host, "it-leaving.service").active == "inactive"


def test_a_registry_that_goes_before_the_pull(host: Host, ansible: Ansible, push: Push, proxy: FaultProxy) -> None:
    old = push("going")
    reference = old.reference.replace(push.maker.address, proxy.address, 1)
    deploy(host, "it-going", image=reference)
    push("going", version="2")
    before, restarts = look(host), starts(host, "it-going.service")
    wait = f"touch {SCRATCH}/asked; for n in $(seq 200); do test -e {SCRATCH}/gone && break; sleep 0.1; done"
    ended = threading.Event()

    def take_it_away() -> bool:
        while not ended.is_set():
            if host.run(["test", "-e", f"{SCRATCH}/asked"], check=False).returncode == 0:
                proxy.fault = Fault.REFUSE
                host.run(["touch", f"{SCRATCH}/gone"])
                return True
            time.sleep(0.1)
        return False

    with ThreadPoolExecutor(max_workers=1) as pool, hooked(host, f"{push.repository('going')}@", before=wait):
        gone = pool.submit(take_it_away)
        try:
            result = ansible.update(host.name).failed()
        finally:
            ended.set()

    assert gone.result()
    assert result.verdicts() == {"it-going": ("failed", "pull_failed")}
    assert not result.changed
    assert look(host) == before
    assert starts(host, "it-going.service") == restarts
