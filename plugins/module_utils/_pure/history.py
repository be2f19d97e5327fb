# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The history: one line of JSON for each unit that a run changed, or at which it failed."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .moments import read, written
from .references import is_digest

if t.TYPE_CHECKING:
    from datetime import datetime

#: An image, as ID and digest; either may be unknown.
Content = tuple[t.Optional[str], t.Optional[str]]

_KEYS = {
    "time",
    "run",
    "uid",
    "user",
    "sudo_user",
    "unit",
    "verdict",
    "reason",
    "error",
    "job_result",
    "seconds",
    "plan",
}
_CHANGE_KEYS = {"container", "image", "before", "after"}
_CODE = re.compile(r"[a-z]+(_[a-z]+)*\Z")
_LONGEST_ERROR = 500
_LONGEST_LINE = 64 * 1024


@dataclass(frozen=True)
class Passage:
    """What became of one container: C(image) is the reference that it follows."""

    container: str
    image: str
    before: Content
    after: Content


@dataclass(frozen=True)
class Who:
    """The user who ran the engine, and the one who became that user by sudo, where there is one."""

    uid: int
    user: str
    sudo_user: str | None = None


@dataclass(frozen=True)
class Event:
    """One unit in one run. C(seconds) is from the start of the pull to the verdict; C(run) is common to a run's events.

    C(plan) is the ID of the plan that it followed, where there was one.
    """

    time: datetime
    run: str
    who: Who
    unit: str
    verdict: str
    reason: str | None
    error: str | None
    job_result: str | None
    seconds: float | None
    passages: tuple[Passage, ...]
    plan: str | None = None


def line(event: Event) -> bytes:
    """The event as a line of the file, with its line break."""
    document = {
        "time": written(event.time),
        "run": event.run,
        "uid": event.who.uid,
        "user": event.who.user,
        "sudo_user": event.who.sudo_user,
        "unit": event.unit,
        "verdict": event.verdict,
        "reason": event.reason,
        "error": event.error[:_LONGEST_ERROR] if event.error else event.error,
        "job_result": event.job_result,
        "seconds": None if event.seconds is None else round(event.seconds, 3),
        "plan": event.plan,
        "changes": changes(event.passages),
    }
    return (json.dumps(document, separators=(",", ":")) + "\n").encode()


def changes(passages: t.Iterable[Passage]) -> list[dict[str, t.Any]]:
    """What became of the containers, as files and results have it."""
    return [
        {"container": one.container, "image": one.image, "before": _content(one.before), "after": _content(one.after)}
        for one in passages
    ]


def events(body: bytes) -> tuple[Event, ...]:
    """The events of a file, oldest first; lines that are damaged (a crash, a full disk) are passed over."""
    found = (_event(one) for one in body.split(b"\n") if one and len(one) <= _LONGEST_LINE)
    return tuple(one for one in found if one is not None)


def newer_half(body: bytes) -> bytes:
    """The later half of the lines, by size; only whole lines."""
    _older, _break, newer = body[len(body) // 2 :].partition(b"\n")
    return newer


def _event(text: bytes) -> Event | None:
    try:
        document = json.loads(text.decode("utf-8"))
        return _sound_event(document) if isinstance(document, dict) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _sound_event(document: t.Mapping[str, t.Any]) -> Event | None:
    time, changes = read(document["time"]), document["changes"]
    who = Who(document["uid"], document["user"], document["sudo_user"])
    texts = [document[key] for key in ("run", "unit", "user", "verdict")]
    maybe = [document[key] for key in ("sudo_user", "reason", "error", "job_result", "plan")]
    sound = set(document) == {*_KEYS, "changes"} and isinstance(changes, list)
    sound = sound and all(isinstance(one, str) for one in texts) and _is_number(who.uid)
    sound = sound and all(one is None or isinstance(one, str) for one in maybe)
    sound = sound and _CODE.match(document["verdict"]) is not None
    sound = sound and (document["seconds"] is None or _is_number(document["seconds"]))
    if time is None or not sound:
        return None
    run, unit, _user, verdict = texts
    _sudo_user, reason, error, job_result, plan = maybe
    passages = tuple(map(_passage, changes))
    if None in passages:
        return None
    told = t.cast("tuple[Passage, ...]", passages)
    return Event(time, run, who, unit, verdict, reason, error, job_result, document["seconds"], told, plan)


def _passage(entry: object) -> Passage | None:
    if not isinstance(entry, dict) or set(entry) != _CHANGE_KEYS:
        return None
    container, image = entry["container"], entry["image"]
    if not (isinstance(container, str) and isinstance(image, str)):
        return None
    contents = [_read_content(entry[key]) for key in ("before", "after")]
    before, after = contents
    return None if before is None or after is None else Passage(container, image, before, after)


def _read_content(entry: object) -> Content | None:
    if not isinstance(entry, dict) or set(entry) != {"id", "digest"}:
        return None
    pair = entry["id"], entry["digest"]
    return pair if all(one is None or is_digest(one) for one in pair) else None


def _content(content: Content) -> dict[str, str | None]:
    return {"id": content[0], "digest": content[1]}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
