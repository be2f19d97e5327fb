# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Report: one row for each container, and what a person reads of them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass

from .._pure.decisions import Finding, Workload
from .._pure.errors import MissingLibraryError, UnitError
from .._pure.intents import NOTHING, Repaired
from .._pure.questions import RegistryUsage
from .._pure.reasons import PODMAN_UPDATED, Reason, Status
from .._pure.tables import table
from .._pure.texts import printable, shortened

if t.TYPE_CHECKING:
    from .everyone import Looked

#: A column of full digests would be wider than any terminal.
_DIGEST = re.compile(r"(@sha256:[a-f0-9]{12})[a-f0-9]{52}")
_SHORT_ID = len("sha256:") + 12
_WORTH_NAMING = (Status.FAILED, Status.ROLLED_BACK, Status.HELD, Status.UNKNOWN)
_MOST_CULPRITS = 5
#: A host, a repository, a tag and a digest, each as long as the distribution specification and DNS allow.
_LONGEST_IMAGE = 800
_COLUMNS = ("UNIT", "CONTAINER", "IMAGE", "POLICY", "STATUS", "REASON", "BEFORE", "AFTER")


@dataclass(frozen=True)
class Row:
    """What one run says of one container. C(before) and C(after) are image ID and digest; C(duration) is in seconds."""

    workload: Workload
    finding: Finding
    before: tuple[str | None, str | None]
    after: tuple[str | None, str | None]
    changed: bool
    job_result: str | None = None
    duration: float | None = None
    #: Whose container it is, where a report is about several users.
    user: str | None = None

    def to_result(self, user: str | None = None) -> dict[str, t.Any]:
        """The row as the modules return it, for the units of the system or of a user."""
        workload, finding = self.workload, self.finding
        return {
            **identity(workload, user or self.user),
            "status": finding.status.value,
            "changed": self.changed,
            "podman_updated": PODMAN_UPDATED[finding.status],
            "reason": finding.reason.value if finding.reason else None,
            "error": finding.error,
            "before": _content(self.before),
            "after": _content(self.after),
            "job_result": self.job_result,
            "duration": None if self.duration is None else round(self.duration, 3),
        }


def identity(workload: Workload, user: str | None) -> dict[str, t.Any]:
    """The keys that say which container a row is about; every module uses the same."""
    return {
        "unit": shortened(workload.unit) if workload.unit else workload.unit,
        **_whose(user),
        "container": f"{workload.container_id[:12]} ({workload.container_name})",
        "container_id": workload.container_id,
        "container_name": workload.container_name,
        "image": shortened(workload.image, _LONGEST_IMAGE),
        "policy": workload.policy.value if workload.policy else None,
        "shared_with": list(workload.shared_with),
    }


