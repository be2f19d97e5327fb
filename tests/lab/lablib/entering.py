# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command gets into a host: by its namespaces, control group and environment, without podman.

`podman exec` does the same and takes a third of a second, most of it of a processor; tests make thousands of such calls.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .engine import Engine
from .errors import LabError

_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--wd")
#: What runs beside systemd must be counted to the host, or systemd there would not move it to scopes.
_INTO_GROUP = 'echo $$ > "/sys/fs/cgroup$0/cgroup.procs" && exec "$@"'
_SECONDS = 30
_STARTED = 19  # proc_pid_stat(5): field 22, counted from the third


@dataclass(frozen=True)
class _Init:
    """A host's systemd, as this machine knows it; ``started`` tells it from a later process of the same number."""

    pid: int
    started: str
    group: str
    environment: Mapping[str, str]

    def runs(self) -> bool:
        return _started(self.pid) == self.started


_KNOWN: dict[str, _Init] = {}


def command(engine: Engine, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command line that runs ``argv`` in the host of that name, as root."""
    init = _KNOWN.get(name)
    if init is None or not init.runs():
        init = _KNOWN[name] = _found(engine, name)
    settings = [f"{key}={value}" for key, value in {**init.environment, **environment}.items()]
    prefix = engine.namespace.prefix() if engine.namespace else ()
    enter = ["nsenter", f"--target={init.pid}", *_NAMESPACES, "--"]
    return [*prefix, "sh", "-c", _INTO_GROUP, init.group, *enter, "env", "-i", *settings, *argv]


def _found(engine: Engine, name: str) -> _Init:
    told = subprocess.run(
        engine.argv("inspect", "--format={{.State.Pid}}", name),
        check=False,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env=engine.environment(),
    )
    pid = int(told.stdout.strip()) if told.stdout.strip().isdigit() else 0
    started = _started(pid) if pid else None
    if started is None:
        raise LabError(f"{name} does not run: {told.stderr.strip() or 'it has no process'}")
    lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    group = next(line.partition("::")[2] for line in lines if line.startswith("0::"))
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    given = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    return _Init(pid, started, group, {"HOME": "/root", "TERM": "xterm", "HOSTNAME": name, **given})


def _started(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    return text.rpartition(")")[2].split()[_STARTED]
