# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Waves: which hosts are changed together, and in which order. Few first, so that a bad image meets few."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._pure.errors import InputError
from .readers import shown

_SIZE = re.compile(r"(\d{1,9})\s*(%?)\Z")
_MOST_SIZES = 100
ALL = 100  # percent


@dataclass(frozen=True)
class WaveSize:
    """So many hosts, or so many percent of all hosts."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """How many hosts that is of C(total): at least one, and rounded down, as Ansible's C(serial) does."""
        return max(1, total * self.number // ALL) if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number}{'%' if self.percent else ''}"


DEFAULT_WAVES = (WaveSize(1), WaveSize(10, percent=True), WaveSize(100, percent=True))


def parse_waves(value: object) -> tuple[WaveSize, ...]:
    """The sizes in a list, or in a text with commas, as a survey gives it.

    Raises:
        InputError: One of them is no size.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(parts, int) and not isinstance(parts, bool):
        parts = [parts]
    if not isinstance(parts, (list, tuple)) or not 0 < len(parts) <= _MOST_SIZES:
        raise InputError(f"rollout_waves: {shown(value)} is no list of sizes, for example [1, '10%', '100%']")
    return tuple(_size(part) for part in parts)


def _size(part: object) -> WaveSize:
    found = None if isinstance(part, bool) else _SIZE.match(str(part).strip())
    number = int(found.group(1)) if found else 0
    percent = found is not None and found.group(2) == "%"
    if number < 1 or (percent and number > ALL):
        raise InputError(f"rollout_waves: {shown(part)} is neither a number of hosts nor 1% to 100%")
    return WaveSize(number, percent)


def split(
    hosts: t.Sequence[str], canaries: t.Collection[str], sizes: t.Sequence[WaveSize]
) -> tuple[tuple[str, ...], ...]:
    """The hosts in waves. Canaries, if any of the hosts is one, are a wave of their own before all others.

    Percentages are of all hosts. The last size is repeated until no host is left.
    """
    first = tuple(host for host in hosts if host in canaries)
    left = [host for host in hosts if host not in canaries]
    waves = [first] if first else []
    number = 0
    while left:
        count = sizes[min(number, len(sizes) - 1)].of(len(hosts))
        waves.append(tuple(left[:count]))
        left, number = left[count:], number + 1
    return tuple(waves)
