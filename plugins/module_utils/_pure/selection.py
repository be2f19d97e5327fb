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
#: Whom a pattern calls the owner of the system's units.
_SYSTEM = "root"


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
    """One glob; C(kind) is None for a bare pattern, which matches any of the three.

    C(elsewhere): it is about the units of somebody else than those that are looked at, and matches none of these.
    """

    text: str
    kind: str | None
    glob: str
    elsewhere: bool = False

    @classmethod
    def parse(cls, text: str, user: str | None = None) -> Pattern:
        """Read C(unit:GLOB), C(container:GLOB), C(image:GLOB) or a bare glob; C(unit@USER:GLOB) is about one owner.

        C(user) is whose units are looked at, None for the system's.

        Raises:
            InputError: The pattern is empty.
        """
        told, colon, glob = text.partition(":")
        kind, at, owner = told.partition("@")
        elsewhere = bool(at) and owner != (user or _SYSTEM)
        pattern = cls(text, kind, glob, elsewhere) if colon and kind in _KINDS else cls(text, None, text)
        if not pattern.glob:
            raise InputError(f"the pattern {text!r} is empty; write for example unit:web*, or leave it out")
        return pattern

    def matches(self, workload: Selectable) -> bool:
        """Whether the workload is meant; C(.service) may be left out of a unit's name."""
        if self.elsewhere:
            return False
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
    def parse(cls, only: t.Iterable[str], exclude: t.Iterable[str], user: str | None = None) -> Selection:
        """Read both lists of patterns, for the units of this user (None: the system's)."""
        return cls(*(tuple(Pattern.parse(text, user) for text in texts) for texts in (only, exclude)))

    def takes(self, workload: Selectable) -> bool:
        """Whether the workload takes part."""
        if self.only and not any(pattern.matches(workload) for pattern in self.only):
            return False
        return not any(pattern.matches(workload) for pattern in self.exclude)

    def unused(self, workloads: t.Collection[Selectable]) -> tuple[tuple[str, str], ...]:
        """The patterns that match nothing, each with its option's name before it: most likely typing errors."""
        return tuple(
            (option, pattern.text)
            for option, patterns in (("only", self.only), ("exclude", self.exclude))
            for pattern in patterns
            if not any(pattern.matches(workload) for workload in workloads)
        )
