# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Rate limits as registries report them, and what a 429 means: a quota that is used up, or only asking too fast.

Docker Hub sends C(RateLimit-Limit: 100;w=21600), C(RateLimit-Remaining: 76;w=21600) and C(Docker-RateLimit-Source), of
manifests fetched by GET. GitLab sends C(RateLimit-*) and GitHub C(X-RateLimit-*), with C(-Reset) as seconds since the
epoch or seconds from now, of requests in a short window. ghcr.io and quay.io send none; their 429 is about speed.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_COUNT = re.compile(r"(\d{1,9})(?:[;,][ \t]*w=(\d{1,9}))?(?=\Z|[;,])", re.ASCII)
_WHOLE = re.compile(r"\d{1,11}\Z", re.ASCII)
_PREFIXES = ("RateLimit", "X-RateLimit")
#: A window that is over sooner is a limit of speed: waiting for it is better than not asking.
_SHORT_WINDOW = 120
#: A larger number of C(-Reset) is a time since the epoch.
_MOST_SECONDS = 10**9
#: What Docker Hub writes into the body of its one kind of 429, and not into that of the other.
_USED_UP = b"pull rate limit"
_LONGEST_SOURCE = 200


@dataclass(frozen=True)
class RateLimit:
    """What one answer told: C(limit) and C(remaining) requests, C(window) in seconds, and C(source), who is counted."""

    limit: int | None
    remaining: int | None
    window: int | None
    source: str | None

    @property
    def is_quota(self) -> bool:
        """Whether C(remaining) is all there is for a long time, rather than for the next moments."""
        return self.remaining is not None and (self.window is None or self.window > _SHORT_WINDOW)

    def to_result(self) -> dict[str, object]:
        """What C(registries) shows."""
        return {"limit": self.limit, "remaining": self.remaining, "window": self.window, "source": self.source}


def rate_limit(headers: t.Mapping[str, str], now: float) -> RateLimit | None:
    """What the headers tell, None where nothing; C(now) is the time in seconds since the epoch."""
    for prefix in _PREFIXES:
        limit, remaining = (_count(headers.get(f"{prefix}-{name}")) for name in ("Limit", "Remaining"))
        if limit or remaining:
            window = (limit or remaining or (0, None))[1]
            source = headers.get("Docker-RateLimit-Source")
            return RateLimit(
                limit[0] if limit else None,
                remaining[0] if remaining else None,
                window if window is not None else _until_reset(headers.get(f"{prefix}-Reset"), now),
                source[:_LONGEST_SOURCE] if source and source.isprintable() else None,
            )
    return None


def is_used_up(limit: RateLimit | None, body: bytes, asked_pause: float | None, patience: float) -> bool:
    """Whether a 429 says that a quota is used up: repeating the request then helps nothing.

    C(asked_pause) are the seconds of its Retry-After, C(patience) those that could be waited at most.
    """
    if _USED_UP in body.lower():
        return True
    soon = asked_pause is not None and asked_pause <= patience
    return limit is not None and limit.is_quota and limit.remaining == 0 and not soon


def _count(header: str | None) -> tuple[int, int | None] | None:
    """C(100;w=21600) as count and window in seconds (the IETF's RateLimit draft, as Docker Hub sends it)."""
    match = _COUNT.match(header or "")
    return (int(match.group(1)), int(match.group(2)) if match.group(2) else None) if match else None


def _until_reset(header: str | None, now: float) -> int | None:
    if not header or not _WHOLE.match(header):
        return None
    seconds = int(header)
    return max(0, int(seconds - now)) if seconds > _MOST_SECONDS else seconds
