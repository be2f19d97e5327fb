#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of looking up images: one process of the engine beside the tool that people use, on the same host.

Only what was verified counts; no figure makes this fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import checkout  # noqa: F401 (makes the lab importable)
from installing import FOLDER, MEASURE, install_engine, remove_engine
from lablib import lab as lablab
from lablib import packages
from lablib.errors import LabError
from lablib.host import Host
from lablib.images import ImageMaker
from lablib.lab import Lab
from testbed import BenchError

_PATIENCE = 600.0
_ARCHIVES = "/root/podfleet-bench-archives"
_KIB_IN_MIB = 1024


@dataclass(frozen=True)
class Cost:
    """What one run took; C(seconds) are of the clock, C(cpu_seconds) of all processors together."""

    seconds: float
    cpu_seconds: float
    largest_process_kib: int


@dataclass
class Beside:
    """Alternating runs of a peer and of the engine."""

    title: str
    peer: str
    theirs: list[Cost] = field(default_factory=list)
    ours: list[Cost] = field(default_factory=list)

    def figures(self) -> list[tuple[str, float, float]]:
        """What, the peer's median and the engine's."""
        names = {
            "seconds": "seconds",
            "cpu_seconds": "seconds of CPU",
            "largest_process_kib": "MiB of the largest process",
        }
        scale = {"largest_process_kib": _KIB_IN_MIB}
        found = []
        for name, what in names.items():
            theirs, ours = (one / scale.get(name, 1) for one in self._medians(name))
            found.append((what, theirs, ours))
        return found

    def _medians(self, name: str) -> tuple[float, float]:
        theirs, ours = (median(float(getattr(run, name)) for run in runs) for runs in (self.theirs, self.ours))
        return theirs, ours

    def to_json(self) -> dict[str, t.Any]:
        medians = {
            what: {"ratio": theirs / ours, "peer": theirs, "ours": ours} for what, theirs, ours in self.figures()
        }
        return {"title": self.title, "medians": medians, "runs": asdict(self)}


def archives(host: Host, runs: int, quick: bool) -> list[Beside]:
    """The IDs of archives: one process of the engine for a set of them, beside one `skopeo inspect` for each."""
    number, smallest, largest, alone = (2, 5, 20, 64) if quick else (10, 50, 200, 2048)
    _say(f"making {number} archives of {smallest} to {largest} MiB in either form, and one of {alone} MiB")
    host.run(["rm", "-rf", _ARCHIVES])
    with contextlib.ExitStack() as stack:
        stack.callback(host.run, ["rm", "-rf", _ARCHIVES])
        sizes = map(str, (number, smallest, largest, alone))
        made = json.loads(
            host.run(["python3", f"{FOLDER}/archives.py", "make", _ARCHIVES, *sizes], timeout=_PATIENCE).stdout
        )
        titles = {
            "docker-archives": f"{number} docker-archives of {smallest} to {largest} MiB",
            "oci-archives": f"{number} oci-archives of {smallest} to {largest} MiB",
            "a large docker-archive": f"a docker-archive of {alone} MiB",
            "a docker-archive packed by gzip": f"a docker-archive of {largest} MiB, packed by gzip",
        }
        return [_archives(host, titles[kind], ids, runs) for kind, ids in made.items()]


def _archives(host: Host, title: str, ids: dict[str, str], runs: int) -> Beside:
    _must_be(ids, _skopeo_ids(host, ids), "skopeo")
    beside = Beside(title, "skopeo inspect")
    loop = f"set -e; for name in {shlex.join(ids)}; do skopeo inspect $name; done"
    for number in range(runs + 1):
        theirs, _output = _measured(host, "sh", "-c", loop)
        ours, output = _measured(host, "python3", f"{FOLDER}/archives.py", "read", *ids)
        _must_be(ids, {name: found for name, (found,) in json.loads(output).items()}, "the engine")
        if number:  # The first of each fills the page cache, and compiles the engine.
            beside.theirs.append(theirs)
            beside.ours.append(ours)
    _say(f"{title}: skopeo {beside.theirs[-1].seconds:.2f} s, the engine {beside.ours[-1].seconds:.2f} s")
    return beside


def stores(host: Host, runs: int, quick: bool) -> list[Beside]:
    """The IDs of local images: one process of the engine for all names, beside one `podman image inspect` for each."""
    number = 5 if quick else 100
    _say(f"pulling {number} images")
    maker = ImageMaker(Lab.open().registry.address)
    pushed = [maker.push(f"bench-store-{one}", version=f"bench-{one}") for one in range(number)]
    ids = {one.reference: next(iter(one.image_ids.values())) for one in pushed}
    with contextlib.ExitStack() as stack:
        stack.callback(host.run, ["podman", "rmi", "--force", "--ignore", *ids], timeout=_PATIENCE)
        host.run(["podman", "pull", "--quiet", *ids], timeout=_PATIENCE)
        return [_store(host, f"{number} local images", ids, runs)]


