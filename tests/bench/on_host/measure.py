# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copied to the host: run one program and print as JSON how long it took, how much memory it had, and what it said.

measure.py PROGRAM ARGUMENTS…
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time


def main(argv: list[str]) -> None:
    # Files and no pipes: a child that waits for a reader would be measured with its reader.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begin = time.monotonic()
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        _pid, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begin
        child.returncode = status >> 8 if os.WIFEXITED(status) else -os.WTERMSIG(status)
        for stream in (output, errors):
            stream.seek(0)
        told = {
            "seconds": seconds,
            # Of the program and all the children that it waited for.
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "code": child.returncode,
            # Of the largest process among the program and its own children; Linux counts in KiB.
            "largest_process_kib": usage.ru_maxrss,
            "output": output.read(),
            "errors": errors.read(),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
