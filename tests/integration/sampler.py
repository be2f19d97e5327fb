# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the command lines of everything that runs on a host during a test."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

from lablib.host import Host
from locations import SCRATCH

_UNIT = "it-sampler.service"
_SEEN = f"{SCRATCH}/command-lines.json"
_PROGRAM = f"""import glob, json, signal, sys
seen = set()
def end(*_):
    with open("{_SEEN}", "w") as file:
        json.dump(sorted(seen), file)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    for place in glob.iglob("/proc/[0-9]*/cmdline"):
        try:
            with open(place, "rb") as file:
                seen.add(file.read().replace(b"\\0", b" ").decode("utf-8", "replace"))
        except OSError:
            pass
"""


class CommandLines:
    """What was seen, once the sampler has ended."""

    def __init__(self) -> None:
        self.seen: list[str] = []


@contextlib.contextmanager
def sampled(host: Host) -> Iterator[CommandLines]:
    """Read the process table over and over, as long as the ``with`` block runs."""
    host.write(f"{SCRATCH}/sampler.py", _PROGRAM)
    start = [
        "systemd-run",
        "--quiet",
        "--collect",
        "--nice=-10",
        f"--unit={_UNIT}",
        "/usr/bin/python3",
        f"{SCRATCH}/sampler.py",
    ]
    host.run(start)
    found = CommandLines()
    try:
        _wait_until_ready(host)
        yield found
    finally:
        host.run(["systemctl", "stop", _UNIT])
    found.seen = json.loads(host.read(_SEEN))


def _wait_until_ready(host: Host) -> None:
    deadline = time.monotonic() + 20
    while "ready" not in host.run(["journalctl", "--quiet", "--output=cat", f"--unit={_UNIT}", "--lines=1"]).stdout:
        assert time.monotonic() < deadline, "the sampler did not start"
        time.sleep(0.1)
