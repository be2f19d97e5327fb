# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Intents: what a run is about to do to units, in words that the next run can finish or undo it by."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from . import history
from .holds import is_normal
from .moments import read, written
from .platforms import Platform
from .references import is_digest

if t.TYPE_CHECKING:
    from datetime import datetime

    from .history import Content, Event

FINISHED, UNDONE, NOTHING = "finished", "undone", "nothing"
_RUN = re.compile(r"[a-f0-9]{32}\Z")
_LONGEST = 4096
_KEYS = {
    "run",
    "group",
    "time",
    "unit",
    "others",
    "units",
    "moves",
    "rollback",
    "containers",
    "names",
    "dependents",
    "ended",
    "counted",
}
_PIECE_KEYS = {
    "container", "container_id", "unit", "image", "resolved", "reference", "platform", "before", "target", "pull", "back",
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """One container that is to run another image: C(reference) is the name whose tag moves.

    C(resolved) is podman's own name of the image. C(target) has no ID where only the pull of C(pull) tells it. C(back)
    says that somebody asked for the way back.
    """

    container: str
    container_id: str
    unit: str
    image: str
    resolved: str
    reference: str
    platform: Platform
    before: Content
    target: Content
    pull: str | None = None
    back: bool = False


@dataclass(frozen=True)
class Intent:
    """What one restart is about to move; the members of one C(group) of a C(run) share their fate.

    C(units) are all that it restarts; none where it only pulls.
    C(names) are those that it may give to other images, and where each pointed before: None, to nothing. C(dependents)
    were active before. C(others) are restarted together with C(unit). C(moves) is false where names end as they were and
    only the unit is restarted. C(ended) are the lines that the history is to get, once that is known.
    C(counted) says that the interruption was counted against its images, and that they were not tried again since.
    """

    run: str
    group: int
    time: datetime
    unit: str
    units: tuple[str, ...]
    pieces: tuple[Piece, ...]
    names: tuple[tuple[str, str | None], ...] = ()
    dependents: tuple[str, ...] = ()
    moves: bool = True
    rollback: bool = True
    ended: tuple[Event, ...] | None = None
    others: tuple[str, ...] = ()
    counted: bool = False


@dataclass(frozen=True)
class Repaired:
    """What became of one unit that an interrupted run was about to move: C(did) is C(finished), C(undone) or C(nothing)."""

    unit: str
    did: str
    error: str | None = None
    #: Whose unit it is, where a report is about several users.
    user: str | None = None


def read_intent(entry: t.Mapping[str, t.Any]) -> Intent | None:
    """The intent in one entry of the state file; None for what this release does not write."""
    if set(entry) != _KEYS:
        return None
    time, pieces, names = read(entry["time"]), _all(entry["containers"], _piece), _all(entry["names"], _name)
    ended = None if entry["ended"] is None else _all(entry["ended"], _event)
    sound = _is_text(entry["run"]) and _RUN.match(entry["run"]) is not None and _is_count(entry["group"])
    sound = sound and _is_text(entry["unit"]) and entry["unit"] != ""
    sound = sound and all(_are_texts(entry[key]) for key in ("others", "units", "dependents"))
    sound = sound and all(isinstance(entry[key], bool) for key in ("moves", "rollback", "counted"))
    if not sound or time is None or pieces is None or names is None or (ended is None and entry["ended"] is not None):
        return None
    return Intent(
        entry["run"],
        entry["group"],
        time,
        entry["unit"],
        tuple(entry["units"]),
        pieces,
        names,
        tuple(entry["dependents"]),
        entry["moves"],
        entry["rollback"],
        ended,
        tuple(entry["others"]),
        entry["counted"],
    )


def written_intent(intent: Intent) -> dict[str, t.Any]:
    """One entry of the state file."""
    return {
        "run": intent.run,
        "group": intent.group,
        "time": written(intent.time),
        "unit": intent.unit,
        "others": list(intent.others),
        "units": list(intent.units),
        "moves": intent.moves,
        "rollback": intent.rollback,
        "containers": [_written_piece(one) for one in intent.pieces],
        "names": [{"name": name, "id": image_id} for name, image_id in intent.names],
        "dependents": list(intent.dependents),
        "ended": None if intent.ended is None else [history.line(one).decode() for one in intent.ended],
        "counted": intent.counted,
    }


def _written_piece(piece: Piece) -> dict[str, t.Any]:
    return {
        "container": piece.container,
        "container_id": piece.container_id,
        "unit": piece.unit,
        "image": piece.image[:_LONGEST],
        "resolved": piece.resolved,
        "reference": piece.reference,
        "platform": str(piece.platform),
        "before": {"id": piece.before[0], "digest": piece.before[1]},
        "target": {"id": piece.target[0], "digest": piece.target[1]},
        "pull": piece.pull,
        "back": piece.back,
    }


def _piece(entry: object) -> Piece | None:
    if not isinstance(entry, dict) or set(entry) != _PIECE_KEYS:
        return None
    before, target, pull = _content(entry["before"]), _content(entry["target"]), entry["pull"]
    texts = ("container", "container_id", "unit", "image", "resolved", "platform")
    sound = all(_is_text(entry[key]) for key in texts) and is_normal(entry["reference"])
    sound = sound and (pull is None or _is_text(pull)) and isinstance(entry["back"], bool)
    platform = Platform.read(entry["platform"])
    if before is None or target is None or not sound or platform is None:
        return None
    return Piece(
        entry["container"],
        entry["container_id"],
        entry["unit"],
        entry["image"],
        entry["resolved"],
        entry["reference"],
        platform,
        before,
        target,
        pull,
        entry["back"],
    )


def _name(entry: object) -> tuple[str, str | None] | None:
    if not isinstance(entry, dict) or set(entry) != {"name", "id"} or not _is_text(entry["name"]):
        return None
    return (entry["name"], entry["id"]) if entry["id"] is None or is_digest(entry["id"]) else None


def _content(entry: object) -> Content | None:
    if not isinstance(entry, dict) or set(entry) != {"id", "digest"}:
        return None
    sound = all(one is None or is_digest(one) for one in entry.values())
    return (entry["id"], entry["digest"]) if sound else None


def _event(text: object) -> Event | None:
    if not isinstance(text, str):
        return None
    found = history.events(text.encode("utf-8", "replace"))
    return found[0] if len(found) == 1 else None


_Entry = t.TypeVar("_Entry")


def _all(entries: object, understand: t.Callable[[object], _Entry | None]) -> tuple[_Entry, ...] | None:
    if not isinstance(entries, list):
        return None
    understood = [understand(entry) for entry in entries]
    return None if None in understood else tuple(t.cast("list[_Entry]", understood))


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(map(_is_text, values))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
