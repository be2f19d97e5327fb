# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a host remembers, told: holds, slots, the last runs, and what its own timer follows. Nothing is decided by it."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timezone

from .._edges.history import HistoryFile
from .._edges.state import StateFile
from .._edges.timer_settings import followed
from .._pure import history
from .._pure.errors import StateError
from .._pure.state import State, render_state

if t.TYPE_CHECKING:
    from .._pure.history import Event

#: A hold of an image and one of a person have keys of their own; told, every hold has all of them.
_HOLD_KEYS = ("by", "reference", "unit", "reason", "until", "platform", "id", "digests", "since")
_UNIT_KEYS = ("unit", "verdict", "reason", "error", "job_result", "seconds", "changes")
_PIECE_KEYS = ("container", "image", "before", "target")
_TOLD = ("holds", "slots", "plan", "intents", "interruptions", "runs")
_WHO_KEYS = ("uid", "user", "sudo_user")


def recalled(user: str | None, runs: int) -> tuple[dict[str, t.Any], list[str]]:
    """What is remembered for the system's (or a user's) containers by this process's user, and warnings.

    C(runs) is how many runs are told, the newest first. What cannot be read is None, with a warning.
    """
    warnings: list[str] = []
    whose = {"scope": "user" if user else "system", "user": user}
    told: dict[str, t.Any] = dict.fromkeys(_TOLD)
    told["follows"] = followed(user)
    try:
        told.update(_state(StateFile().read(), whose))
    except StateError as error:
        warnings.append(f"{error.reason.value}: {error}")
    try:
        told["runs"] = last_runs(HistoryFile().read(), runs, whose) if runs else []
    except StateError as error:
        warnings.append(f"{error.reason.value}: {error}")
    return told, warnings


def last_runs(events: t.Sequence[Event], most: int, whose: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The last runs that the history knows, the newest first."""
    by_run: dict[str, list[dict[str, t.Any]]] = {}
    for event in reversed(events):
        if event.run in by_run or len(by_run) < most:
            by_run.setdefault(event.run, []).append(json.loads(history.line(event)))
    return [
        {
            **whose,
            "run": run,
            "time": lines[0]["time"],
            "by": {key: lines[0][key] for key in _WHO_KEYS},
            "plan": lines[0].get("plan"),
            "units": [{key: line[key] for key in _UNIT_KEYS} for line in reversed(lines)],
        }
        for run, lines in by_run.items()
    ]


def _state(state: State, whose: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    document = json.loads(render_state(state.at(datetime.now(timezone.utc))))
    plan = document.get("plan")
    return {
        "holds": [{**whose, **{key: one.get(key) for key in _HOLD_KEYS}} for one in document["holds"]],
        "slots": [{**whose, **one} for one in document["slots"]],
        "plan": {key: plan[key] for key in plan if key != "document"} if plan else None,
        "intents": [{**whose, **_intent(one)} for one in document["intents"]],
        "interruptions": [{**whose, **one} for one in document["interruptions"]],
    }


def _intent(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a person wants to know of an intent."""
    pieces = [{key: one[key] for key in _PIECE_KEYS} for one in document["containers"]]
    return {"unit": document["unit"], "run": document["run"], "time": document["time"], "changes": pieces}
