#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures beside podman auto-update: the same host, units, images and slow registry, in alternating runs.

Only work that was done and verified counts; no figure makes this fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import checkout  # noqa: F401 (makes the lab importable)
from ansible_task import AnsibleTask
from contenders import WIDE, WIDTH, Contenders
from figures import Cell, Series, growth_table, table
from lablib.errors import LabError
from testbed import LANE, BenchError, Testbed, prepared
from updates import by_width, measured

_GROWTH_IMAGES = (100, 20, 5, 1)
_GROWTH_DELAYS_MS = (0.0, 40.0, 150.0)
#: More work than that, in images times milliseconds, is measured once.
_MEASURED_ONCE = 2000

_SETTLED = """\
Both ask the same plain registry through the same proxy, which adds the round-trip time; a new connection pays one more.
One run of each is made before the measured ones, so that files are in the page cache; the engine's modules are compiled,
as on a host that has it installed, while Ansible sends and compiles them with every task. podman's figures are without
Ansible in every row. Before each measured update the store holds the running images only; the new ones share a layer
with them and bring a small one. The engine's span ends when its report is there; the interpreter's start is in the
whole process only. «Asking the registry» is what is left of the requests once podman has told everything: connections
are opened before."""
_GROWN = """\
podman: the whole process; ours: the engine's own span with the default number of requests at once, and with more."""

_UPDATED = """\
Ratio: podman's seconds divided by ours, medians of alternating runs; settle is 0, because podman does not watch either.
Units that ignore SIGTERM get one second to stop. A unit is down from the old process's death to the new one's start."""


def main(words: t.Sequence[str]) -> int:
    """Return the exit code: 0 if everything was done and verified."""
    options = _parser().parse_args(words)
    if os.geteuid() != 0:
        print("The benchmark needs the lab, and the lab needs root: run «sudo make bench».")
        return 2
    images, runs = (3, 1) if options.quick else (options.images, options.runs)
    images = max(_GROWTH_IMAGES) if options.growth else images
    try:
        if options.widths:
            return _widths_only(options, runs, images)
        if options.updates:
            return _update_only(options, runs, images)
        with prepared(options.distro, options.host_number, images, options.delay_ms, _say) as bed:
            about = _about(bed, options.delay_ms, runs)
            if options.growth:
                cells = _grow(bed, runs)
                print(f"\n{growth_table(cells)}\n\n{_GROWN}")
                _write(options.json, {"about": about, "cells": [cell.to_json() for cell in cells]})
                return 0
            all_series = _measure(bed, runs)
    except (BenchError, LabError, subprocess.TimeoutExpired) as problem:
        print(f"The benchmark stopped: {problem}")
        return 1
    print(
        f"\n{about['images']} images and units on one host ({about['distro']}, podman {about['podman']}), "
        f"{about['delay_ms']:g} ms round trip, medians of {runs}.\nRatio: podman's figure divided by ours; "
        f"seconds are this machine's only ({about['processors']} processors, load {about['load']:.1f} at the start).\n"
    )
    print(f"{table(all_series)}\n\n{_SETTLED}")
    _write(options.json, {"about": about, "series": [series.to_json() for series in all_series]})
    return 0


def _update_only(options: argparse.Namespace, runs: int, images: int) -> int:
    all_updates = measured(options.distro, options.host_number, images, options.delay_ms, runs, _say)
    print("\n" + "\n\n".join("\n".join(series.lines()) for series in all_updates) + f"\n\n{_UPDATED}")
    _write(options.json, {"updates": [series.to_json() for series in all_updates]})
    return 0


def _widths_only(options: argparse.Namespace, runs: int, images: int) -> int:
    where = (options.distro, options.host_number, images, options.delay_ms)
    found = by_width(*where, runs, options.widths, options.stop_seconds, _say)
    print(f"\nupdate of {images} units that ignore SIGTERM for {options.stop_seconds} s, medians of {runs}")
    print("\n".join(one.line() for one in found))
    _write(options.json, {"widths": [one.to_json() for one in found]})
    return 0


