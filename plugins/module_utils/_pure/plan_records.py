# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a host remembers of the last plan that it was given: which one, and how it ended here."""

from __future__ import annotations

import enum
import json
import re
import typing as t
from dataclasses import dataclass

from .moments import read, written

if t.TYPE_CHECKING:
    from datetime import datetime

    from .plans import Plan

#: A slice that is longer is not kept: a host's timer cannot follow it then. One container takes about 500 bytes.
LONGEST = 1024 * 1024
_KEYS = {"id", "sha256", "of", "verdict", "at", "document"}
_PLAN_ID = re.compile(r"[a-f0-9]{32}\Z")
_SHA256 = re.compile(r"[a-f0-9]{64}\Z")


class Verdict(str, enum.Enum):
    """How a plan ended on one host.

    C(converged): everything that it names runs its target. C(staged): what is to come is in local storage, and nothing
    was moved. C(failed): a container failed, or was put back. C(halted): none did, but not everything runs its target.
    """

    CONVERGED = "converged"
    STAGED = "staged"
    HALTED = "halted"
    FAILED = "failed"


@dataclass(frozen=True)
class PlanRecord:
    """The plan's ID and hash, that of the whole it was cut from (if it was), when it ended, and what it said."""

    id: str
    sha256: str
    of: str | None
    verdict: Verdict
    at: datetime
    document: t.Mapping[str, t.Any] | None = None

    @classmethod
    def of_plan(cls, plan: Plan, verdict: Verdict, at: datetime, document: t.Mapping[str, t.Any]) -> PlanRecord:
        """How a plan ended; the document is kept where it is short enough for every run to read it."""
        kept = document if len(json.dumps(document)) <= LONGEST else None
        return cls(plan.id, plan.sha256, plan.of, verdict, at, kept)


def read_record(entry: object) -> PlanRecord | None:
    """The record in the state file; None for what this release does not write.

    The document is only seen to be an object: whoever wants to follow it reads it as strictly as any plan.
    """
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        return None
    at, of, document = read(entry["at"]), entry["of"], entry["document"]
    sound = _matches(_PLAN_ID, entry["id"]) and _matches(_SHA256, entry["sha256"]) and at is not None
    sound = sound and (of is None or _matches(_SHA256, of)) and (document is None or isinstance(document, dict))
    if not sound or entry["verdict"] not in [one.value for one in Verdict]:
        return None
    moment = t.cast("datetime", at)
    return PlanRecord(entry["id"], entry["sha256"], of, Verdict(entry["verdict"]), moment, document)


def written_record(record: PlanRecord) -> dict[str, t.Any]:
    """The record as the state file holds it."""
    return {
        "id": record.id,
        "sha256": record.sha256,
        "of": record.of,
        "verdict": record.verdict.value,
        "at": written(record.at),
        "document": record.document,
    }


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None
