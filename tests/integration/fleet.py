# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts of both distributions, and the collection's playbooks run on them by the real ansible-playbook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness import COLLECTION, Ansible, program, surroundings
from lablib.host import Host
from lablib.images import Pushed
from pushing import id_of
from secrecy import told_in
from sight import look

_TIMEOUT = 300.0
_Answer = t.TypeVar("_Answer")


@dataclass(frozen=True)
class Job:
    """A playbook's end. ``report`` is the artifact that it handed on."""

    rc: int
    output: str
    report: Mapping[str, t.Any]

    def succeeded(self) -> Mapping[str, t.Any]:
        """The report of a job that must be a success."""
        assert self.rc == 0, self.output[-8000:]
        return self.report

    def failed(self) -> Mapping[str, t.Any]:
        """The report of a job that must be a failure."""
        assert self.rc != 0, self.output[-8000:]
        return self.report

    def refused(self) -> str:
        """What was printed by a job that must have ended before anything began."""
        assert self.rc != 0, self.output[-8000:]
        assert not self.report, self.output[-8000:]
        return " ".join(self.output.split())


@dataclass(frozen=True)
class Running:
    """A playbook that runs."""

    process: subprocess.Popen[bytes]
    log: Path
    artifact: str

    def await_text(self, text: str, *, times: int = 1, timeout: float = 120) -> None:
        """Wait until it has printed something so many times."""
        until = time.monotonic() + timeout
        while self.output().count(text) < times:
            assert time.monotonic() < until, f"{text!r} was not printed\n{self.output()[-8000:]}"
            assert self.process.poll() is None, f"it ended before it printed {text!r}\n{self.output()[-8000:]}"
            time.sleep(0.1)

    def output(self) -> str:
        """All that it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """End it as a lost controller ends: at once, with all that belongs to it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def ended(self) -> Job:
        """Wait for its end."""
        code = self.process.wait(_TIMEOUT)
        output = self.output()
        assert "Traceback" not in output, output[-8000:]
        assert not told_in(output), f"a secret: {told_in(output)}"
        return Job(code, output, _artifact(output, self.artifact))


def _artifact(output: str, name: str) -> Mapping[str, t.Any]:
    """The artifact of the last play, as «show_custom_stats» prints it."""
    _before, _mark, stats = output.rpartition("CUSTOM STATS")
    start = stats.find("\tRUN: ")
    if start < 0:
        return {}
    document, _end = json.JSONDecoder().raw_decode(stats, start + len("\tRUN: "))
    found: Mapping[str, t.Any] = document.get(name, {})
    return found


@dataclass(frozen=True)
class Fleet:
    """Hosts, and the inventory that names them."""

    hosts: tuple[Host, ...]
    inventory: Path
    scratch: Path

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.hosts]

    def each(self, work: t.Callable[[Host], _Answer], hosts: Sequence[Host] | None = None) -> dict[str, _Answer]:
        """Do something on all hosts, side by side."""
        chosen = self.hosts if hosts is None else hosts
        with ThreadPoolExecutor(len(chosen)) as pool:
            return dict(zip([one.name for one in chosen], pool.map(work, chosen)))

    def images(self, container: str) -> dict[str, str]:
        """Host → the image that a container runs there."""
        return self.each(lambda host: look(host).runs(container) or "")

    def all_hold(self, *bad: Pushed) -> bool:
        """Whether every host holds these images, and nothing else."""
        told = Ansible(self.inventory).info("fleet").results
        holds = {name: [(hold["reference"], hold["id"]) for hold in one.data["holds"]] for name, one in told.items()}
        assert holds == {name: [(one.reference, id_of(one)) for one in bad] for name in self.names}
        return True

    def start(self, playbook: str, variables: Mapping[str, t.Any], *options: str) -> Running:
        """Start a playbook of the collection."""
        log = self.scratch / f"{playbook}-{time.monotonic_ns()}.log"
        given = {"rollout_hosts": "fleet", "rollout_soak": 0, "rollout_settle": 0, **variables}
        argv = [
            program("ansible-playbook"),
            f"-i{self.inventory}",
            f"{COLLECTION}.{playbook}",
            f"-e{json.dumps(given)}",
            *options,
        ]
        told = {"ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_FORKS": "6"}
        with log.open("wb") as out:
            process = subprocess.Popen(
                argv,
                cwd=self.scratch,
                env=surroundings(**told),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, log, "rollout_report")

    def play(self, playbook: str, variables: Mapping[str, t.Any], *options: str) -> Job:
        """Run a playbook of the collection to its end."""
        return self.start(playbook, variables, *options).ended()


def inventory_of(hosts: Sequence[Host], base: Path, folder: Path) -> Path:
    """An inventory folder: the lab's own, and the group ``fleet`` with these hosts in this order."""
    folder.mkdir()
    (folder / "1-lab.yml").symlink_to(base)
    group = {"fleet": {"hosts": dict.fromkeys(one.name for one in hosts)}}
    (folder / "2-fleet.json").write_text(json.dumps(group), encoding="utf-8")
    return folder
