# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copied to the host beside the collection's module_utils: the engine without Ansible, its result and spans as JSON.

engine.py check|update [WIDTH [asking]]

WIDTH is how many requests run at once in a check, and how many units at once in an update. No unit is watched after its
start: podman does not do that either.

With «asking», the time that is spent on asking registries is told; the rest of such a run is no measure.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
import typing as t


def main(words: list[str]) -> None:
    begin = time.monotonic()
    engine = importlib.import_module("module_utils._engine.autoupdate")
    settings = importlib.import_module("module_utils._engine.settings")
    imported = time.monotonic()
    asked: list[float] = []
    given: dict[str, t.Any] = {"settle": 0.0}
    if words[1:]:
        given["registry_parallel" if words[0] == "check" else "parallel"] = int(words[1])
    if words[2:] == ["asking"]:
        flow: t.Any = importlib.import_module("module_utils._update.flow")
        flow.resolve_all = _timed(flow.resolve_all, asked)
    report = engine.autoupdate(settings.Settings(**given), check_mode=words[0] == "check")
    ended = time.monotonic()
    told = {
        "import_seconds": imported - begin,
        "run_seconds": ended - imported,
        "asking_seconds": sum(asked),
        "own_memory_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "result": report.to_result(()),
    }
    print(json.dumps(told))


def _timed(function: t.Callable[..., t.Any], spans: list[float]) -> t.Callable[..., t.Any]:
    def timed(*arguments: t.Any, **options: t.Any) -> t.Any:
        begin = time.monotonic()
        try:
            return function(*arguments, **options)
        finally:
            spans.append(time.monotonic() - begin)

    return timed


if __name__ == "__main__":
    main(sys.argv[1:])
