# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What systemd says of a unit and of a job."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: systemd.unit(5): whatever ties a unit to another one so that stopping, or restarting, the one takes the other along.
STOPS_ALONG = ("RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo")
TIED = ("Requires", "Requisite", "BindsTo", "PartOf", "RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf")
#: C(ActiveState) of what runs: at work, or at work while it reads its settings again.
UP = ("active", "reloading", "refreshing")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]|\A[0-9]")


@dataclass(frozen=True)
class UnitFacts:
    """The state of one unit, in the words of C(systemctl show).

    C(id) is its own name, where it was asked for by an alias. C(main_pid) is 0 where there is none, C(n_restarts) counts
    what systemd restarted by itself since the last start that it was asked for, C(result) says how it ended.
    """

    load_state: str
    active_state: str
    sub_state: str
    job_running: bool
    id: str = ""
    main_pid: int = 0
    n_restarts: int = 0
    result: str = ""

    @property
    def changing(self) -> bool:
        """Whether it is on its way to another state, so that nothing is to be asked of it now."""
        return self.job_running or self.active_state in ("activating", "reloading", "deactivating")


@dataclass(frozen=True)
class UnitLinks:
    """The units that share a unit's fate.

    C(pulls_along) are the services that Requires, Requisite, BindsTo or PartOf tie to it directly, in either direction;
    C(dependents) all that systemd stops along with it, through however many others: targets and sockets too.
    """

    pulls_along: frozenset[str] = frozenset()
    dependents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended: systemd's job result (done, failed, timeout, canceled, dependency, skipped, ...).

    C(cancelled) says that it was late and that we cancelled it; the result is C(timeout) then. C(duration) is in seconds.
    C(error) says more where systemd refused the job. C(refused) says that there was none: the unit is as it was.
    """

    result: str
    duration: float
    error: str | None = None
    cancelled: bool = False
    refused: bool = False

    @property
    def done(self) -> bool:
        """Whether systemd calls the job a success."""
        return self.result == "done"


def bus_label(name: str) -> str:
    """A unit's name as the last part of its path on the bus (sd_bus_path_encode(3)): bytes that are not plain in hex."""
    if not name:
        return "_"
    plain = name.encode("utf-8", "surrogateescape").decode("latin-1")
    return _NOT_PLAIN.sub(lambda found: f"_{ord(found.group()):02x}", plain)
