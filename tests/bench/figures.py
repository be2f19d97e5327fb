# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Medians and ratios of what was measured, as a table for people and as JSON."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field
from statistics import median

from contenders import WIDE, WIDTH, Run

_KIB_IN_MIB = 1024


@dataclass(frozen=True)
class Line:
    """One figure of both; C(ratio) is the peer's divided by ours: above 1, ours needs less."""

    what: str
    peer: float | None
    ours: float | None
    digits: int = 2

    @property
    def ratio(self) -> float | None:
        return self.peer / self.ours if self.peer is not None and self.ours else None

    def cells(self) -> tuple[str, ...]:
        ratio = f"{self.ratio:.1f}x" if self.ratio is not None else ""
        return (ratio, *("" if one is None else f"{one:.{self.digits}f}" for one in (self.peer, self.ours)), self.what)


@dataclass
class Series:
    """Alternating runs of the peer and ours, of one kind of work."""

    title: str
    peer: list[Run] = field(default_factory=list)
    ours: list[Run] = field(default_factory=list)
    #: The same with more requests at once.
    wide: list[Run] = field(default_factory=list)
    #: By requests at once: what asking the registry took, each in a run of its own.
    asking_seconds: dict[int, list[float]] = field(default_factory=dict)
    ping_seconds: list[float] = field(default_factory=list)
    task_seconds: list[float] = field(default_factory=list)

    def lines(self) -> list[Line]:
        seconds = median(run.seconds for run in self.peer)
        found = [Line("whole process, seconds", seconds, median(run.seconds for run in self.ours))]
        for width, runs in ((WIDTH, self.ours), (WIDE, self.wide)):
            if not runs:
                continue
            at_once = f"{width} requests at once"
            found.append(Line(f"  imports, podman and requests, {at_once}", seconds, _median_of(runs, "span_seconds")))
            if width in self.asking_seconds:
                asking = median(self.asking_seconds[width])
                found.append(Line(f"    asking the registry, {at_once}", seconds, asking))
        found.append(Line("  importing the engine's front", None, _median_of(self.ours, "import_seconds")))
        if self.task_seconds:
            over = median(self.task_seconds) - median(self.ping_seconds)
            found.append(Line("Ansible task less ansible.builtin.ping, seconds", seconds, over))
            found.append(Line("  the whole Ansible command", None, median(self.task_seconds)))
        found += self._request_lines()
        peer_memory, our_memory = (
            median(run.largest_process_kib for run in runs) / _KIB_IN_MIB for runs in (self.peer, self.ours)
        )
        own = _median_of(self.ours, "own_memory_kib") / _KIB_IN_MIB
        found.append(Line("peak memory of podman / of the engine, MiB", peer_memory, own, 0))
        found.append(Line("  of the largest process, with the engine's children", peer_memory, our_memory, 0))
        return found

    def _request_lines(self) -> list[Line]:
        kinds = sorted({kind for run in (*self.peer, *self.ours) for kind in run.requests})
        peer, ours = (median(sum(run.requests.values()) for run in runs) for runs in (self.peer, self.ours))
        found = [Line("registry requests", peer, ours, 0)]
        for kind in kinds:
            peer, ours = (median(run.requests.get(kind, 0) for run in runs) for runs in (self.peer, self.ours))
            found.append(Line(f"  {kind}", peer, ours, 0))
        return found

    def to_json(self) -> dict[str, t.Any]:
        medians = {
            line.what.strip(): {"ratio": line.ratio, "peer": line.peer, "ours": line.ours} for line in self.lines()
        }
        return {"title": self.title, "medians": medians, "runs": asdict(self)}


def _median_of(runs: t.Sequence[Run], name: str) -> float:
    return median(float(getattr(run, name)) for run in runs)


@dataclass(frozen=True)
class Cell:
    """One size at one distance: alternating runs of the peer and ours."""

    images: int
    delay_ms: float
    series: Series

    def columns(self) -> tuple[str, ...]:
        peer = median(run.seconds for run in self.series.peer)
        span, wide = (_median_of(runs, "span_seconds") for runs in (self.series.ours, self.series.wide))
        asked = [median(sum(run.requests.values()) for run in runs) for runs in (self.series.peer, self.series.ours)]
        own = _median_of(self.series.ours, "own_memory_kib") / _KIB_IN_MIB
        return (
            str(self.images),
            f"{self.delay_ms:g}",
            f"{peer:.2f}",
            f"{span:.2f}",
            f"{peer / span:.1f}x",
            f"{wide:.2f}",
            f"{peer / wide:.1f}x",
            *(f"{one:.0f}" for one in asked),
            f"{own:.0f}",
        )

    def to_json(self) -> dict[str, t.Any]:
        return {"images": self.images, "delay_ms": self.delay_ms, **self.series.to_json()}


_COLUMNS = ("images", "ms", "podman s", "ours s", "ratio", f"{WIDE} at once s", "ratio", "requests", "ours", "ours MiB")


def growth_table(cells: t.Sequence[Cell]) -> str:
    """How a check grows with the images and the distance."""
    rows = [_COLUMNS, *(cell.columns() for cell in cells)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def table(all_series: t.Sequence[Series]) -> str:
    """Ratios first; absolute figures are this machine's only."""
    blocks = []
    for series in all_series:
        rows = [("ratio", "podman", "ours", series.title), *(line.cells() for line in series.lines())]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        blocks.append(
            "\n".join(
                "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths)), row[3]]).rstrip() for row in rows
            )
        )
    return "\n\n".join(blocks)
