# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Bring a host's units to what their definitions say: compare, check, write, and start anew only what changed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._pure.container_definitions import State
from .._pure.unit_styles import Folder, Rendered, Style
from .changes import Changes, find_changes

if t.TYPE_CHECKING:
    from .._pure.service_facts import ServiceFacts
    from .protocols import Checker, Folders, Manager

_UP = ("active", "reloading", "activating")


@dataclass(frozen=True)
class Row:
    """What became of one unit. C(definition) and C(operation) are what was done, or in a check what would be."""

    name: str
    kind: str
    style: str
    unit: str
    services: tuple[str, ...]
    files: tuple[str, ...]
    definition: str
    operation: str
    enablement: str
    error: str | None = None

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return (self.definition, self.operation, self.enablement) != ("unchanged", "none", "unchanged")


@dataclass(frozen=True)
class Setup:
    """What became of all of them."""

    rows: tuple[Row, ...]
    changes: Changes


@dataclass(frozen=True)
class SetupFlow:
    """The flow, with its edges. Without a checker nothing is verified: there is no systemd to ask yet."""

    folders: Folders
    manager: Manager
    checker: Checker | None
    group: str

    def run(self, units: t.Sequence[Rendered], *, check: bool) -> Setup:
        """Do it, or in a check only say what would be done.

        Raises:
            InputError: A definition is refused; nothing was changed.
        """
        changes = find_changes(units, self.folders, self.group)
        touched = [unit for unit in units if changes.of(unit.files)]
        if self.checker and touched:
            self.checker.check([file for unit in touched for file in unit.files])
        names = [name for unit in units for name in unit.services]
        facts = self.manager.facts([*names, *(name for name in changes.going if name not in names)])
        rows = [self._decide(unit, changes, facts) for unit in units]
        gone = [_removed(name, changes) for name in changes.going if name not in names]
        if not check:
            rows = self._apply(units, rows, changes, facts)
        return Setup(tuple(rows + gone), changes)

    def _decide(self, unit: Rendered, changes: Changes, facts: t.Mapping[str, ServiceFacts]) -> Row:
        own = changes.of(unit.files)
        return Row(
            name=unit.name,
            kind=unit.kind,
            style=unit.style.value,
            unit=unit.root,
            services=unit.services,
            files=tuple(self.folders.path(file.folder, file.name) for file in unit.files),
            definition=_definition(unit, changes),
            operation=self._operation(unit, own_matters=any(change.matters for change in own), facts=facts),
            enablement=_enablement(unit, facts.get(unit.root)),
        )

    def _operation(self, unit: Rendered, *, own_matters: bool, facts: t.Mapping[str, ServiceFacts]) -> str:
        states = [facts[name] for name in unit.services if name in facts]
        if unit.state is State.STOPPED:
            return "stopped" if any(state.active_state in _UP for state in states) else "none"
        if len(states) < len(unit.services) or not all(state.active for state in states):
            return "started"
        return "restarted" if own_matters or self._outdated(unit, states[0]) else "none"

    def _outdated(self, unit: Rendered, root: ServiceFacts) -> bool:
        """Whether a file is newer than the run of its unit: an earlier run may have been cut off before the restart."""
        if root.left_inactive is None:
            return False
        paths = [self.folders.path(file.folder, file.name) for file in unit.files]
        times = [self.folders.modified(path) for path in [*paths, *([unit.reads] if unit.reads else [])]]
        return any(time is not None and time > root.left_inactive for time in times)

    def _apply(
        self, units: t.Sequence[Rendered], rows: list[Row], changes: Changes, facts: t.Mapping[str, ServiceFacts]
    ) -> list[Row]:
        self._take_away(changes, facts)
        for change in changes.writes:
            self.folders.write(change.folder, change.name, str(change.after), keep_time=not change.matters)
        stale = any(state.needs_reload or state.load_state == "not-found" for state in facts.values())
        problem = self.manager.reload() if changes or stale else None
        if problem:
            return [replace(row, error=problem) for row in rows]
        self._forget(changes.going)
        for verb in ("enable", "disable"):
            self.manager.control(verb, [row.unit for row in rows if row.enablement == f"{verb}d"])
        return self._operate(units, rows)

    def _take_away(self, changes: Changes, facts: t.Mapping[str, ServiceFacts]) -> None:
        """Stop what goes by its old definition, while systemd still knows it."""
        self.manager.control("stop", [name for name in changes.going if name in facts])
        links = [change.name for change in changes.removals if change.folder is Folder.SYSTEMD and change.name in facts]
        self.manager.control("disable", [name for name in links if facts[name].unit_file_state == "enabled"])
        for change in changes.removals:
            self.folders.remove(change.folder, change.name)

    def _forget(self, gone: t.Sequence[str]) -> None:
        """A unit that failed stays in systemd's list of those after its file went."""
        facts = self.manager.facts(gone)
        failed = [name for name in gone if name in facts and facts[name].active_state == "failed"]
        self.manager.control("reset-failed", failed)

    def _operate(self, units: t.Sequence[Rendered], rows: list[Row]) -> list[Row]:
        """Stop and start units; those that do not run afterwards carry the error."""
        told: dict[str, str | None] = {}
        wanted = {row.unit: row.operation for row in rows}
        self.manager.control("stop", [one for unit in units if wanted[unit.root] == "stopped" for one in unit.services])
        restarts = [unit for unit in units if wanted[unit.root] == "restarted"]
        starts = [unit for unit in units if wanted[unit.root] in ("started", "restarted")]
        services = [name for unit in starts for name in unit.services]
        # What failed too often is not started again before this.
        self.manager.control("reset-failed", services)
        problem = self.manager.control("restart", [unit.root for unit in restarts])
        problem = self.manager.control("start", services) or problem
        facts = self.manager.settled(services)
        for unit in starts:
            down = [name for name in unit.services if name not in facts or not facts[name].active]
            told[unit.root] = f"{', '.join(down)} did not start: {problem or 'see its journal'}" if down else None
        return [replace(row, error=told.get(row.unit)) for row in rows]


def _definition(unit: Rendered, changes: Changes) -> str:
    own = changes.of(unit.files)
    if not own:
        return "changed" if set(unit.services) & set(changes.going) else "unchanged"
    new = all(change.before is None for change in own) and len(own) == len(unit.files)
    return "created" if new and not set(unit.services) & set(changes.going) else "changed"


def _enablement(unit: Rendered, root: ServiceFacts | None) -> str:
    """Only classic units are enabled by a link; Quadlet's are by their own text."""
    if unit.style is not Style.SERVICE:
        return "unchanged"
    linked = root is not None and root.unit_file_state == "enabled"
    if linked == unit.enabled:
        return "unchanged"
    return "enabled" if unit.enabled else "disabled"


def _removed(service: str, changes: Changes) -> Row:
    name = service[: -len(".service")]
    files = tuple(change.path for change in changes.removals if change.name.rpartition(".")[0] in (name, name[:-4]))
    return Row(name, "", "", service, (service,), files, "removed", "stopped", "unchanged")
