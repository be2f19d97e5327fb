# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Does what is to be pulled fit into the storage, with room to spare?"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .errors import InputError
from .texts import printable

_SIZE = re.compile(r"(\d{1,15})\s*(%|[KMGT]?)(?:i?B)?\Z", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_HUNDRED = 100


@dataclass(frozen=True)
class Headroom:
    """What must stay free: C(bytes), or C(percent) of the file system."""

    bytes: int = 0
    percent: int = 0

    @classmethod
    def parse(cls, text: str) -> Headroom:
        """Read C(500M), C(2GiB), C(1048576) or C(5%).

        Raises:
            InputError: The text is none of them.
        """
        found = _SIZE.match(text.strip())
        if found is None or (found.group(2) == "%" and int(found.group(1)) >= _HUNDRED):
            raise InputError(f"headroom: {printable(text)!r} is neither a size such as 500M nor a percentage below 100")
        number, unit = int(found.group(1)), found.group(2).upper()
        return cls(percent=number) if unit == "%" else cls(bytes=number * _UNITS[unit])

    def of(self, total: int) -> int:
        """In bytes, of a file system of C(total) bytes."""
        return self.bytes + total * self.percent // _HUNDRED


@dataclass(frozen=True)
class Disk:
    """The file system of the storage, in bytes, and the layers that are there, by the digest that registries use."""

    free: int
    total: int
    layers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Need:
    """What one pull needs, and what was left for it, in bytes."""

    bytes: int
    left: int

    @property
    def fits(self) -> bool:
        """What needs nothing always fits."""
        return self.bytes <= self.left


class Room:
    """What is left of the disk while one pull after the other is planned. Sizes are those of the compressed layers."""

    def __init__(self, disk: Disk, headroom: Headroom) -> None:
        self._disk = disk
        self._headroom = headroom.of(disk.total)
        self._free = disk.free - self._headroom
        self._there = set(disk.layers)

    def told(self, need: Need) -> str:
        """How what is left comes about, for a message."""
        return (
            f"{need.left} are left for them on the file system of podman's storage: {self._disk.free} of"
            f" {self._disk.total} bytes are free, and headroom keeps {self._headroom}; what comes before also counts"
        )

    def take(self, layers: t.Iterable[tuple[str, int]]) -> Need:
        """Plan a pull of these layers, by digest and size. What does not fit is not planned.

        Layers that are there, or come with an earlier pull, need nothing.
        """
        missing = {digest: size for digest, size in layers if digest not in self._there}
        need = Need(sum(missing.values()), max(self._free, 0))
        if need.fits:
            self._free -= need.bytes
            self._there |= set(missing)
        return need
