# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks, the collection's by their full names, also over hosts that only answer what another host told."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness import COLLECTION, Ansible, command

_Ended = TypeVar("_Ended", bound="Book")
_RECAP = re.compile(r"^\S+\s+: ok=\d+\s+changed=(\d+)\s", re.MULTILINE)


@dataclass(frozen=True)
class Book:
    """A playbook's end."""

    rc: int
    output: str

    @property
    def squeezed(self) -> str:
        """All that was printed, without the lines that Ansible breaks as it likes."""
        return " ".join(self.output.split())

    def succeeded(self: _Ended) -> _Ended:
        """The run itself, which must be a success."""
        assert self.rc == 0, self.output[-8000:]
        return self

    def failed(self) -> str:
        """What was printed by a run that must be a failure."""
        assert self.rc != 0, self.output[-8000:]
        return self.squeezed

    @property
    def artifacts(self) -> dict[str, Any]:
        """What the job hands on to those that follow (set_stats)."""
        found: dict[str, Any] = {}
        for told in re.finditer(r"RUN: (?=\{)", self.output):
            found, _end = json.JSONDecoder().raw_decode(self.output, told.end())
        return found

    @property
    def changed(self) -> int:
        """How many tasks changed something."""
        return sum(int(found[1]) for found in _RECAP.finditer(self.output))


def run(
    ansible: Ansible,
    playbook: str,
    hosts: Sequence[str],
    variables: Mapping[str, Any],
    *,
    options: Sequence[str] = (),
    inventories: Sequence[Path] = (),
) -> Book:
    """One of the collection's playbooks on some hosts."""
    given = [f"-i{one}" for one in (ansible.inventory, *inventories)]
    extra = json.dumps({"rollout_hosts": ",".join(hosts), **variables})
    done = command(
        "ansible-playbook",
        *(f"{COLLECTION}.{playbook}", *given, f"-e{extra}", *options),
        ANSIBLE_SHOW_CUSTOM_STATS="1",
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
    )
    return Book(done.returncode, done.stdout + done.stderr)


def recorded(folder: Path, told: Mapping[str, Mapping[str, Any]], *, silent: Sequence[str] = ()) -> Path:
    """An inventory of hosts that answer every module with what was recorded, and of some that nobody can reach.

    Ansible does to them all that it does to any host; only the Python that runs the module there is one that prints.
    """
    hosts: dict[str, Any] = {}
    for host, answer in told.items():
        program = folder / f"{host}.python"
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(json.dumps(answer))}\n", encoding="utf-8")
        program.chmod(0o755)
        hosts[host] = {"ansible_connection": "local", "ansible_python_interpreter": str(program)}
    for host in silent:
        # A port of the discard service, where nobody listens.
        hosts[host] = {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_ssh_common_args": "-oConnectTimeout=5"}
    inventory = folder / "recorded.yml"
    inventory.write_text(json.dumps({"recorded": {"hosts": hosts}}), encoding="utf-8")
    return inventory
