# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the role container_units by the real ansible-playbook, and read what it did."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from books import Book
from harness import COLLECTION, Ansible, command
from lablib.host import Host


@dataclass(frozen=True)
class Play(Book):
    """A play's end. ``data`` is what the module container_units returned, if it ran."""

    data: Mapping[str, Any]

    def stories(self) -> dict[str, tuple[str, str]]:
        """Unit → what happened to its definition, and to itself."""
        return {row["unit"]: (row["definition"], row["operation"]) for row in self.data["units"]}


def play(
    ansible: Ansible,
    host: Host,
    variables: Mapping[str, Any],
    *,
    entry: str = "main",
    options: Sequence[str] = (),
) -> Play:
    """One run of the role from an entry point."""
    with tempfile.TemporaryDirectory() as scratch:
        result, book = Path(scratch, "result.json"), Path(scratch, "play.json")
        keep = {
            "ansible.builtin.copy": {"dest": str(result), "content": "{{ container_units_result | to_json }}"},
            "delegate_to": "localhost",
            "vars": {"ansible_python_interpreter": sys.executable},
            "check_mode": False,
            "diff": False,
            "changed_when": False,
            "when": "container_units_result is defined",
        }
        role = {"ansible.builtin.import_role": {"name": f"{COLLECTION}.container_units", "tasks_from": entry}}
        tasks = [{"block": [role], "always": [keep]}]
        book.write_text(
            json.dumps([{"hosts": host.name, "gather_facts": False, "vars": dict(variables), "tasks": tasks}]),
            encoding="utf-8",
        )
        done = command("ansible-playbook", f"-i{ansible.inventory}", str(book), *options)
        data = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {}
        return Play(done.returncode, done.stdout + done.stderr, data)


def units(ansible: Ansible, host: Host, entries: Sequence[Mapping[str, Any]], *options: str, **variables: Any) -> Play:
    """The entry point «units», with a list."""
    given = {"container_units": list(entries), **{f"container_units_{key}": value for key, value in variables.items()}}
    return play(ansible, host, given, entry="units", options=options)


_WIPE = """if [ -e /etc/systemd/system/podfleet-autoupdate.timer ]; then
    systemctl disable --now podfleet-autoupdate.timer podfleet-autoupdate-recovery.service > /dev/null 2>&1
fi
rm -rf /etc/systemd/system/podfleet-autoupdate* /usr/local/lib/podfleet-autoupdate \\
    /etc/podfleet-autoupdate/timer.json /etc/podfleet-autoupdate/replaced-units /etc/podfleet-autoupdate/users \\
    /etc/systemd/system/podman-auto-update.*.d/podfleet-autoupdate.conf
marker='^# Managed by podfleet.autoupdate.container_units'
files=$(grep -ls "$marker" /etc/systemd/system/*.service /etc/containers/systemd/* /etc/podfleet-autoupdate/kube/*)
[ -n "$files" ] || exit 0
units=$(for file in $files; do base=${file##*/}; case $base in
    *.pod) echo "${base%.pod}-pod.service" ;; *.yml) ;; *) echo "${base%.*}.service" ;; esac; done)
systemctl stop --no-block $units
podman kill --all --signal KILL > /dev/null 2>&1
systemctl stop $units
systemctl disable $units > /dev/null 2>&1
rm -f $files
systemctl daemon-reload
systemctl reset-failed
"""


def wipe(host: Host) -> None:
    """Take away root's units that a test of the role left, and the timer."""
    host.run(["sh", "-s"], input=_WIPE, timeout=120)
