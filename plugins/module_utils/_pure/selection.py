# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Which workloads a run looks at: C(only) and C(exclude) globs over units, containers and image references."""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass

from .errors import InputError

_KINDS = ("unit", "container", "image")


class Selectable(t.Protocol):
    """What a pattern is matched against."""

    @property
    def unit(self) -> str | None:
        """The unit that runs the container."""

    @property
    def container_name(self) -> str:
        """The container's name."""

    @property
    def container_id(self) -> str:
        """The container's full ID."""

    @property
    def image(self) -> str:
        """The image argument that created it."""


@dataclass(frozen=True)
class Pattern:
    """One glob; C(kind) is None for a bare pattern, which matches any of the three."""

    text: str
    kind: str | None
    glob: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read C(unit:GLOB), C(container:GLOB), C(image:GLOB) or a bare glob.

        Raises:
            InputError: The pattern is empty.
        """
        kind, colon, glob = text.partition(":")
        pattern = cls(text, kind, glob) if colon and kind in _KINDS else cls(text, None, text)
        if not pattern.glob:
            raise InputError(f"the pattern {text!r} is empty; write for example unit:web*, or leave it out")
        return pattern

    def matches(self, workload: Selectable) -> bool:
        """Whether the workload is meant; C(.service) may be left out of a unit's name."""
        unit = workload.unit or ""
        names = {
            "unit": (unit, unit[: -len(".service")] if unit.endswith(".service") else unit),
            "container": (workload.container_name, workload.container_id, workload.container_id[:12]),
            "image": (workload.image,),
        }
        kinds = (self.kind,) if self.kind else _KINDS
        return any(fnmatch.fnmatchcase(name, self.glob) for kind in kinds for name in names[kind] if name)


@dataclass(frozen=True)
class Selection:
    """The patterns of one run. Without C(only), everything is meant; C(exclude) wins."""

    only: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, only: t.Iterable[str], exclude: t.Iterable[str]) -> Selection:
        """Read both lists of patterns."""
        return cls(tuple(map(Pattern.parse, only)), tuple(map(Pattern.parse, exclude)))

    def takes(self, workload: Selectable) -> bool:
        """Whether the workload takes part."""
        if self.only and not any(pattern.matches(workload) for pattern in self.only):
            return False
        return not any(pattern.matches(workload) for pattern in self.exclude)

    def unused(self, workloads: t.Collection[Selectable]) -> tuple[str, ...]:
        """The C(only) patterns that match nothing: most likely typing errors."""
        return tuple(
            pattern.text for pattern in self.only if not any(pattern.matches(workload) for workload in workloads)
        )