def _store(host: Host, title: str, ids: dict[str, str], runs: int) -> Beside:
    beside = Beside(title, "podman image inspect")
    loop = f"set -e; for name in {shlex.join(ids)}; do podman image inspect --format '{{{{.Id}}}}' $name; done"
    for number in range(runs + 1):
        theirs, output = _measured(host, "sh", "-c", loop)
        _must_be(ids, {name: f"sha256:{line}" for name, line in zip(ids, output.split())}, "podman")
        ours, output = _measured(host, "python3", f"{FOLDER}/stores.py", *ids)
        _must_be(ids, json.loads(output), "the engine")
        if number:  # The first of each fills the page cache, and compiles the engine.
            beside.theirs.append(theirs)
            beside.ours.append(ours)
    _say(f"{title}: podman {beside.theirs[-1].seconds:.2f} s, the engine {beside.ours[-1].seconds:.2f} s")
    return beside


def _skopeo_ids(host: Host, ids: dict[str, str]) -> dict[str, str]:
    """The digests of the configs that skopeo finds: it must speak of the same images."""
    script = f"set -e; for name in {shlex.join(ids)}; do skopeo inspect --config --raw $name | sha256sum; done"
    lines = host.run(["sh", "-c", script], timeout=_PATIENCE).stdout.splitlines()
    return {name: f"sha256:{line[:64]}" for name, line in zip(ids, lines)}


def _must_be(ids: dict[str, str], told: dict[str, str], who: str) -> None:
    if told != ids:
        raise BenchError(f"{who} says {told}, and the images are {ids}")


def _measured(host: Host, *argv: str) -> tuple[Cost, str]:
    told = json.loads(host.run([*MEASURE, *argv], timeout=_PATIENCE).stdout)
    if told["code"] != 0:
        raise BenchError(f"{argv[0]} ended with {told['code']}: {told['errors'][-2000:]}{told['output'][-2000:]}")
    return Cost(told["seconds"], told["cpu_seconds"], told["largest_process_kib"]), told["output"]


#: What is measured, by the word for it on the command line.
_HALVES: t.Mapping[str, t.Callable[[Host, int, bool], list[Beside]]] = {"archives": archives, "stores": stores}


def main(words: t.Sequence[str]) -> int:
    """Return the exit code: 0 if everything was done and verified."""
    options = _parser().parse_args(words)
    if os.geteuid() != 0:
        print("The benchmark needs the lab, and the lab needs root: run «sudo make bench».")
        return 2
    runs = 1 if options.quick else options.runs
    found: list[Beside] = []
    try:
        with _prepared(options.distro, options.host_number) as host:
            for half in options.only or _HALVES:
                found += _HALVES[half](host, runs, options.quick)
    except (BenchError, LabError) as problem:
        print(f"The benchmark stopped: {problem}")
        return 1
    print(f"\nMedians of {runs}, files in the page cache. Ratio: the peer's figure divided by ours.\n\n{_table(found)}")
    if options.json:
        options.json.write_text(json.dumps([one.to_json() for one in found], indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="images.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=tuple(_HALVES), action="append", help="only this half")
    parser.add_argument("--distro", choices=("trixie", "bookworm"), default="trixie")
    parser.add_argument("--host-number", default=2, type=int, metavar="N", help="which lab host (default %(default)s)")
    parser.add_argument("--runs", default=3, type=int, metavar="N", help="measured runs of each (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small images, 1 run: does it work at all?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    return parser


@contextlib.contextmanager
def _prepared(distro: str, number: int) -> t.Iterator[Host]:
    """A lab host with the engine on it."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{packages.SEARCH_PATH}"
    with contextlib.suppress(LabError):
        # A lab that runs already is used as it is, whatever cache it lives in.
        os.environ["PODFLEET_CACHE"] = str(Lab.open().paths.cache.parent)
    host = lablab.up(distro, number, secure=False, say=_say).host(f"{distro}-{number}")
    with contextlib.ExitStack() as stack:
        stack.callback(remove_engine, host)
        install_engine(host, "measure.py", "archives.py", "stores.py")
        yield host


def _table(found: t.Sequence[Beside]) -> str:
    rows = []
    for one in found:
        rows.append(("ratio", one.peer, "engine", one.title))
        rows += [
            (f"{theirs / ours:.1f}x", f"{theirs:.2f}", f"{ours:.2f}", what) for what, theirs, ours in one.figures()
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*(cell.rjust(width) for cell, width in zip(row, widths)), row[3]]) for row in rows)


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
