# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The window in which a rollout may begin another wave: days of the week, hours, and a time zone."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from .._pure.errors import InputError
from .._pure.texts import harmless
from .readers import shown

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\Z")
_DAY_MINUTES = 24 * 60
_HOUR_MINUTES = 60
_WEEK = 7


@dataclass(frozen=True)
class Window:
    """C(days) are those on which it opens (0 is Monday); C(start) and C(end) are minutes of the day in C(zone).

    Where C(end) is not later than C(start), it closes on the next day.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: tzinfo

    def is_open(self, now: datetime) -> bool:
        """Whether it is open at this moment."""
        local = now.astimezone(self.zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        yesterday = (today - 1) % _WEEK
        return (today in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)

    def opens(self, now: datetime) -> datetime:
        """When it opens next, in its own time zone."""
        local = now.astimezone(self.zone)
        clock = time(*divmod(self.start, 60))
        coming = (
            datetime.combine(local.date() + timedelta(days=ahead), clock, tzinfo=self.zone)
            for ahead in range(_WEEK + 1)
        )
        return next(moment for moment in coming if moment.weekday() in self.days and moment > local)


def parse_window(value: object, zone_of: t.Callable[[str], tzinfo]) -> Window | None:
    """A dict with C(days), C(hours) and C(timezone), or the same as one text, C(mon-fri 22:00-04:00 Europe/Berlin).

    What is left out is: every day, the whole day, UTC. Nothing at all is no window. C(zone_of) finds a time zone by its
    name, and raises KeyError, ValueError or OSError where there is none.

    Raises:
        InputError: Something of it cannot be meant.
    """
    if value is None or value in ("", {}):
        return None
    given = _taken_apart(value) if isinstance(value, str) else value
    if not isinstance(given, dict) or set(given) - {"days", "hours", "timezone"}:
        raise InputError(
            f"rollout_window: {shown(value)} is none: write days, hours and timezone, for example"
            " {days: mon-fri, hours: '22:00-04:00'}"
        )
    start, end = _hours(given.get("hours") or "00:00-24:00")
    return Window(_days(given.get("days") or "mon-sun"), start, end, _zone(given.get("timezone") or "UTC", zone_of))


def _taken_apart(text: str) -> dict[str, str]:
    """The words of a text by what they look like, so that their order does not matter."""
    found: dict[str, str] = {}
    for word in text.split():
        key = "hours" if ":" in word else "days" if _is_days(word) else "timezone"
        if key in found:
            raise InputError(
                f"rollout_window: {harmless(text)!r} has {key} twice; write for example sat,sun 01:00-05:00 UTC"
            )
        found[key] = word
    return found


def _is_days(word: str) -> bool:
    return all(part[:3].lower() in _DAYS for part in re.split(r"[,-]", word)) and "/" not in word


def _days(value: object) -> frozenset[int]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise InputError(f"rollout_window: days is {shown(value)}, and no list of days, such as [mon, tue] or mon-fri")
    days: set[int] = set()
    for part in parts:
        first, dash, last = str(part).partition("-")
        begin = _day(first)
        end = _day(last) if dash else begin
        days.update((begin + ahead) % _WEEK for ahead in range((end - begin) % _WEEK + 1))
    return frozenset(days)


def _day(text: str) -> int:
    name = text.strip().lower()
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    for number, day in enumerate(full):
        if name in (day, day[:3]):
            return number
    raise InputError(
        f"rollout_window: {harmless(text)!r} is no day of the week; write mon, tue, wed, thu, fri, sat or sun"
    )


def _hours(value: object) -> tuple[int, int]:
    found = _HOURS.match(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise InputError(f"rollout_window: hours is {shown(value)}, and no text such as '22:00-04:00'")
    start, end = (int(found.group(at)) * 60 + int(found.group(at + 1)) for at in (1, 3))
    minutes = (int(found.group(2)), int(found.group(4)))
    if start >= _DAY_MINUTES or end > _DAY_MINUTES or start == end or max(minutes) >= _HOUR_MINUTES:
        raise InputError(f"rollout_window: {harmless(value)!r} is no part of a day; the whole day is 00:00-24:00")
    return start, end


def _zone(value: object, zone_of: t.Callable[[str], tzinfo]) -> tzinfo:
    try:
        return zone_of(str(value))
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"rollout_window: the controller knows no time zone {harmless(value)!r}; write a name such as"
            " Europe/Berlin, and see that its time zone data are installed"
        ) from None
