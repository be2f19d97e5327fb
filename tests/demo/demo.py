#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch a container move to a new image, and another one come back from a broken one, on a real host.

demo.py [--distro trixie|bookworm] [--host-number N]     the distribution is also taken from the variable DISTRO
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import typing as t

import checkout
import machine
import places
import running
from controller import Controller
from lablib.errors import LabError
from lablib.host import Host
from lablib.images import Kind
from services import API, DATABASE, NAMES, WEB, Running, Services, verify
from telling import DemoError, Steps, say, show, table

_DISTROS = ("trixie", "bookworm")
#: What Ansible ends with when a task failed on some host.
_TASK_FAILED = 2


def main(words: t.Sequence[str]) -> int:
    """Return the exit code: 0 if the host showed what was promised."""
    arguments = _parser().parse_args(words)
    try:
        machine.must_be_root()
    except DemoError as problem:
        print(problem)
        return 2
    machine.find_sbin()
    log = running.Log(places.part("logs") / "demo.log")
    try:
        _play(arguments.distro, arguments.host_number, log)
    except running.GateError as problem:
        print(f"\n{problem.excerpt or log.tail()}\n\nThe demo stopped: {problem}. What it did is in {log.path}.")
        return 1
    except (DemoError, LabError, subprocess.TimeoutExpired) as problem:
        print(f"\nThe demo stopped: {problem}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo.py", description=(__doc__ or "").partition("\n")[0])
    chosen = os.environ.get("DISTRO") or _DISTROS[0]
    parser.add_argument(
        "--distro", choices=_DISTROS, default=chosen, help="the lab host's Debian (default %(default)s)"
    )
    parser.add_argument("--host-number", type=int, default=1, metavar="N", help="which lab host (default %(default)s)")
    return parser


def _play(distro: str, number: int, log: running.Log) -> None:
    print("podfleet.autoupdate: one real host, three services, a good and a broken new image. Nothing is faked.")
    steps = Steps(8)
    with steps.step("Packages that the lab needs"):
        machine.install_missing(log)
    with steps.step("Ansible, in a virtual environment outside of this checkout"):
        binaries = machine.install_ansible(log)
    with steps.step(f"The lab: a registry, and a {distro} host with systemd and podman (the first time some minutes)"):
        lab, host = machine.bring_up(distro, number, log)
        say(f"{host.name} is up at {host.address}, the registry at {lab.registry.address}.")
    services = Services(lab, host)
    controller = Controller(binaries, lab.inventory)
    with steps.step(f"Three services from images v1, each a {_STYLES[services.style]}"):
        before = _deploy(host, services)
    with steps.step("Publish new images: a good v2 for web, and a v2 for api that cannot start"):
        new_web = services.publish(WEB, "v2")
        services.publish(API, "v2", Kind.NO_START)
        say(f"{DATABASE} stays as it is.")
    others = services.others()
    only = NAMES if others else ()
    if others:
        say(f"{host.name} also runs {', '.join(others)}; the option `only` leaves them alone.")
    with steps.step("What would happen? Check mode asks the registry, and changes nothing"):
        _check(controller, controller.command(host.name, only, "--check", "--diff"))
        _nothing_moved(before, services.look())
    command = controller.command(host.name, only)
    with steps.step("Now for real"):
        _update(controller, command)
    with steps.step("What the host itself says"):
        after = services.look()
        verify(before, after, new_web)
        show(_outcome(before, after))
    _how_to_look_around(host, controller, command)


_STYLES = {"quadlet": "Quadlet", "service": "systemd unit as «podman generate systemd --new» writes it"}


def _deploy(host: Host, services: Services) -> dict[str, Running]:
    services.remove_earlier()
    for name in NAMES:
        services.publish(name, "v1")
        services.deploy(name)
    columns = "table {{.Names}}\t{{.Image}}\t{{.Status}}"
    wanted = [f"--filter=name=^{name}$" for name in NAMES]
    show("$ podman ps\n" + host.run(["podman", "ps", *wanted, "--format", columns]).stdout)
    show("$ systemctl is-active " + " ".join(NAMES))
    show(host.run(["systemctl", "is-active", *NAMES]).stdout)
    before = services.look()
    wrong = [one.name for one in before.values() if (one.active, one.version) != ("active", "v1")]
    if wrong:
        shell = f"python3 tests/lab/lab.py shell {host.name}"
        raise DemoError(f"{', '.join(wrong)} did not come up on v1; see «{shell} journalctl -u {wrong[0]}».")
    return before


def _check(controller: Controller, command: list[str]) -> None:
    code = controller.run(command)
    if code != 0:
        raise DemoError(f"Check mode should end with 0, and ended with {code}.")
    print()
    say("Pending are web and api: their tags have a new image. That api's cannot start only a start can tell.")


def _nothing_moved(before: t.Mapping[str, Running], now: t.Mapping[str, Running]) -> None:
    if before != now:
        raise DemoError("Check mode changed what runs on the host.")


def _update(controller: Controller, command: list[str]) -> None:
    code = controller.run(command)
    print()
    if code != _TASK_FAILED:
        raise DemoError(
            f"The run should end with {_TASK_FAILED}, because api could not be updated, and ended with {code}."
        )
    say(
        f"Ansible ended with {code}, as it should: the row rolled_back fails the task, so that nobody overlooks it "
        "(`fail_on` chooses). Everything else was done."
    )


def _outcome(before: t.Mapping[str, Running], after: t.Mapping[str, Running]) -> str:
    told = {
        WEB: ("v2", "updated"),
        API: ("v2, cannot start", "rolled back: restarted on v2, which failed, then on v1 again"),
        DATABASE: ("nothing new", "left alone: the same container still runs"),
    }
    rows = [
        (name, before[name].version, told[name][0], after[name].version, after[name].active, told[name][1])
        for name in NAMES
    ]
    return table(("SERVICE", "RAN", "PUBLISHED", "RUNS NOW", "UNIT", "WHAT HAPPENED"), rows)


def _how_to_look_around(host: Host, controller: Controller, command: t.Sequence[str]) -> None:
    shell = f"python3 tests/lab/lab.py shell {host.name}"
    rows = (
        (shell, "a shell on the host"),
        (f"{shell} systemctl status web api", "its units"),
        (f"{shell} podman images", "its images; the replaced ones are kept under names of ours"),
        (f"{shell} journalctl -u api", "how api failed and came back"),
        ("make demo" + ("" if host.distro == _DISTROS[0] else f" DISTRO={host.distro}"), "again, with newer images"),
        ("make lab-down", "stop the host and the registry"),
        ("make clean", "take away everything that was made"),
    )
    print("\nHow to look around, as root:\n")
    width = max(len(row[0]) for row in rows)
    print("\n".join(f"  {words.ljust(width)}  {meaning}" for words, meaning in rows))
    print("\nTo type Ansible commands yourself, from this folder:\n")
    print(f"  export PATH={controller.binaries}:$PATH\n  cd {checkout.ROOT}\n  {' '.join(command)}\n")


def _interrupted(_signal: int, _frame: object) -> t.NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        running.end_what_still_runs()
        print("\nInterrupted. «make lab-down» stops the lab.")
        code = 130
    sys.exit(code)
