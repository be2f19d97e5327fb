# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's programs on this checkout, timed. Only what ended well counts."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import checkout

_LONGEST_SECONDS = 3600
_SHOWN = 3000
_SAMPLE_SECONDS = 0.5
_KIB_IN_MIB = 1024
_COLLECTIONS = checkout.ROOT / ".collections"


class CommandError(Exception):
    """A program did not end well, or is not there."""


@dataclass(frozen=True)
class Ended:
    """What a program took and printed. C(mib) is the memory of all its processes at its highest, if it was asked for.

    C(cpu_seconds) are of all its processes too, and depend less on what else the machine does.
    """

    seconds: float
    cpu_seconds: float
    output: str
    mib: float | None = None


def ansible(program: str, *words: str, memory: bool = False) -> Ended:
    """Run C(ansible) or another of its programs, as a user of the collection does.

    With C(memory), it is looked twice a second how much all its processes have; what several share counts once.

    Raises:
        CommandError: It is not there, or failed.
    """
    path = Path(sys.executable).parent / program
    if not path.exists():
        raise CommandError(
            f"no {program} beside {sys.executable}; «make bench» runs this in an environment that has it"
        )
    if not _COLLECTIONS.exists():
        raise CommandError(f"{_COLLECTIONS} is missing; «make collections» makes it")
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(checkout.ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(_COLLECTIONS),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_NOCOLOR": "1",
    }
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        begin, used = time.monotonic(), _cpu_seconds()
        with subprocess.Popen(
            [str(path), *words],
            cwd=checkout.ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as running:
            try:
                mib = _watched(running) if memory else None
                code = running.wait(timeout=_LONGEST_SECONDS)
            except BaseException:
                running.terminate()
                raise
        seconds, used = time.monotonic() - begin, _cpu_seconds() - used
        output.seek(0)
        told = output.read()
    if code != 0:
        raise CommandError(f"{program} {' '.join(words)} ended with {code}:\n{told[-_SHOWN:]}")
    return Ended(seconds, used, told, mib)


def _cpu_seconds() -> float:
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watched(running: subprocess.Popen[bytes]) -> float:
    """MiB at the highest, when it has ended."""
    highest = 0
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(timeout=_SAMPLE_SECONDS)
            break
        highest = max(highest, sum(map(_proportional_kib, _of_session(running.pid))))
    return highest / _KIB_IN_MIB


def _of_session(session: int) -> t.Iterator[Path]:
    """The /proc folders of a session's processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # proc_pid_stat(5): what follows the name in parentheses begins with the third field; the session is the sixth.
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                yield folder


def _proportional_kib(folder: Path) -> int:
    """The process's part of the memory that it has (Pss), or 0 where it has just ended."""
    try:
        told = re.search(r"^Pss:\s+(\d+) kB", (folder / "smaps_rollup").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(told[1]) if told else 0
