# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible as a person at a shell calls it: the repository's ansible.cfg, the lab's inventory, the module's short name."""

from __future__ import annotations

import shlex
import subprocess
import typing as t
from pathlib import Path

import checkout
import places
from telling import DemoError, show

_LONGEST_RUN_SECONDS = 600


class Controller:
    """Runs `ansible` and lets its output go straight to the reader."""

    def __init__(self, binaries: Path, inventory: Path) -> None:
        self.binaries = binaries
        self._inventory = inventory

    def command(self, host: str, only: t.Sequence[str], *options: str) -> list[str]:
        """The command line; C(only) limits it where the host runs other people's containers too."""
        limited = ["-a", f"only={','.join(only)}"] if only else []
        return ["ansible", host, "-i", str(self._inventory), "-m", "image_autoupdate", *limited, *options]

    def run(self, command: t.Sequence[str]) -> int:
        """Print the command, run it, and return its exit code."""
        show(f"$ {shlex.join(command)}")
        print(flush=True)
        env = places.environment(self.binaries, ANSIBLE_CONFIG=str(checkout.ROOT / "ansible.cfg"))
        words = [str(self.binaries / command[0]), *command[1:]]
        try:
            ended = subprocess.run(
                words, cwd=checkout.ROOT, env=env, stdin=subprocess.DEVNULL, timeout=_LONGEST_RUN_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise DemoError(f"{command[0]} did not end within {_LONGEST_RUN_SECONDS} s.") from None
        return ended.returncode
