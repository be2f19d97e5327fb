# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a plan names on a host, as far as patterns mean it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._pure.selection import Selection


@dataclass(frozen=True)
class Named:
    """What patterns are matched against, where nothing else is known of a container."""

    unit: str
    container_name: str
    image: str
    container_id: str = ""


def named(
    plan: t.Mapping[str, t.Any], host: str, only: t.Sequence[str], exclude: t.Sequence[str]
) -> t.Iterator[tuple[str, t.Mapping[str, t.Any]]]:
    """The plan's entries for a host, each with its unit; those that the patterns leave out are not meant."""
    selections: dict[str | None, Selection] = {}
    for unit, entries in plan["hosts"].get(host, {"units": {}})["units"].items():
        for one in entries:
            user = one["user"]
            selection = selections.setdefault(user, Selection.parse(only, exclude, user))
            if selection.takes(Named(unit, one["container"], one["reference"])):
                yield unit, one
