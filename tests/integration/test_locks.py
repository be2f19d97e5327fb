# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs at once, killed ones, podman's own updates beside ours: each has its outcome, and no unit is restarted twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness import COLLECTION, Ansible, Run
from hooks import hooked
from lablib.host import Host
from lablib.lab import Lab
from lablib.units import deploy
from locations import PROXY_PORTS, SCRATCH
from pulling import front, pull
from pushing import Push, id_of
from sight import look, starts

from roles import play

_GO_ON, _STALLED = f"{SCRATCH}/go-on", f"{SCRATCH}/stalled"
_LOCK = "/run/podfleet-autoupdate/store.lock"
_SECONDS = 90.0


class Beside:
    """A run in a thread of its own."""

    def __init__(self, call: Callable[[], Run]) -> None:
        self._call = call
        self._run: list[Run] = []
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        self._run.append(self._call())

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def run(self) -> Run:
        """What it ended with."""
        self._thread.join(_SECONDS)
        assert self._run, "the run did not end, or could not be read"
        return self._run[0]


@contextmanager
def _stalled_pulls(host: Host) -> Iterator[None]:
    """Each pull of a run waits until C(_go_on)."""
    host.run(["sh", "-c", f"mkdir -p {SCRATCH}; rm -f {_GO_ON} {_STALLED}"])
    wait = f"n=0; touch {_STALLED}; while ! test -e {_GO_ON} && test $n -lt 400; do sleep 0.2; n=$((n + 1)); done"
    with hooked(host, "pull --quiet", before=wait):
        yield


def _until(host: Host, path: str) -> None:
    host.run(
        ["sh", "-c", f"n=0; until test -e {path} || test $n -gt 300; do sleep 0.2; n=$((n + 1)); done; test -e {path}"]
    )


def _go_on(host: Host) -> None:
    host.run(["touch", _GO_ON])


def _refused(run: Run, reason: str, *said: str) -> None:
    result = run.failed()
    assert result.data["reason"] == reason, run
    for one in said:
        assert one in result.data["msg"], result.data["msg"]


def _restart(ansible: Ansible, host: Host, unit: str, **arguments: Any) -> Run:
    return ansible.run(host.name, f"{COLLECTION}.unit_restart", {"name": [unit], "settle": 0, **arguments})


def _counted(host: Host, *containers: str) -> dict[str, int]:
    """How often each was started, as far as the journal goes."""
    return {one: len(starts(host, f"{one}.service")) for one in containers}


def _all_well(host: Host, image_id: str, reference: str, before: dict[str, int]) -> None:
    """Everything runs the image that the tag names, was started once since, and no name is left over."""
    sight = look(host)
    assert {sight.runs(one) for one in before} == {image_id} == {sight.names[reference]}
    assert sight.names_by_digest == []
    assert _counted(host, *before) == {one: number + 1 for one, number in before.items()}


