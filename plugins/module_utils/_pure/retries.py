# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""When a request is worth repeating, and after how long: what Retry-After says, and our own pauses where it is silent."""

from __future__ import annotations

import datetime as dt
import email.utils
import re

#: Answers of a gateway that is not ready (RFC 9110, 15.6.3 to 15.6.5): the same request may succeed a moment later.
WORTH_RETRYING = (502, 503, 504)
#: How often one request is sent at most, where it meets such answers or a broken connection.
ATTEMPTS = 3
#: How often one request is sent at most, where it is asked to come back later.
POLITE_ATTEMPTS = 5
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0

_SECONDS = re.compile(r"\d{1,12}(?:\.\d{0,12})?\Z", re.ASCII)
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_GO_PART = re.compile(r"(\d{1,12}(?:\.\d{0,12})?)(ms|us|µs|μs|ns|h|m|s)", re.ASCII)


def retry_after(header: str | None, now: float) -> float | None:
    """The seconds that a Retry-After header asks for; None where there is none, or none that can be read.

    A number of seconds or an HTTP date (RFC 9110, 10.2.3; C(now) is the time in seconds since the epoch), and what
    ghcr.io sends: a duration as Go prints it, such as C(449.943µs).
    """
    text = _as_sent((header or "").strip())
    if _SECONDS.match(text):
        return float(text)
    parts = _GO_PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _GO_UNITS[unit] for number, unit in parts)
    return _until_date(text, now)


def pause(attempt: int, chance: float) -> float:
    """The seconds before attempt number C(attempt) + 1, doubled each time; C(chance) in [0, 1) spreads many clients."""
    return min(_FIRST_PAUSE * (1 << attempt), _LONGEST_PAUSE) * (0.5 + chance)


def _as_sent(text: str) -> str:
    """Headers are read as Latin-1; the micro sign is sent as UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _until_date(text: str, now: float) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000" or nothing: HTTP dates are always in UTC.
            moment = moment.replace(tzinfo=dt.timezone.utc)
        return max(0.0, moment.timestamp() - now)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