def _write(path: Path | None, document: t.Mapping[str, t.Any]) -> None:
    if path:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--images", default=20, type=int, metavar="N", help="distinct images, a unit each (default %(default)s)"
    )
    parser.add_argument("--delay-ms", type=float, default=40.0, metavar="MS", help="round trip (default %(default)s)")
    parser.add_argument("--distro", choices=("trixie", "bookworm"), default="trixie")
    parser.add_argument(
        "--host-number",
        default=LANE or 2,
        type=int,
        metavar="N",
        help="which lab host; everything on it is removed (default %(default)s)",
    )
    parser.add_argument("--runs", default=3, type=int, metavar="N", help="measured runs of each (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 images, 1 run: does it work at all?")
    parser.add_argument(
        "--growth",
        action="store_true",
        help="instead: checks of 1, 5, 20 and 100 images at 0, 40 and 150 ms (about ten minutes)",
    )
    parser.add_argument(
        "--updates",
        action="store_true",
        help="instead: updates of units that ignore SIGTERM and of units that stop at once (about ten minutes)",
    )
    parser.add_argument(
        "--widths",
        type=lambda text: [int(one) for one in text.split(",")],
        metavar="N,N",
        help="instead: updates of units that ignore SIGTERM, so many at once; for example 1,4,8,12,20",
    )
    parser.add_argument(
        "--stop-seconds", default=1, type=int, metavar="S", help="what such units get to stop (default %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    return parser


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _about(bed: Testbed, delay_ms: float, runs: int) -> dict[str, t.Any]:
    return {
        "images": len(bed.names),
        "delay_ms": delay_ms,
        "runs": runs,
        "distro": bed.host.distro,
        "podman": bed.host.run(["podman", "version", "--format", "{{.Client.Version}}"]).stdout.strip(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def _measure(bed: Testbed, runs: int) -> list[Series]:
    contenders = Contenders(bed)
    with contextlib.ExitStack() as stack:
        contenders.install_engine()
        stack.callback(contenders.remove_engine)
        return [_checks(bed, contenders, runs), _updates(bed, contenders, runs)]


def _checks(bed: Testbed, contenders: Contenders, runs: int) -> Series:
    series = Series(f"check of {len(bed.names)} images, nothing new")
    task = AnsibleTask(bed)
    _say("check: warming up")
    contenders.podman_check()
    contenders.engine_check(WIDTH)
    contenders.engine_check(WIDE)
    task.ping()
    task.check()
    for number in range(1, runs + 1):
        series.peer.append(contenders.podman_check())
        series.ours.append(contenders.engine_check(WIDTH))
        series.wide.append(contenders.engine_check(WIDE))
        for width in (WIDTH, WIDE):
            series.asking_seconds.setdefault(width, []).append(contenders.engine_asking(width))
        series.ping_seconds.append(task.ping())
        series.task_seconds.append(task.check())
        _say(f"check {number}: podman {series.peer[-1].seconds:.2f} s, the engine {series.ours[-1].seconds:.2f} s")
    return series


def _grow(bed: Testbed, runs: int) -> list[Cell]:
    """Checks of fewer and fewer units, near and far: the largest first, because the others are made by stopping units."""
    cells = []
    for images in _GROWTH_IMAGES:
        bed = bed.first(images)
        contenders = Contenders(bed)
        contenders.install_engine()
        contenders.engine_check(WIDTH)
        for delay_ms in _GROWTH_DELAYS_MS:
            bed.proxy.delay_ms = delay_ms
            series = Series(f"check of {images} images at {delay_ms:g} ms")
            for _number in range(1 if images * delay_ms > _MEASURED_ONCE else runs):
                series.peer.append(contenders.podman_check())
                series.ours.append(contenders.engine_check(WIDTH))
                series.wide.append(contenders.engine_check(WIDE))
            cells.append(Cell(images, delay_ms, series))
            _say(f"{series.title}: {len(series.peer)} runs")
        contenders.remove_engine()
    return sorted(cells, key=lambda cell: (cell.images, cell.delay_ms))


def _updates(bed: Testbed, contenders: Contenders, runs: int) -> Series:
    series = Series(f"update of {len(bed.names)} units, all images new")
    for number in range(runs + 1):
        pair = []
        for update in (contenders.podman_update, contenders.engine_update):
            bed.forget_replaced_images()
            pair.append(update(bed.publish()))
        words = f"update {number}:" if number else "update, to warm up:"
        _say(f"{words} podman {pair[0].seconds:.2f} s, the engine {pair[1].seconds:.2f} s")
        if number:
            series.peer.append(pair[0])
            series.ours.append(pair[1])
    return series


def _interrupted(_signal: int, _frame: object) -> t.NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        print("Interrupted.")
        code = 130
    sys.exit(code)
