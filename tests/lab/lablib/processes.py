# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start daemons and stop them again: only those that we started, by pid and start time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .errors import LabError
from .state import DaemonRecord


def parse_stat(stat: str) -> tuple[str, int]:
    """State letter and start time of a /proc/PID/stat line (the command name may hold spaces and brackets)."""
    fields = stat[stat.rindex(")") + 2 :].split()
    return fields[0], int(fields[19])


def _stat(pid: int) -> tuple[str, int] | None:
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_alive(record: DaemonRecord) -> bool:
    """True while the very process that was recorded still runs; a zombie of ours is reaped here."""
    found = _stat(record.pid)
    if found is None or found[1] != record.start_ticks:
        return False
    if found[0] == "Z":
        with contextlib.suppress(ChildProcessError):
            os.waitpid(record.pid, os.WNOHANG)
        return False
    return True


def start_daemon(argv: Sequence[str], *, stdout: Path, stderr: Path) -> DaemonRecord:
    """Start ``argv`` in a session of its own, its output appended to the given files."""
    with stdout.open("ab") as out, stderr.open("ab") as err:
        # Not waited for on purpose: it outlives us. is_alive() reaps it when it ends while we live.
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, cwd="/"
        )
    found = _stat(process.pid)
    # Popen warns in its destructor about a child that still runs; ours is meant to.
    process.returncode = 0
    if found is None:
        raise LabError(f"{argv[0]} ended at once; its output is in {stderr}")
    return DaemonRecord(process.pid, found[1])


def stop_daemon(record: DaemonRecord, timeout: float = 5.0) -> None:
    """TERM, then KILL; does nothing when that process is gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not is_alive(record):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, number)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not is_alive(record):
                return
            time.sleep(0.01)
    raise LabError(f"process {record.pid} survived SIGKILL for {timeout:.0f} s; look at /proc/{record.pid}/stack")