def test_one_run_at_a_time_changes_anything(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    for name in ("it-web", "it-api"):
        deploy(host, name, image=old.reference)
    counted = _counted(host, "it-web", "it-api")
    new = push("web", version="2")
    other = push("other")
    before = look(host)
    with _stalled_pulls(host):
        first = Beside(lambda: ansible.update(host.name))
        _until(host, _STALLED)
        held_by = ("image_autoupdate, process ", "since 20")
        _refused(ansible.update(host.name, lock_timeout=1), "lock_busy", *held_by, "waited 1 s")
        _refused(_restart(ansible, host, "it-web", lock_timeout=0), "lock_busy", *held_by)
        _refused(pull(ansible, host, other.reference, headroom="0", lock_timeout=0), "lock_busy", *held_by)
        units = [{"name": "it-new", "image": other.reference}]
        made = ansible.run(
            host.name, f"{COLLECTION}.container_units", {"units": units, "group": "it", "lock_timeout": 0}
        )
        _refused(made, "lock_busy", *held_by)
        # What changes nothing needs no lock.
        assert set(ansible.update(host.name, check=True).succeeded().verdicts().values()) == {("pending", "check_mode")}
        assert not pull(ansible, host, old.reference, headroom="0", lock_timeout=0).succeeded().changed
        ansible.info(host.name).succeeded()
        assert look(host) == before

        second = Beside(lambda: ansible.update(host.name))
        third = Beside(lambda: _restart(ansible, host, "it-web"))
        time.sleep(3)
        assert [one.ended for one in (first, second, third)] == [False, False, False]
        _go_on(host)
        done = [one.run().succeeded() for one in (first, second)]
        restarted = third.run().succeeded()
    assert set(done[0].verdicts().values()) == {("updated", None)}
    assert set(done[1].verdicts().values()) == {("current", None)}
    assert [one["restarted"] for one in restarted.data["units"]] == [False]
    _all_well(host, id_of(new), new.reference, counted)


def test_a_killed_run_keeps_nobody_out(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-web", image=push("web").reference)
    counted = _counted(host, "it-web")
    new = push("web", version="2")
    with _stalled_pulls(host):
        killed = Beside(lambda: ansible.update(host.name))
        _until(host, _STALLED)
        host.run(["sh", "-c", f"kill -9 $(sed 's/.*\"pid\": \\([0-9]*\\).*/\\1/' {_LOCK})"])
        assert killed.run().rc != 0
        assert '"pid"' in host.read(_LOCK), "nobody tidied up"
        _go_on(host)
        result = ansible.update(host.name, lock_timeout=0).succeeded()
    assert result.verdicts() == {"it-web": ("updated", None)}
    _all_well(host, id_of(new), new.reference, counted)


def test_beside_the_hosts_own_engine(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-web", image=push("web").reference)
    counted = _counted(host, "it-web")
    new = push("web", version="2")
    settings = {"container_units_timer_settings": {"settle": 0}}
    play(ansible, host, settings, entry="timer").succeeded()
    service = "podfleet-autoupdate.service"
    with _stalled_pulls(host):
        host.run(["systemctl", "start", "--no-block", service])
        _until(host, _STALLED)
        _refused(ansible.update(host.name, lock_timeout=0), "lock_busy", "the host's own engine, process ")
        waiting = Beside(lambda: ansible.update(host.name))
        time.sleep(2)
        assert not waiting.ended
        _go_on(host)
        assert waiting.run().succeeded().verdicts() == {"it-web": ("current", None)}
    assert host.run(["systemctl", "show", "-PResult", service]).stdout.strip() == "success"
    _all_well(host, id_of(new), new.reference, counted)


def test_podman_auto_update_is_waited_for(lab: Lab, host: Host, ansible: Ansible, push: Push, distro: str) -> None:
    """What podman began before this run, it finishes; this run then finds nothing left to do."""
    old, stalled, go_on = push("web"), threading.Event(), threading.Event()

    def seen(_method: str, path: str) -> None:
        if "/blobs/" in path and not go_on.is_set():
            stalled.set()
            go_on.wait(60)

    with front(PROXY_PORTS[distro][4], lab.registry.port, seen=seen) as address:
        name = old.reference.replace(push.maker.address, address)
        go_on.set()
        deploy(host, "it-web", image=name)
        go_on.clear()
        counted = _counted(host, "it-web")
        new = push("web", version="2")
        host.run(["systemctl", "start", "--no-block", "podman-auto-update.service"])
        assert stalled.wait(60)
        before = look(host)
        said = "podman auto-update (process "
        _refused(ansible.update(host.name, lock_timeout=1), "second_engine", said)
        _refused(_restart(ansible, host, "it-web", lock_timeout=0), "second_engine", said)
        assert ansible.update(host.name, check=True).succeeded().verdicts() == {"it-web": ("pending", "check_mode")}
        assert look(host) == before

        waiting = Beside(lambda: ansible.update(host.name))
        time.sleep(3)
        assert not waiting.ended
        go_on.set()
        result = waiting.run().succeeded()
        assert (result.verdicts(), result.changed) == ({"it-web": ("current", None)}, False)
        _all_well(host, id_of(new), name, counted)


def test_what_podman_updates_meanwhile_is_not_restarted_again(host: Host, ansible: Ansible, push: Push) -> None:
    """It begins after this run has decided, and ends before anything was moved."""
    deploy(host, "it-web", image=push("web").reference)
    counted = _counted(host, "it-web")
    new = push("web", version="2")
    with hooked(host, "pull --quiet", before="/usr/bin/podman auto-update"):
        run = ansible.update(host.name)
    result = run.succeeded()
    assert (result.verdicts(), result.changed) == ({"it-web": ("current", "second_engine")}, False)
    assert result.row("it-web")["after"] == {"id": id_of(new), "digest": new.digest}
    _all_well(host, id_of(new), new.reference, counted)
    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("current", None)}


def test_two_engines_that_are_enabled_are_warned_of(host: Host, ansible: Ansible) -> None:
    host.run(["systemctl", "enable", "podman-auto-update.timer"])
    try:
        for check in (True, False):
            assert ansible.update(host.name, check=check).warns(
                "second_engine: podman-auto-update.timer of this host's"
            )
    finally:
        host.run(["systemctl", "disable", "podman-auto-update.timer"])
    assert not ansible.update(host.name).warns("second_engine")
