#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for 100, 1 000 and 10 000 simulated hosts: time, and the memory that the controller needs for each host.

The engine's part reads what hosts told, chooses who asks, and makes, writes and reads the plan; each size has a process of its
own. With --playbook, the whole of podfleet.autoupdate.plan runs over hosts whose Python only prints what was recorded.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

_CONTAINERS, _IMAGES = 20, 15
_SIZES = (100, 1000, 10_000)
_MIB, _KIB = 1024 * 1024, 1024
_PLATFORM = "linux/amd64"
_LONGEST_SECONDS = 3600


def host_told(number: int) -> dict[str, t.Any]:
    """What one host tells, as the module's JSON: no two hosts share a container's ID, and none shares a string."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps({"changed": False, "workloads": list(_rows(number))})))


def answered(host: str) -> dict[str, t.Any]:
    """What the registries tell: a third of all images is new."""
    names = [_reference(image) for image in range(_IMAGES)]
    return {
        "item": {"host": host, "names": names, "platform": None, "of": _PLATFORM},
        "images": [_answer(image) for image in range(_IMAGES)],
        "registries": [],
    }


def _rows(number: int) -> t.Iterator[dict[str, t.Any]]:
    for one in range(_CONTAINERS):
        image = one % _IMAGES
        digest = _digest(f"old manifest {image}")
        yield {
            "unit": f"app-{one:02}.service",
            "scope": "system",
            "user": None,
            "container": f"{number:012x} (app-{one:02})",
            "container_id": _digest(f"{number} {one}")[7:],
            "container_name": f"app-{one:02}",
            "image": _reference(image),
            "policy": "registry",
            "shared_with": [],
            "pinned": False,
            "reason": None,
            "error": None,
            "running": {
                "id": _digest(f"old {image}"),
                "digest": digest,
                "digests": [digest, _digest(f"old index {image}")],
                "platform": _PLATFORM,
            },
            "unit_state": {
                "load_state": "loaded",
                "active_state": "active",
                "sub_state": "running",
                "job_running": False,
            },
            "warnings": [],
        }


def _answer(image: int) -> dict[str, t.Any]:
    which = "new" if image % 3 == 0 else "old"
    remote = {
        "digest": _digest(f"{which} manifest {image}"),
        "platform_digest": None,
        "id": _digest(f"{which} {image}"),
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "size": 50_000_000,
        "registry": "registry.example.com",
    }
    return {
        "name": _reference(image),
        "status": "pending",
        "reason": None,
        "error": None,
        "local": None,
        "remote": remote,
    }


def _reference(image: int) -> str:
    return f"registry.example.com/team/app-{image:02}:stable"


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def engine(hosts: int) -> dict[str, float]:
    """One plan in this process: seconds by part, and the memory at its highest, with and without what the hosts told."""
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.asking import calls  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plan_report import to_result  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.planning import plan  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports  # noqa: PLC0415
    from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import read_plan  # noqa: PLC0415

    empty = _memory()
    told = {f"host-{number:05}": host_told(number) for number in range(hosts)}
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
    answers = NOTHING_TOLD.with_results([answered(call.host)])
    made = plan(reports, answers, id="0f" * 16, created=now, lasts=timedelta(days=1))
    result = to_result(made)
    lap("planning")
    text = json.dumps(result["plan"])
    lap("writing JSON")
    read = read_plan(json.loads(text), now)
    lap("reading the plan back")
    pending = sum(image % 3 == 0 for image in (one % _IMAGES for one in range(_CONTAINERS)))
    if len(read.hosts) != hosts or result["summary"]["pending"] != hosts * pending:
        raise SystemExit("the plan is not what it should be")
    return {
        **times,
        "seconds": sum(times.values()),
        "told_mib": (loaded - empty) / _MIB,
        "peak_mib": _memory(peak=True) / _MIB,
        "plan_mib": len(text) / _MIB,
        "artifact": float(result["artifact"] is not None),
    }


def playbook(hosts: int, forks: int) -> dict[str, float]:
    """The whole playbook over so many hosts: seconds, and the memory of Ansible's own process at its highest."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        told = {}
        for number in range(hosts):
            program = folder / f"{number}.python"
            # The first one answers for the registries as well.
            name = f"host-{number:05}"
            answers = shlex.quote(json.dumps(answered(name)))
            program.write_text(
                f"#!/bin/sh\ncase $1 in *image_digest_info*) printf '%s\\n' {answers};; "
                f"*) printf '%s\\n' {shlex.quote(json.dumps(host_told(number)))};; esac\n",
                encoding="utf-8",
            )
            program.chmod(0o755)
            told[name] = {"ansible_connection": "local", "ansible_python_interpreter": str(program)}
        inventory = folder / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": told}}), encoding="utf-8")
        plan_file = folder / "plan.json"
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "podfleet.autoupdate.plan",
            f"-i{inventory}",
            f"-f{forks}",
            f"-eplan_file={plan_file}",
        ]
        env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        env["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".collections")
        begin = time.monotonic()
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as running:
            output = t.cast("t.IO[str]", running.stdout).read()
            # Of this process, and not of the largest of its children.
            _pid, status, usage = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        if running.returncode != 0 or len(json.loads(plan_file.read_text(encoding="utf-8"))["hosts"]) != hosts:
            raise SystemExit(f"the playbook ended with {running.returncode}:\n{output[-3000:]}")
        return {"seconds": seconds, "peak_mib": usage.ru_maxrss / _KIB}


def _memory(*, peak: bool = False) -> float:
    """Bytes that this process has, or had at most."""
    if peak:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    told = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(t.cast("re.Match[str]", told)[1]) * _KIB


def main(words: t.Sequence[str]) -> int:
    """Return the exit code: 0 if every plan is what it should be."""
    parser = argparse.ArgumentParser(prog="fleet_scale.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default=",".join(map(str, _SIZES)), help="hosts (default %(default)s)")
    parser.add_argument("--playbook", default="", metavar="SIZES", help="also the whole playbook, for these sizes")
    parser.add_argument("--forks", type=int, default=10, help="of the playbook (default %(default)s)")
    parser.add_argument("--engine", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.engine:
        print(json.dumps(engine(options.engine)))
        return 0
    print(f"{_CONTAINERS} containers on each host, {_IMAGES} distinct images, a third of them new.\n")
    print("  hosts  seconds  ms/host  peak MiB  KiB/host  told MiB  plan MiB  artifact")
    for size in map(int, options.sizes.split(",")):
        told = subprocess.run(
            [sys.executable, __file__, "--engine", str(size)],
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=True,
        )
        one = json.loads(told.stdout)
        print(
            f"{size:7}  {one['seconds']:7.2f}  {one['seconds'] / size * 1000:7.2f}  {one['peak_mib']:8.0f}"
            f"  {one['peak_mib'] * _KIB / size:8.1f}  {one['told_mib']:8.0f}  {one['plan_mib']:8.1f}"
            f"  {'yes' if one['artifact'] else 'no'}"
        )
        names = ("reading", "choosing who asks", "planning", "writing JSON", "reading the plan back")
        print("         " + ", ".join(f"{name} {one[name]:.2f} s" for name in names))
    for size in map(int, filter(None, options.playbook.split(","))):
        one = playbook(size, options.forks)
        print(
            f"{size:7}  {one['seconds']:7.2f}  {one['seconds'] / size * 1000:7.2f}  {one['peak_mib']:8.0f}"
            f"  {one['peak_mib'] * _KIB / size:8.1f}  the whole playbook, {options.forks} forks"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
