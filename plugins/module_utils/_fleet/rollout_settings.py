# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a rollout is asked to do: its variables, read once and refused before anything starts.

Empty texts are «not given», because that is what a survey sends for a question that nobody answered.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import tzinfo

from .._pure.errors import InputError
from .._pure.texts import printable
from .readers import boolean, number, patterns
from .waves import ALL, DEFAULT_WAVES, WaveSize, parse_waves
from .windows import Window, parse_window

STATES = ("updated", "staged", "rolled_back")
ON_HALT = ("stop", "rollback_wave", "rollback_all")
_LONGEST_SOAK = 86_400
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
    """One rollout's settings. C(soak) is in seconds; C(only) and C(exclude) are patterns of image_autoupdate."""

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

    @classmethod
    def parse(cls, variables: t.Mapping[str, t.Any], zone_of: t.Callable[[str], tzinfo]) -> RolloutSettings:
        """Read the variables C(rollout_*) that are about the rollout itself, without their prefix.

        Raises:
            InputError: One of them is unknown or cannot be meant; the message names it.
        """
        strange = sorted(set(variables) - _KNOWN)
        if strange:
            raise InputError(f"rollout_{strange[0]}: there is no such variable")
        given = {key: value for key, value in variables.items() if value is not None and value != ""}
        state = _choice(given, "state", STATES, "updated")
        if boolean("rollout_stage_only", given.get("stage_only", False)):
            if state == "rolled_back":
                raise InputError("rollout_stage_only: a way back is not staged")
            state = "staged"
        failures = _failures(given, "max_failures", Failures(0))
        only, exclude = (tuple(patterns(f"rollout_{key}", given.get(key, []))) for key in ("only", "exclude"))
        return cls(
            state,
            parse_waves(given["waves"]) if "waves" in given else DEFAULT_WAVES,
            number("rollout_soak", given.get("soak", 60), _LONGEST_SOAK),
            failures,
            _failures(given, "max_failures_total", failures),
            _choice(given, "on_halt", ON_HALT, "stop"),
            parse_window(given.get("window"), zone_of),
            boolean("rollout_lift_holds", given.get("lift_holds", False)),
            boolean("rollout_ignore_unreachable", given.get("ignore_unreachable", False)),
            only,
            exclude,
        )


_KNOWN = {
    "state", "stage_only", "waves", "soak", "max_failures", "max_failures_total", "on_halt", "window", "lift_holds",
    "ignore_unreachable", "only", "exclude",
}  # fmt: skip


def _choice(given: t.Mapping[str, t.Any], key: str, choices: t.Sequence[str], default: str) -> str:
    value = given.get(key, default)
    if value not in choices:
        raise InputError(f"rollout_{key}: {printable(str(value))!r} is none of {', '.join(choices)}")
    return str(value)


def _failures(given: t.Mapping[str, t.Any], key: str, default: Failures) -> Failures:
    if key not in given:
        return default
    found = _PERCENT.match(str(given[key]).strip())
    if found is None:
        return Failures(number(f"rollout_{key}", given[key], _MOST_FAILURES))
    if int(found.group(1)) > ALL:
        raise InputError(f"rollout_{key}: {printable(str(given[key]))!r} is more than all")
    return Failures(int(found.group(1)), percent=True)
