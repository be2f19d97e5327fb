# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a rollout is asked to do: its variables, read once and refused before anything starts.

Empty texts are «not given», because that is what a survey sends for a question that nobody answered.
"""

from __future__ import annotations

import pathlib
import re
import typing as t
from dataclasses import dataclass, field
from datetime import tzinfo

from .._pure.errors import InputError
from .._pure.texts import harmless
from .readers import Reading, boolean, choice, credentials, from_here, line, none_wrong, number, patterns, shown, within
from .variables import PLAYBOOKS
from .waves import ALL, DEFAULT_WAVES, WaveSize, parse_waves
from .windows import Window, parse_window

Given = t.Mapping[str, t.Any]

STATES = ("updated", "staged", "rolled_back")
ON_HALT = ("stop", "rollback_wave", "rollback_all")
_LONGEST_SOAK = 86_400
#: The bounds of image_autoupdate.
_LONGEST_SETTLE = 3600
_LONGEST_TIMEOUT = 86_400
_MOST_FAILURES = 1_000_000
_PERCENT = re.compile(r"(\d{1,3})\s*%\Z")


@dataclass(frozen=True)
class Failures:
    """How many hosts may fail: a number, or a percentage of those that are counted."""

    number: int
    percent: bool = False

    def exceeded(self, failed: int, of: int) -> bool:
        """Whether so many failed hosts of so many are too many."""
        return failed * 100 > self.number * of if self.percent else failed > self.number


@dataclass(frozen=True)
class RolloutSettings:
    """One rollout's settings. C(soak) is in seconds; C(only) and C(exclude) are patterns of image_autoupdate.

    C(handed_on) are other parameters of image_autoupdate by their names; what is not given is not in it.
    """

    state: str = "updated"
    waves: tuple[WaveSize, ...] = DEFAULT_WAVES
    soak: int = 60
    max_failures: Failures = Failures(0)
    max_failures_total: Failures = Failures(0)
    on_halt: str = "stop"
    window: Window | None = None
    lift_holds: bool = False
    ignore_unreachable: bool = False
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    scope: str = "system"
    allow_follower: bool = False
    handed_on: Given = field(default_factory=dict)

    @classmethod
    def parse(cls, variables: Given, zone_of: t.Callable[[str], tzinfo]) -> RolloutSettings:
        """Read the variables C(rollout_*) without their prefix.

        Raises:
            InputError: Some are unknown, cannot be meant, or contradict each other; the message names them all.
        """
        found, wrong = cls.read(variables, zone_of)
        none_wrong(wrong)
        return found

    @classmethod
    def read(cls, variables: Given, zone_of: t.Callable[[str], tzinfo]) -> tuple[RolloutSettings, tuple[str, ...]]:
        """The same, with all that is wrong in place of an error; what is wrong has its default."""
        read = Reading(variables)
        for strange in sorted(set(variables) - VARIABLES):
            read.object(f"rollout_{harmless(strange)}: there is no such variable")
        state = read("state", choice(*STATES), "updated")
        if read("stage_only", boolean, False):
            if state == "rolled_back":
                read.object("rollout_stage_only: a way back is not staged")
            state = "staged"
        failures = read("max_failures", _failures, Failures(0))
        read("hosts", line, "all")
        read("canary", line, "")
        found = cls(
            state,
            read("waves", lambda _name, value: parse_waves(value), DEFAULT_WAVES),
            read("soak", within(_LONGEST_SOAK), 60),
            failures,
            read("max_failures_total", _failures, failures),
            read("on_halt", choice(*ON_HALT), "stop"),
            read("window", lambda _name, value: parse_window(value, zone_of), None),
            read("lift_holds", boolean, False),
            read("ignore_unreachable", boolean, False),
            tuple(read("only", patterns, [])),
            tuple(read("exclude", patterns, [])),
            read("scope", choice("system", "all"), "system"),
            read("allow_follower", boolean, False),
            {key: read(key, reader, None) for key, reader in _HANDED_ON.items() if key in read},
        )
        for text in found.only if found.scope == "system" else ():
            if owner_of(text) not in (None, "root"):
                read.object(f"rollout_only: {shown(text)} is about a user's units, and rollout_scope is not all")
        return found, read.wrong


def owner_of(pattern: str) -> str | None:
    """Whose units a pattern is about, where it says so: C(unit@USER:GLOB)."""
    told, colon, _glob = pattern.partition(":")
    kind, at, owner = told.partition("@")
    return owner if colon and at and kind in ("unit", "container", "image") else None


def objections(
    settings: RolloutSettings,
    given: Given,
    names: t.Iterable[str] = (),
    canaries: t.Collection[str] | None = None,
) -> list[str]:
    """What a rollout cannot begin with, in sentences. C(given) are variables by their full name: C(plan), C(plan_file),
    C(podfleet_plan), C(rollout_report), C(rollout_credentials).

    C(names) are all variables that there are with the prefix, C(canaries) the hosts that a canary's pattern means, None
    where none is given.
    """
    there = {name: value for name, value in given.items() if value is not None and value not in ("", {}, [], ())}
    wrong = [f"{harmless(name)}: there is no such variable" for name in sorted(set(names) - _NAMES)]
    for name, reader in (("plan_file", line), ("rollout_credentials", credentials)):
        try:
            reader(name, there.get(name) or ("" if name == "plan_file" else []))
        except InputError as error:
            wrong.append(str(error))
    for name in ("plan", "podfleet_plan", "rollout_report"):
        if not isinstance(there.get(name, {}), t.Mapping):
            wrong.append(f"{name}: {shown(there[name])} is no dictionary")
    if settings.state == "rolled_back":
        if not settings.only and "rollout_report" not in there:
            wrong.append(
                "rollout_only: it is not given, and a way back is of what it names: write for example unit:web*, or * for"
                " everything that can go back; or give rollout_report, to take back what that rollout moved"
            )
    elif "plan" in there and "plan_file" in there:
        wrong.append("plan_file: there is also plan; give one of them")
    if canaries is not None and not canaries:
        wrong.append("rollout_canary: no host of the inventory is meant by it")
    return wrong


def beginning(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    """All that later steps need of the variables that C(objections) found nothing against.

    It is kept because hosts answer after that: what one tells as facts could stand in for variables that are not given.
    """
    plan, report = given.get("plan") or {}, given.get("rollout_report") or {}
    source = "plan" if plan else "plan_file" if given.get("plan_file") else "made"
    return {
        "source": "none" if settings.state == "rolled_back" else source,
        "plan_file": from_here(given["plan_file"]) if given.get("plan_file") else "",
        "sha256": plan.get("sha256"),
        "report": {"moved": report.get("moved")} if report else {},
    }


def _failures(name: str, value: t.Any) -> Failures:
    found = _PERCENT.match(str(value).strip())
    if found is None:
        try:
            return Failures(number(name, value, _MOST_FAILURES))
        except InputError as error:
            raise InputError(f"{error}, and no percentage") from None
    if int(found.group(1)) > ALL:
        raise InputError(f"{name}: {shown(value)} is more than all")
    return Failures(int(found.group(1)), percent=True)


def _command(name: str, value: t.Any) -> list[str]:
    """A program with its arguments; a text is split at its commas, as Ansible does."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(one, str) and "\0" not in one for one in parts):
        raise InputError(f"{name}: {shown(value)} is no list of a program and its arguments")
    if parts and not pathlib.PurePosixPath(parts[0]).is_absolute():
        raise InputError(f"{name}: it must begin with the absolute path of a program, not {shown(parts[0])}")
    return [str.__str__(one) for one in parts]


_HANDED_ON: dict[str, t.Callable[[str, t.Any], t.Any]] = {
    "settle": within(_LONGEST_SETTLE),
    "wait_healthy": boolean,
    "health_command": _command,
    "timeout": within(_LONGEST_TIMEOUT, 1),
    "authfile": line,
    "validate_certs": boolean,
    "ca_path": line,
}
#: Without their prefix.
VARIABLES = frozenset({
    "state", "stage_only", "waves", "soak", "max_failures", "max_failures_total", "on_halt", "window", "lift_holds",
    "ignore_unreachable", "only", "exclude", "scope", "allow_follower", "hosts", "canary", *_HANDED_ON,
})  # fmt: skip
#: What may be called C(rollout_*) at all: also what plans and other playbooks read, so that a group can have it.
_NAMES = frozenset(
    {
        *(f"rollout_{key}" for key in VARIABLES),
        *(one.name for known in PLAYBOOKS.values() for one in known),
        "rollout_report",
    }
)
