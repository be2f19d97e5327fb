# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a run of C(image_pull) says: a row for each name, and what a person reads of them."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from .._pure.errors import EngineError
from .._pure.platforms import Platform
from .._pure.questions import RegistryUsage
from .._pure.reasons import Reason
from .._pure.texts import printable

#: Image ID and digest; None for what is not there, or cannot be told yet.
Pair = tuple[t.Optional[str], t.Optional[str]]
NOTHING: Pair = (None, None)
_MOST_CULPRITS = 5
_LONGEST_ERROR = 500


@dataclass(frozen=True)
class Row:
    """What one run says of one name. C(bytes) are those of the compressed layers, C(duration) is in seconds.

    C(error) is set where the name failed, and only there.
    """

    name: str
    resolved_name: str | None = None
    before: Pair = NOTHING
    after: Pair = NOTHING
    pulled: bool = False
    changed: bool = False
    reason: Reason | None = None
    error: str | None = None
    warning: str | None = None
    platform: Platform | None = None
    platform_mismatch: bool = False
    bytes: int | None = None
    duration: float | None = None
    log: tuple[str, ...] = ()

    @classmethod
    def failed(cls, name: str, error: EngineError, resolved_name: str | None = None, before: Pair = NOTHING) -> Row:
        """The row of a name for which nothing was done."""
        return cls(name, resolved_name, before, before, reason=error.reason, error=str(error))

    def to_result(self, *, with_log: bool) -> dict[str, t.Any]:
        """The row as the module returns it."""
        result: dict[str, t.Any] = {
            "name": self.name,
            "resolved_name": self.resolved_name,
            "before": _content(self.before),
            "after": _content(self.after),
            "pulled": self.pulled,
            "changed": self.changed,
            "reason": self.reason.value if self.reason else None,
            "error": self.error,
            "platform": str(self.platform) if self.platform else None,
            "platform_mismatch": self.platform_mismatch,
            "bytes": self.bytes,
            "duration": None if self.duration is None else round(self.duration, 3),
        }
        if with_log:
            result["log"] = list(self.log)
        return result


@dataclass(frozen=True)
class PullReport:
    """All that one run says."""

    rows: tuple[Row, ...]
    registries: tuple[RegistryUsage, ...]
    check_mode: bool
    warnings: tuple[str, ...] = ()

    def to_result(self, *, with_log: bool = False) -> dict[str, t.Any]:
        """The whole report as the module returns it."""
        mismatches = [_mismatch(row) for row in self.rows if row.platform_mismatch]
        kept = [f"{printable(row.name)}: {row.warning}" for row in self.rows if row.warning]
        return {
            "failed": any(row.error is not None for row in self.rows),
            "warned": (*self.warnings, *kept, *mismatches),
            "changed": any(row.changed for row in self.rows),
            "images": [row.to_result(with_log=with_log) for row in self.rows],
            "registries": [asdict(usage) for usage in self.registries],
            "diff": {
                "before_header": "images in local storage",
                "after_header": "images that would be there" if self.check_mode else "images that are there now",
                "before": self._side(lambda row: row.before),
                "after": self._side(lambda row: row.after),
            },
            "msg": self.sentence(),
            **self._reason(),
        }

    def _reason(self) -> dict[str, str]:
        """What all names failed for, where that is one reason."""
        reasons = {row.reason for row in self.rows if row.error is not None}
        reason = reasons.pop() if len(reasons) == 1 else None
        return {"reason": reason.value} if reason else {}

    def sentence(self) -> str:
        """The run in one sentence."""
        failed = [row for row in self.rows if row.error is not None]
        counts = {
            "would be pulled" if self.check_mode else "pulled": sum(row.pulled and row.changed for row in self.rows),
            f"{'would be ' if self.check_mode else ''}pulled and nothing changed": sum(
                row.pulled and not row.changed for row in self.rows
            ),
            "would be named" if self.check_mode else "named": sum(row.changed and not row.pulled for row in self.rows),
            "there already": sum(not (row.pulled or row.changed) and row.error is None for row in self.rows),
            "failed": len(failed),
        }
        named = [_culprit(row) for row in failed[:_MOST_CULPRITS]]
        if len(failed) > len(named):
            named.append(f"and {len(failed) - len(named)} more")
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        noun = "image" if len(self.rows) == 1 else "images"
        culprits = f" ({'; '.join(named)})" if named else ""
        would = " (check mode: nothing was done)" if self.check_mode else ""
        return f"{len(self.rows)} {noun}: {told}{culprits}{would}."

    def _side(self, content: t.Callable[[Row], Pair]) -> str:
        lines = []
        for row in self.rows:
            if row.changed:
                identity, digest = content(row)
                absent = "absent" if content(row) == row.before else "known after the pull"
                lines += [printable(row.name), f"  id: {identity or absent}"]
                lines += [f"  digest: {digest}"] if digest else []
        return "".join(line + "\n" for line in lines)


def _culprit(row: Row) -> str:
    """The error with its reason, and the name where the error does not say it."""
    sentence, name = printable(row.error or "")[:_LONGEST_ERROR], printable(row.name)
    told = f"{sentence} [{row.reason.value if row.reason else '-'}]"
    return told if name in sentence else f"{name}: {told}"


def _mismatch(row: Row) -> str:
    return f"{printable(row.name)}: the image is for {row.platform}, which is not the platform that is wanted here"


def _content(pair: Pair) -> dict[str, str | None]:
    return {"id": pair[0], "digest": pair[1]}
