# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates of all units of a host, beside podman auto-update and beside nothing but their restarts, in alternating runs."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from dataclasses import asdict, dataclass, field
from statistics import median

from ansible_task import AnsibleTask
from contenders import WIDE, WIDTH, Contenders, Run
from downtimes import downtimes, now
from lablib.images import Kind
from testbed import Testbed, prepared

#: What a no-op run may take beside the time of one and a half ping, in seconds.
_NO_OP_SECONDS = 0.6


@dataclass
class Update:
    """One update, and how long each unit was down in it, in seconds."""

    run: Run
    down: list[float]


@dataclass
class UpdateSeries:
    """Alternating updates of the same units: by podman, by the engine with some and with more units at once."""

    title: str
    podman: list[Update] = field(default_factory=list)
    ours: list[Update] = field(default_factory=list)
    wide: list[Update] = field(default_factory=list)
    #: systemctl restart of all units at once, the images being there: nobody can be faster.
    bare_seconds: list[float] = field(default_factory=list)
    ping_seconds: list[float] = field(default_factory=list)
    no_op_seconds: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The medians, ratios first."""
        peer = _seconds(self.podman)
        found = [self.title, f"         {peer:7.2f} s  podman auto-update"]
        for updates, width in ((self.ours, WIDTH), (self.wide, WIDE)):
            span = median(t.cast("float", one.run.span_seconds) for one in updates)
            found.append(f"  {peer / span:5.1f}x {span:7.2f} s  the engine's span, {width} units at once")
            found.append(f"  {peer / _seconds(updates):5.1f}x {_seconds(updates):7.2f} s    its whole process")
        bare = median(self.bare_seconds)
        found.append(f"  {peer / bare:5.1f}x {bare:7.2f} s  systemctl restart of all at once, no pull")
        for updates, who in ((self.podman, "podman"), (self.ours, f"{WIDTH} at once"), (self.wide, f"{WIDE} at once")):
            down = [seconds for one in updates for seconds in one.down]
            found.append(f"         {median(down):7.2f} s  down per unit, {who} (longest {max(down):.2f} s)")
        if self.no_op_seconds:
            ping, no_op = median(self.ping_seconds), median(self.no_op_seconds)
            bound = 1.5 * ping + _NO_OP_SECONDS
            found.append(f"         {no_op:7.2f} s  a run with nothing to do, as an Ansible task")
            found.append(f"         {bound:7.2f} s    1.5 x ansible.builtin.ping ({ping:.2f} s) + {_NO_OP_SECONDS} s")
        return found

    def to_json(self) -> dict[str, t.Any]:
        return asdict(self)


def _seconds(updates: t.Sequence[Update]) -> float:
    return median(one.run.seconds for one in updates)


def measured(
    distro: str, number: int, images: int, delay_ms: float, runs: int, say: t.Callable[[str], None]
) -> list[UpdateSeries]:
    """Units whose processes ignore SIGTERM and get a second to stop, and units that stop at once."""
    found = []
    for title, kind in (("that ignore SIGTERM", Kind.STUBBORN), ("that stop at once", Kind.GOOD)):
        with prepared(distro, number, images, delay_ms, say, kind=kind, stop_seconds=1) as bed:
            found.append(_series(f"update of {images} units {title}", bed, runs, say))
    return found


@dataclass
class Width:
    """Updates of the same units with so many at once."""

    width: int
    updates: list[Update] = field(default_factory=list)

    def line(self) -> str:
        down = [seconds for one in self.updates for seconds in one.down]
        return f"  {self.width:3d} at once {_seconds(self.updates):7.2f} s  down per unit {median(down):.2f} s (longest {max(down):.2f} s)"

    def to_json(self) -> dict[str, t.Any]:
        return asdict(self)


def by_width(
    distro: str,
    number: int,
    images: int,
    delay_ms: float,
    runs: int,
    widths: t.Sequence[int],
    stop_seconds: int,
    say: t.Callable[[str], None],
) -> list[Width]:
    """Units whose processes ignore SIGTERM, with one width after the other in alternating runs: which is worth it?"""
    found = [Width(one) for one in widths]
    with prepared(distro, number, images, delay_ms, say, kind=Kind.STUBBORN, stop_seconds=stop_seconds) as bed:
        contenders = Contenders(bed)
        with contextlib.ExitStack() as stack:
            contenders.install_engine()
            stack.callback(contenders.remove_engine)
            for run in range(runs):
                for one in found:
                    one.updates.append(_updated(bed, functools.partial(contenders.engine_update, width=one.width)))
                told = ", ".join(f"{one.updates[-1].run.seconds:.2f}" for one in found)
                say(f"{', '.join(map(str, widths))} at once, run {run + 1}: {told} s")
    return found


def _series(title: str, bed: Testbed, runs: int, say: t.Callable[[str], None]) -> UpdateSeries:
    series, contenders = UpdateSeries(title), Contenders(bed)
    task = AnsibleTask(bed)
    with contextlib.ExitStack() as stack:
        contenders.install_engine()
        stack.callback(contenders.remove_engine)
        for number in range(runs + 1):
            three = [
                _updated(bed, contenders.podman_update),
                _updated(bed, lambda wanted: contenders.engine_update(wanted, WIDTH)),
                _updated(bed, lambda wanted: contenders.engine_update(wanted, WIDE)),
            ]
            bare = contenders.restart_all()
            told = ", ".join(f"{one.run.seconds:.2f}" for one in three)
            say(f"{title}, {number or 'to warm up'}: podman, {WIDTH} and {WIDE} at once: {told} s")
            if number:
                for updates, update in zip((series.podman, series.ours, series.wide), three):
                    updates.append(update)
                series.bare_seconds.append(bare)
                series.ping_seconds.append(task.ping())
                series.no_op_seconds.append(task.run())
    return series


def _updated(bed: Testbed, update: t.Callable[[t.Mapping[str, str]], Run]) -> Update:
    bed.forget_replaced_images()
    wanted, since = bed.publish(), now(bed)
    run = update(wanted)
    return Update(run, downtimes(bed, since))
