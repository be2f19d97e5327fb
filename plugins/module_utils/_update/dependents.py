# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The services that depend on a restarted unit: systemd stops them with it, and starts them again only if all goes well."""

from __future__ import annotations

import typing as t

from .._pure.errors import UnitError
from .._pure.health import Failure
from .._pure.reasons import Reason
from .._pure.units import UP
from .protocols import Units


class Dependents:
    """Remembers which dependents were active, and sees to it that they are active again."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._active: dict[str, frozenset[str]] = {}

    def remember(self, units: t.Mapping[str, t.Collection[str]]) -> None:
        """Note which dependents are active, by unit: those of all units that it names. What was noted first counts."""
        new = {unit: roots for unit, roots in units.items() if unit not in self._active}
        if not new:
            return
        try:
            links = self._units.links(sorted(frozenset().union(*new.values())))
            every = sorted({other for one in links.values() for other in one.dependents})
            facts = self._units.facts(every) if every else {}
        except UnitError:
            return  # The restart will tell what is wrong with systemd.
        for unit, roots in new.items():
            dependents = frozenset().union(*(links[root].dependents for root in roots if root in links)) - {*roots}
            self._active[unit] = frozenset(
                one for one in dependents if one in facts and facts[one].active_state == "active"
            )

    def note(self, unit: str, active: t.Iterable[str]) -> None:
        """Take over which dependents of a unit were active."""
        self._active[unit] = frozenset(active)

    def of(self, unit: str) -> frozenset[str]:
        """The dependents of a unit that were active."""
        return self._active.get(unit, frozenset())

    def noted(self, unit: str) -> tuple[str, ...] | None:
        """The same, sorted; None where systemd did not tell."""
        return tuple(sorted(self._active[unit])) if unit in self._active else None

    def restore(self, units: t.Sequence[str]) -> dict[str, Failure]:
        """Start what was active and is down, and wait for what systemd starts by itself; by unit, what did not come up."""
        wanted = sorted({one for unit in units for one in self.of(unit)})
        if not wanted:
            return {}
        try:
            facts = self._units.facts(wanted)
            down = [one for one in wanted if one not in facts or facts[one].active_state not in UP]
            if not down:
                return {}
            self._units.reset_failed([one for one in down if one in facts and facts[one].active_state == "failed"])
            jobs = self._units.start(down)
        except UnitError as error:
            return {
                unit: Failure(Reason.NOT_RUNNING, f"what depends on {unit} cannot be started: {error}")
                for unit in units
                if self.of(unit)
            }
        failed = {one: job for one, job in jobs.items() if not job.done}
        return {
            unit: Failure(
                Reason.NOT_RUNNING,
                f"{min(lost)}, which depends on {unit} and was active before, could not be started again:"
                f" {failed[min(lost)].error or failed[min(lost)].result}",
            )
            for unit in units
            if (lost := self.of(unit).intersection(failed))
        }
