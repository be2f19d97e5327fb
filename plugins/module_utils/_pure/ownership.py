# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Which unit owns a process: the rule of C(sd_pid_get_unit(3)), read from C(/proc/<pid>/cgroup)."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: systemd.unit(5), "a unit name … must consist of … ASCII letters, digits, :, -, _, ., and \\"; services only.
_SERVICE_NAME = re.compile(r"[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\@-]+)?\.service\Z")
_LONGEST_UNIT_NAME = 255
_USER_MANAGER = re.compile(r"user@\d+\.service\Z")


def is_service_name(text: str) -> bool:
    """Whether the text is the name of a service that can be started (instances of templates included)."""
    return len(text) <= _LONGEST_UNIT_NAME and _SERVICE_NAME.match(text) is not None


@dataclass(frozen=True)
class Owner:
    """The unit that owns a process. C(elsewhere) says that a manager whom this run does not ask knows it."""

    unit: str
    elsewhere: bool = False

    @property
    def is_of_other_manager(self) -> bool:
        """Whether the process lives below a manager that is not the one that is asked: often a user's own."""
        return self.elsewhere or _USER_MANAGER.match(self.unit) is not None


def owner_from_cgroup(text: str, user_manager: str | None = None) -> Owner | None:
    """The first unit after the slices in a C(/proc/<pid>/cgroup), or None where the process has none.

    With C(user_manager) (C(user@1000.service)), the first unit of that user's own manager: the rule of
    sd_pid_get_user_unit(3). What is not below it is C(elsewhere).

    The unified hierarchy (C(0::)) is read first; systemd's own named hierarchy is what a cgroup v1 host has instead.
    """
    paths = {}
    for line in text.split("\n"):  # Only this ends a line: a cgroup may have any other character in its name.
        hierarchy, _colon, path = line.partition(":")
        controllers, _colon, path = path.partition(":")
        if (hierarchy == "0" and not controllers) or controllers == "name=systemd":
            paths[controllers] = path
    for controllers in ("", "name=systemd"):
        units = _units_in(paths.get(controllers, ""))
        if units and user_manager is None:
            return Owner(units[0])
        if units and units[0] != user_manager:
            return Owner(units[0], elsewhere=True)
        if len(units) > 1:
            return Owner(units[1])
    return None


def _units_in(path: str) -> list[str]:
    """The units at the top of a control group's path, after the slices before each; below them is what they made."""
    units: list[str] = []
    for component in path.split("/"):
        # systemd escapes a name that would clash with a controller's files by a leading underscore.
        unit = component[1:] if component.startswith("_") else component
        if not unit or unit.endswith(".slice"):
            continue
        if not unit.endswith((".service", ".scope")):
            break
        units.append(unit)
    return units
