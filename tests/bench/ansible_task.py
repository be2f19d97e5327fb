# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same check as an Ansible task, beside the cheapest task there is over the same connection."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import checkout
from testbed import BenchError, Testbed

_LONGEST_SECONDS = 300


class AnsibleTask:
    """`ansible HOST -m …` on this machine; the connection is kept between calls, as in a play."""

    def __init__(self, bed: Testbed) -> None:
        self._bed = bed
        self._ansible = Path(sys.executable).parent / "ansible"
        if not self._ansible.exists():
            raise BenchError(
                f"no ansible beside {sys.executable}; «make bench» runs this in an environment that has it"
            )
        link = checkout.ROOT / ".collections"
        if not link.exists():
            raise BenchError(f"{link} is missing; «make collections» makes it")

    def ping(self) -> float:
        """Seconds of `ansible.builtin.ping`."""
        return self._timed("ansible.builtin.ping", expect='"pong"')

    def check(self) -> float:
        """Seconds of the module in check mode, which must find nothing new."""
        count = len(self._bed.names)
        return self._timed("podfleet.autoupdate.image_autoupdate", "--check", expect=f" {count} current ")

    def run(self) -> float:
        """Seconds of the module in a run, which must find nothing new."""
        count = len(self._bed.names)
        return self._timed("podfleet.autoupdate.image_autoupdate", expect=f" {count} current")

    def _timed(self, module: str, *options: str, expect: str) -> float:
        command = [str(self._ansible), self._bed.host.name, "-i", str(self._bed.lab.inventory), "-m", module, *options]
        env = {
            **os.environ,
            "ANSIBLE_CONFIG": str(checkout.ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        }
        begin = time.monotonic()
        ended = subprocess.run(
            command,
            cwd=checkout.ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        seconds = time.monotonic() - begin
        if ended.returncode != 0 or expect not in ended.stdout:
            raise BenchError(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return seconds
