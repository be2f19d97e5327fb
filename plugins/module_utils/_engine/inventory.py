# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door for what takes part in updates on a host: nothing is asked of a registry, nothing changed."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .._edges.definitions import Definitions
from .._edges.podman import Podman
from .._pure.errors import MissingLibraryError, UnitError
from .._pure.moments import written
from .._pure.reasons import Status
from .._pure.selection import Selection
from .._update.discover import Discovery, Trust, discover
from .._update.report import identity, row_warning, unchecked_warning
from .joining import process_table, service_manager
from .recalling import recalled
from .settings import Settings, must_be_in_range, must_be_owner, must_be_usable

if t.TYPE_CHECKING:
    from .._pure.units import UnitFacts

MOST_RUNS = 1000


@dataclass(frozen=True)
class Inventory:
    """The workloads of a host with their units' states, what is remembered of them, and what there is to warn about."""

    discovery: Discovery
    units: t.Mapping[str, UnitFacts]
    warnings: tuple[str, ...]
    user: str | None = None
    remembered: t.Mapping[str, t.Any] = field(default_factory=dict)

    def to_result(self) -> dict[str, t.Any]:
        """What C(autoupdate_info) returns."""
        rows = []
        listed = {one.id: one for one in self.discovery.snapshot.containers}
        for workload in self.discovery.workloads:
            facts = self.units.get(workload.unit or "")
            container = listed[workload.container_id]
            image = self.discovery.snapshot.images.get(workload.image_id or "")
            rows.append(
                {
                    **identity(workload, self.user),
                    "pinned": workload.finding is not None and workload.finding.status is Status.PINNED,
                    "reason": workload.finding.reason.value if workload.finding and workload.finding.reason else None,
                    "error": workload.finding.error if workload.finding else None,
                    "running": {
                        "id": workload.image_id,
                        "digest": workload.image_digest,
                        "digests": sorted(workload.digests),
                        "platform": str(image.platform) if image and image.platform else None,
                    },
                    "started": _moment(container.started_at),
                    "health": container.health,
                    "unit_state": {
                        "load_state": facts.load_state,
                        "active_state": facts.active_state,
                        "sub_state": facts.sub_state,
                        "job_running": facts.job_running,
                    }
                    if facts
                    else None,
                    "warnings": [reason.value for reason in workload.warnings],
                }
            )
        return {"changed": False, "workloads": rows, **self.remembered, "warned": list(self.warnings)}


def _moment(seconds: int) -> str | None:
    try:
        return written(datetime.fromtimestamp(seconds, timezone.utc)) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def inventory(settings: Settings, runs: int) -> Inventory:
    """Find the workloads of a host, and what it remembers with its last C(runs). No registry is asked, nothing is changed.

    Raises:
        InputError: A setting is unusable.
        EngineError: The host could not be looked at.
    """
    must_be_owner(settings)
    must_be_usable(settings)
    must_be_in_range("runs", runs, MOST_RUNS, least=0)
    selection = Selection.parse(settings.only, settings.exclude, settings.user)
    with contextlib.ExitStack() as stack:
        bus = service_manager(settings, stack)
        discovery = discover(
            Podman(), process_table(settings), selection, settings.policies, trust=Trust(Definitions(bus))
        )
        warnings = discovery.pattern_warnings()
        names = {one.unit for one in discovery.workloads if one.unit and one.finding is None}
        units: dict[str, UnitFacts] = {}
        try:
            units = bus().facts(names) if names else {}
        except (UnitError, MissingLibraryError) as error:
            warnings.append(unchecked_warning(error))
    warnings += [row_warning(one, reason) for one in discovery.workloads for reason in one.warnings]
    remembered, unread = recalled(settings.user, runs)
    return Inventory(discovery, units, (*warnings, *unread), settings.user, remembered)
