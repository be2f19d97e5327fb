# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for the flow about units: its folders are real, its systemd is a small one in memory."""

from __future__ import annotations

import pathlib
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.unit_folders import UnitFolders
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.container_definitions import State
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.service_facts import ServiceFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_files import Entry, render
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_styles import (
    Folder,
    Rendered,
    Style,
    UnitFile,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._units.flow import Row, SetupFlow

GROUP = "shop"
_UNKNOWN = ServiceFacts("not-found", "inactive", "", needs_reload=False, left_inactive=None)


def unit(
    name: str,
    image: str = "localhost/app:1",
    *,
    style: Style = Style.QUADLET,
    state: State = State.STARTED,
    enabled: bool = True,
    group: str = GROUP,
    reads: str | None = None,
) -> Rendered:
    """A container's unit, as far as the flow looks at it."""
    install = [Entry("Install", "WantedBy", "default.target")] if enabled and style is Style.QUADLET else []
    text = render(group, [Entry("Container", "Image", image), *install])
    quadlet = style is Style.QUADLET
    file = UnitFile(
        Folder.QUADLET if quadlet else Folder.SYSTEMD,
        f"{name}.container" if quadlet else f"{name}.service",
        text,
        f"{name}.service",
    )
    service = f"{name}.service"
    return Rendered(name, "container", style, service, (service,), (file,), state, enabled, (), reads)


@dataclass
class Systemd:
    """What it knows of units; a start begins a run now, unless the unit is one that C(breaks)."""

    folders: UnitFolders
    units: dict[str, ServiceFacts] = field(default_factory=dict)
    breaks: set[str] = field(default_factory=set)
    refuses: str | None = None
    calls: list[str] = field(default_factory=list)
    answers: bool = True

    def facts(self, services: t.Sequence[str]) -> dict[str, ServiceFacts]:
        return {name: self.units.get(name, _UNKNOWN) for name in services} if self.answers else {}

    def settled(self, services: t.Sequence[str]) -> dict[str, ServiceFacts]:
        return self.facts(services)

    def reload(self) -> str | None:
        self.calls.append("reload")
        return self.refuses

    def control(self, verb: str, services: t.Sequence[str]) -> str | None:
        if not services:
            return None
        self.calls.append(" ".join([verb, *services]))
        for name in services:
            facts = self.units.get(name, _UNKNOWN)
            if verb in ("start", "restart") and not (verb == "start" and facts.active):
                state = "failed" if name in self.breaks else "active"
                facts = replace(facts, load_state="loaded", active_state=state, left_inactive=time.time())
            # As systemd does: a stop leaves what failed as it is, and the other verb leaves what did not.
            elif verb in ("stop", "reset-failed") and (verb == "reset-failed") == (facts.active_state == "failed"):
                facts = replace(facts, active_state="inactive", left_inactive=None)
            elif verb in ("enable", "disable"):
                facts = replace(facts, unit_file_state=f"{verb}d")
            self.units[name] = facts
        broken = self.breaks.intersection(services) if verb in ("start", "restart") else set()
        return f"Job for {', '.join(sorted(broken))} failed." if broken else None


class Checker:
    """Notes what it was given; refuses files whose text has a word."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def check(self, files: t.Sequence[UnitFile]) -> None:
        self.asked += [file.name for file in files]
        if any("refused" in file.text for file in files):
            raise InputError("Quadlet refuses it")


@dataclass
class Host:
    """All of it, and a flow over it."""

    root: pathlib.Path

    def __post_init__(self) -> None:
        self.folders = UnitFolders({folder: str(self.root / folder.value) for folder in Folder})
        self.systemd = Systemd(self.folders)
        self.checker = Checker()

    def run(self, *units: Rendered, check: bool = False, group: str = GROUP) -> tuple[Row, ...]:
        """Run the flow; C(systemd.calls) then are those of this run alone."""
        self.systemd.calls = []
        flow = SetupFlow(self.folders, self.systemd, self.checker, group)
        return flow.run(units, check=check).rows

    def files(self) -> dict[str, str]:
        """Every file, by its path below the host's root."""
        return {
            str(path.relative_to(self.root)): path.read_text(encoding="utf-8")
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }
