#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the project's gates: `gate.py all`, one or several by name, or the housekeeping around them.

gate.py lint unit sanity docs build integration molecule    one or several gates, side by side inside each
gate.py all                                                 every gate; a failing one does not stop the others
gate.py bench                                               the benchmarks: figures, no verdict on them
gate.py changelog                                           CHANGELOG.md from the fragments, for the version in galaxy.yml
gate.py collections                                         .collections: a collections path that leads to this checkout
gate.py venv NAME                                           print the folder of a virtual environment, made if needed
gate.py clean                                               stop the lab and take away what the project made
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
import typing as t

import cleaning
import documents
import labs
import lint
import package
import places
import release_notes
import running
import sanity
import trees
import units
import venvs
from running import Lane, Log, Outcome, run_lanes, say

#: In the order of `all`: what answers fast comes first, what needs the lab last.
GATES: t.Mapping[str, t.Callable[[], list[Lane]]] = {
    "lint": lint.lanes,
    "unit": units.lanes,
    "build": package.lanes,
    "docs": documents.lanes,
    "sanity": sanity.lanes,
    "integration": labs.integration_lanes,
    "molecule": labs.molecule_lanes,
}
_NO_VERDICT: t.Mapping[str, t.Callable[[], list[Lane]]] = {"bench": labs.bench_lanes}
#: Lanes side by side, on two cores. Unit tests wait for deadlines half of their time.
_WIDTHS: t.Mapping[str, int] = {"unit": 3, "integration": 4}
_OLDEST_DRIVER_PYTHON = (3, 9)


def main(words: list[str]) -> int:
    if sys.version_info[:2] < _OLDEST_DRIVER_PYTHON:
        say("The gates need Python 3.9 or newer to run them.")
        return 2
    if words == ["clean"]:
        return cleaning.clean()
    if words == ["changelog"]:
        return _run_gates([("changelog", release_notes.lanes)])
    if words == ["collections"]:
        say(str(trees.link()))
        return 0
    if words[:1] == ["venv"] and len(words) == 2 and words[1] in venvs.ROOMS:
        return _print_venv(words[1])
    known = {**GATES, **_NO_VERDICT}
    names = list(GATES) if words == ["all"] else words
    if not names or any(name not in known for name in names):
        say(__doc__ or "")
        return 2
    return _run_gates([(name, known[name]) for name in names])


def _print_venv(name: str) -> int:
    try:
        print(venvs.ensure(venvs.ROOMS[name], Log(places.part("logs") / f"venv-{name}.log")))
    except running.GateError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _run_gates(gates: list[tuple[str, t.Callable[[], list[Lane]]]]) -> int:
    results: list[tuple[str, list[Outcome], float]] = []
    for name, lanes in gates:
        say(f"{name}:")
        begin = time.monotonic()
        outcomes = run_lanes(name, lanes(), _WIDTHS.get(name, 2))
        results.append((name, outcomes, time.monotonic() - begin))
    say("\n" + _table(results))
    failed = sum(1 for _name, outcomes, _seconds in results if not _passed(outcomes))
    say(f"\n{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _passed(outcomes: list[Outcome]) -> bool:
    return bool(outcomes) and all(outcome.passed for outcome in outcomes)


def _table(results: list[tuple[str, list[Outcome], float]]) -> str:
    lines = [f"{'gate':<12} | {'result':<6} | seconds"]
    for name, outcomes, seconds in results:
        lines.append(f"{name:<12} | {'passed' if _passed(outcomes) else 'FAILED':<6} | {seconds:7.1f}")
        lines += [f"{'':<12} |        |         in {bad.lane}" for bad in outcomes if not bad.passed]
    return "\n".join(lines)


def _interrupted(_signal: int, _frame: object) -> t.NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):
            running.end_what_still_runs()
        say("Interrupted.")
        code = 130
    sys.exit(code)
