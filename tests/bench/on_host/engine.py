# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copied to the host beside the collection's module_utils: the engine without Ansible, its result and spans as JSON.

engine.py check|update
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time


def main(words: list[str]) -> None:
    begin = time.monotonic()
    engine = importlib.import_module("module_utils._engine.autoupdate")
    settings = importlib.import_module("module_utils._engine.settings")
    imported = time.monotonic()
    report = engine.autoupdate(settings.Settings(), check_mode=words == ["check"])
    ended = time.monotonic()
    told = {
        "import_seconds": imported - begin,
        "run_seconds": ended - imported,
        "own_memory_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "result": report.to_result(()),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
