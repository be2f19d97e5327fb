# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Points in time, as they are written into files: UTC, whole seconds, C(2026-01-31T23:59:59Z)."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from .errors import InputError
from .texts import printable

_WRITTEN = "%Y-%m-%dT%H:%M:%SZ"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?\Z", re.IGNORECASE)


def written(moment: datetime) -> str:
    """The moment as files hold it."""
    return moment.astimezone(timezone.utc).strftime(_WRITTEN)


def read(text: object) -> datetime | None:
    """What C(written) wrote, or None for anything else."""
    try:
        moment = datetime.strptime(str(text), _WRITTEN).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return moment if written(moment) == text else None


def parse_moment(text: str) -> datetime:
    """Read a date (its first moment) or a date with a time, as a person writes it; without an offset it is UTC.

    Raises:
        InputError: It is neither.
    """
    try:
        if _DATE.match(text):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
        if _TIME.match(text):
            # Python before 3.11 reads no Z.
            moment = datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text))
            return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        pass
    raise InputError(
        f"{printable(text)!r} is not a time: write for example 2026-01-31 or 2026-01-31T18:00:00+01:00 (without an"
        " offset it is UTC)"
    )
