# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``python3 tests/lab/lab.py VERB``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence

from . import cliimages, hostimage, inventory, lab, packages
from .commands import run
from .errors import LabError
from .lab import Lab
from .paths import LabPaths
from .probing import MachineFacts, probe


def say(text: str) -> None:
    """Progress goes to stderr: stdout is for what was asked."""
    print(text, file=sys.stderr, flush=True)


def _probe(_arguments: argparse.Namespace) -> int:
    findings = probe(LabPaths(), MachineFacts.gather())
    for finding in findings:
        print(finding.line())
    return 0 if all(finding.fine or not finding.blocking for finding in findings) else 1


def _install(_arguments: argparse.Namespace) -> int:
    facts = MachineFacts.gather()
    names = packages.missing(facts.distribution, facts.can_raise_limits)
    if not names:
        say("nothing is missing")
        return 0
    commands = packages.install_commands(facts.distribution, names)
    if not commands:
        raise LabError(
            f"no way to install packages on this distribution is known; the lab needs what Debian calls: {' '.join(names)}"
        )
    say(f"installing: {' '.join(names)}")
    for command in commands:
        say(f"$ {shlex.join(command)}")
        run(command, timeout=1800, show=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    return 0


def _up(arguments: argparse.Namespace) -> int:
    running = lab.up(arguments.distro, arguments.hosts, arguments.secure_registry, say)
    say(f"up: {' '.join(host.name for host in running.hosts())}; inventory {running.inventory}")
    return 0


def _down(_arguments: argparse.Namespace) -> int:
    lab.down(say)
    return 0


def _clean(_arguments: argparse.Namespace) -> int:
    lab.clean(say)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    try:
        running: Lab | None = Lab.open()
    except LabError as reason:
        running, why = None, str(reason)
    report: dict[str, object] = {"running": running is not None}
    if running is not None:
        registries = [registry for registry in (running.registry, running.secure_registry) if registry]
        report["cache"] = str(running.paths.cache)
        report["namespace"] = str(running.paths.namespace / "mount") if running.engine.namespace else None
        report["inventory"] = str(running.inventory)
        report["hosts"] = [
            {"name": host.name, "distro": host.distro, "address": host.address} for host in running.hosts()
        ]
        report["registries"] = [
            {"name": item.name, "address": item.address, "running": item.is_running()} for item in registries
        ]
    if arguments.json:
        print(json.dumps(report, indent=1))
    elif running is None:
        print(why)
    else:
        for host in running.hosts():
            print(f"{host.name:14} {host.address}")
        for registry in registries:
            print(f"{registry.name:16} {registry.address} {'running' if registry.is_running() else 'stopped'}")
    return 0 if running is not None else 1


def _inventory(_arguments: argparse.Namespace) -> int:
    print(LabPaths().inventory)
    return 0


def _shell(arguments: argparse.Namespace) -> int:
    running = Lab.open()
    host = running.host(arguments.host)
    options = [word for option in inventory.ssh_options(running.paths) for word in option.split()]
    os.execvp(  # noqa: S606 - a list of words, and no shell between us and ssh
        "ssh",
        ["ssh", *options, "-i", str(running.paths.keys / "id_ed25519"), f"root@{host.address}", *arguments.command],
    )


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="lab.py", description="Real podman hosts, registries and faults on one machine. See tests/lab/README.md."
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    verbs.add_parser("probe", help="say what this machine has and lacks").set_defaults(run=_probe)
    verbs.add_parser("install", help="install the missing packages").set_defaults(run=_install)
    start = verbs.add_parser("up", help="start hosts, network and registry; again with more to add some")
    start.add_argument(
        "--hosts", type=int, default=1, metavar="N", help="how many hosts of that distribution (default 1)"
    )
    start.add_argument("--distro", choices=hostimage.DISTROS, default="trixie")
    start.add_argument("--secure-registry", action="store_true", help="also a registry with TLS and a password")
    start.set_defaults(run=_up)
    verbs.add_parser("down", help="stop everything that this lab started").set_defaults(run=_down)
    verbs.add_parser("clean", help="down, and remove every file of the lab").set_defaults(run=_clean)
    status = verbs.add_parser("status", help="what runs; exit code 1 when the lab is down")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)
    verbs.add_parser("inventory", help="print the path of the Ansible inventory").set_defaults(run=_inventory)
    shell = verbs.add_parser("shell", help="a shell (or a command) in a host")
    shell.add_argument("host")
    shell.add_argument("command", nargs=argparse.REMAINDER)
    shell.set_defaults(run=_shell)
    cliimages.add_verbs(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    # sudo and cron often leave the sbin folders out, where mount helpers and iptables live.
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}"
    arguments = parser().parse_args(argv)
    try:
        result: int = arguments.run(arguments)
        return result
    except LabError as problem:
        say(f"lab: {problem}")
        return 1