@dataclass(frozen=True)
class Report:
    """All that one run says."""

    rows: tuple[Row, ...]
    #: Whose questions they were (in a run about everybody's; else None), and what they took.
    registries: tuple[tuple[str | None, RegistryUsage], ...]
    warnings: tuple[str, ...]
    check_mode: bool
    #: Whether the task sets or lifts holds.
    holds_changed: bool = False
    user: str | None = None
    #: What an interrupted run had left; in check mode, what would become of it.
    repaired: tuple[Repaired, ...] = ()
    #: Whether nothing else was asked for.
    repair_only: bool = False
    #: The ID of the plan that was followed, and how it ended; in check mode it does not end.
    plan: str | None = None
    plan_verdict: str | None = None
    #: Whose containers were looked at, where a run is about everybody's.
    users: tuple[Looked, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a unit was restarted or repaired, or would be, or what is held is other than before."""
        repaired = any(one.did != NOTHING for one in self.repaired)
        return self.holds_changed or repaired or any(row.changed for row in self.rows)

    @property
    def broken(self) -> bool:
        """Whether a repair went wrong, or somebody's containers could not be looked at."""
        return any(one.error is not None for one in self.repaired) or any(one.failed for one in self.users)

    def count(self, status: Status) -> int:
        """How many rows have the status."""
        return sum(row.finding.status is status for row in self.rows)

    def to_result(self, fail_on: t.Collection[str]) -> dict[str, t.Any]:
        """The whole report as the module returns it; C(fail_on) are the statuses that make it a failure."""
        return {
            "failed": self.broken or any(row.finding.status.value in fail_on for row in self.rows),
            "warned": self.warnings,
            "changed": self.changed,
            "updates": [row.to_result(self.user) for row in self.rows],
            "summary": {status.value: self.count(status) for status in Status},
            "repaired": [{**asdict(one), **_whose(one.user or self.user)} for one in self.repaired],
            "registries": [{**_whose(user or self.user), **asdict(usage)} for user, usage in self.registries],
            "plan": self.plan,
            "plan_verdict": self.plan_verdict,
            "table": self._table(),
            "diff": {
                "before_header": "images that run",
                "after_header": "images that would run" if self.check_mode else "images that run now",
                "before": self._side(lambda row: row.before),
                "after": self._side(lambda row: row.after),
            },
            "msg": self.sentence(),
            **({"users": [one.to_result() for one in self.users]} if self.users else {}),
        }

    def sentence(self) -> str:
        """The run in one sentence; what was repaired comes before, and who could not be looked at behind."""
        return " ".join(filter(None, (self._repairs(), self._run(), self._unseen())))

    def _repairs(self) -> str:
        if not self.repaired:
            return "No earlier run was interrupted." if self.repair_only else ""
        told = [
            f"{_of(one.user, one.unit)}: {one.did}{f', but {printable(one.error)}' if one.error else ''}"
            for one in self.repaired[:_MOST_CULPRITS]
        ]
        if len(self.repaired) > len(told):
            told.append(f"and {len(self.repaired) - len(told)} more")
        return f"An earlier run was interrupted ({', '.join(told)})."

    def _unseen(self) -> str:
        told = [printable(f"{one.user or 'the system'}: {one.error}") for one in self.users if one.failed]
        more = [f"and {len(told) - _MOST_CULPRITS} more"] if len(told) > _MOST_CULPRITS else []
        return f"Not looked at: {'; '.join([*told[:_MOST_CULPRITS], *more])}." if told else ""

    def _table(self) -> list[str]:
        if not self.users:
            return table(_COLUMNS, [_cells(row) for row in self.rows])
        return table(("USER", *_COLUMNS), [(printable(row.user or "-"), *_cells(row)) for row in self.rows])

    def _run(self) -> str:
        if self.repair_only:
            return ""
        if not self.rows:
            return "No running container that was asked for takes part in updates."
        counts = [
            f"{self.count(status)} {status.value}{self._culprits(status)}" for status in Status if self.count(status)
        ]
        noun = "container" if len(self.rows) == 1 else "containers"
        would = " (check mode: nothing was done)" if self.check_mode else ""
        return f"{len(self.rows)} {noun}: {', '.join(counts)}{would}."

    def _culprits(self, status: Status) -> str:
        """Who has a status that somebody should look into, and why; that somebody asked to go back needs no reason."""
        if status not in _WORTH_NAMING:
            return ""
        rows = [row for row in self.rows if row.finding.status is status]
        named = [
            _of(row.user, row.workload.unit or row.workload.container_name)
            + (f": {_code(row)}" if row.finding.reason else "")
            for row in rows[:_MOST_CULPRITS]
        ]
        if len(rows) > len(named):
            named.append(f"and {len(rows) - len(named)} more")
        return f" ({', '.join(named)})"

    def _side(self, content: t.Callable[[Row], tuple[str | None, str | None]]) -> str:
        lines = []
        for row in self.rows:
            if row.changed and row.before != row.after:
                identity_, digest = content(row)
                lines += [
                    printable(
                        f"{_of(row.user, row.workload.unit or row.workload.container_name)} {row.workload.container_name} {row.workload.image}"
                    ),
                    f"  id: {identity_ or 'known after the pull'}",
                    f"  digest: {digest}",
                ]
        return "".join(line + "\n" for line in lines)


def row_warning(workload: Workload, reason: Reason) -> str:
    """One warning about one container."""
    return f"{_who(workload)}: {reason.value}: {reason.text}"


def unchecked_warning(error: UnitError | MissingLibraryError) -> str:
    """The warning that systemd could not be asked, and why."""
    why = str(error)
    if isinstance(error, MissingLibraryError):
        why = f"the Python library {error.library} is missing"
    return f"{Reason.UNITS_NOT_CHECKED.value}: {why}"


def _cells(row: Row) -> tuple[str, ...]:
    workload, finding = row.workload, row.finding
    return (
        printable(workload.unit or "-"),
        printable(workload.container_name),
        printable(_DIGEST.sub(r"\1…", workload.image)),
        workload.policy.value if workload.policy else "-",
        finding.status.value,
        _code(row),
        _short(row.before[0]),
        _short(row.after[0]),
    )


def _who(workload: Workload) -> str:
    return printable(workload.unit or workload.container_name)


def _of(user: str | None, unit: str) -> str:
    return printable(f"{user}: {unit}" if user else unit)


def _whose(user: str | None) -> dict[str, t.Any]:
    return {"scope": "user" if user else "system", "user": user}


def _code(row: Row) -> str:
    return row.finding.reason.value if row.finding.reason else "-"


def _short(image_id: str | None) -> str:
    return image_id[len("sha256:") : _SHORT_ID] if image_id else "-"


def _content(pair: tuple[str | None, str | None]) -> dict[str, str | None]:
    return {"id": pair[0], "digest": pair[1]}
