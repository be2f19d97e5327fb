#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet costs its controller: seconds and memory for each of so many simulated hosts. It needs no lab.

First the engine's part: reading what hosts told, choosing who asks, making, writing and reading the plan, in a process of its
own for each size. Then the whole playbooks plan and status, over hosts whose Python only prints what was recorded.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path

import checkout
import simulated
from commands import CommandError, Ended, ansible

sys.path.insert(0, str(checkout.ROOT / ".collections"))

_DEFAULT_HOSTS = "50,200"
_MIB, _KIB = 1024 * 1024, 1024
_LONGEST_SECONDS = 3600


def engine(hosts: int) -> dict[str, float]:
    """One plan in this process: seconds by part, and the memory at its highest, with and without what the hosts told."""
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.asking import calls  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plan_report import to_result  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.planning import plan  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import read_plan  # noqa: PLC0415

    empty = _memory()
    told = {simulated.host_name(number): simulated.host_told(number) for number in range(hosts)}
    gc.collect()
    loaded, begin, times = _memory(), time.monotonic(), {}

    def lap(name: str) -> None:
        nonlocal begin
        times[name] = time.monotonic() - begin
        begin = time.monotonic()

    reports = read_reports(told)
    lap("reading")
    (call,) = calls(reports)
    lap("choosing who asks")
    now = datetime.now(timezone.utc)
    answers = NOTHING_TOLD.with_results([simulated.answered(call.host)])
    made = plan(reports, answers, id="0f" * 16, created=now, lasts=timedelta(days=1))
    result = to_result(made)
    lap("planning")
    text = json.dumps(result["plan"])
    lap("writing JSON")
    read = read_plan(json.loads(text), now)
    lap("reading the plan back")
    if len(read.hosts) != hosts or result["summary"]["pending"] != hosts * simulated.pending_containers():
        raise SystemExit("the plan is not what it should be")
    return {
        **times,
        "seconds": sum(times.values()),
        "told_mib": (loaded - empty) / _MIB,
        "peak_mib": _memory(peak=True) / _MIB,
        "plan_mib": len(text) / _MIB,
        "artifact": float(result["artifact"] is not None),
    }


def plan_playbook(hosts: int, forks: int) -> Ended:
    """The whole playbook plan, which must name every host."""
    with simulated.inventory(hosts) as inventory, tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "plan.json")
        ended = _playbook("plan", inventory, forks, f"plan_file={file}")
        planned = len(json.loads(file.read_text(encoding="utf-8"))["hosts"])
    if planned != hosts:
        raise CommandError(f"the plan should name {hosts} hosts, and names {planned}")
    return ended


def status_playbook(hosts: int, forks: int) -> Ended:
    """The whole playbook status, which must find every host behind."""
    with simulated.inventory(hosts) as inventory, tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "status.json")
        ended = _playbook("status", inventory, forks, f"status_file={file}", "status_fail=no")
        pending = json.loads(file.read_text(encoding="utf-8"))["summary"]["pending"]
    if pending != hosts:
        raise CommandError(f"{hosts} hosts should be pending, and {pending} are")
    return ended


def _playbook(name: str, inventory: Path, forks: int, *variables: str) -> Ended:
    words = [f"podfleet.autoupdate.{name}", f"-i{inventory}", f"-f{forks}", *(f"-e{one}" for one in variables)]
    return ansible("ansible-playbook", *words, memory=True)


def _memory(*, peak: bool = False) -> float:
    """Bytes that this process has, or had at most."""
    if peak:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    told = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(t.cast("re.Match[str]", told)[1]) * _KIB


def main(words: t.Sequence[str]) -> int:
    """Return the exit code: 0 if every plan is what it should be."""
    parser = argparse.ArgumentParser(prog="fleet_scale.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--hosts",
        default=_DEFAULT_HOSTS,
        metavar="N,N…",
        help="how many, one size after the other (default %(default)s)",
    )
    parser.add_argument("--forks", type=int, default=10, help="of the playbooks (default %(default)s)")
    parser.add_argument("--engine-only", action="store_true", help="no playbooks: 10000 hosts take seconds then")
    parser.add_argument("--engine", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.engine:
        print(json.dumps(engine(options.engine)))
        return 0
    sizes = [int(one) for one in options.hosts.split(",")]
    print(
        f"{simulated.CONTAINERS} containers on each host, {simulated.IMAGES} distinct images, a third of them new;"
        f" {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}.\n"
    )
    try:
        _tell_engine(sizes)
        if not options.engine_only:
            _tell_playbooks(sizes, options.forks)
    except (CommandError, subprocess.SubprocessError) as problem:
        print(f"The benchmark stopped: {problem}")
        return 1
    return 0


def _tell_engine(sizes: t.Sequence[int]) -> None:
    print("The engine's part\n")
    print("  hosts  seconds  ms/host  peak MiB  KiB/host  told MiB  plan MiB  artifact")
    for size in sizes:
        command = [sys.executable, __file__, "--engine", str(size)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=True)
        one = json.loads(told.stdout)
        print(
            f"{_line(size, one['seconds'], one['peak_mib'])}  {one['told_mib']:8.0f}  {one['plan_mib']:8.1f}"
            f"  {'yes' if one['artifact'] else 'no'}"
        )
        names = ("reading", "choosing who asks", "planning", "writing JSON", "reading the plan back")
        print("         " + ", ".join(f"{name} {one[name]:.2f} s" for name in names), flush=True)


def _tell_playbooks(sizes: t.Sequence[int], forks: int) -> None:
    print(f"\nThe whole playbooks, {forks} forks; the memory of all their processes, what they share once\n")
    print("  hosts  seconds  ms/host  peak MiB  KiB/host  CPU ms/host")
    for name, run in (("plan", plan_playbook), ("status", status_playbook)):
        for size in sizes:
            ended = run(size, forks)
            print(
                f"{_line(size, ended.seconds, ended.mib or 0)}  {ended.cpu_seconds / size * 1000:11.2f}  {name}",
                flush=True,
            )


def _line(hosts: int, seconds: float, mib: float) -> str:
    return f"{hosts:7}  {seconds:7.2f}  {seconds / hosts * 1000:7.2f}  {mib:8.0f}  {mib * _KIB / hosts:8.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
