# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sanity gate: ansible-test sanity, whole and without an ignore file, on three cores."""

from __future__ import annotations

import ansible_test
import places
from running import GateError, Lane, Log, say

#: Core and the Python it runs on. The constraints file says which release of that core a Python gets.
_CORES = (("2.21", "3.12"), ("2.16", "3.10"), ("2.19", "3.11"))


def lanes() -> list[Lane]:
    return [_lane(core, python) for core, python in _CORES]


def _lane(core: str, python: str) -> Lane:
    def work(log: Log) -> None:
        ignore_files = sorted((places.ROOT / "tests" / "sanity").glob("ignore*.txt"))
        if ignore_files:
            raise GateError(f"sanity is promised without ignore files: {', '.join(path.name for path in ignore_files)}")
        name = f"sanity-{core}"
        ansible_test.run(name, python, ["sanity", "--python", "default", "--color", "no"], log)
        for line in ansible_test.skipped(log):
            say(f"        {name}: {line}")

    return Lane(f"core {core}, Python {python}", work)
