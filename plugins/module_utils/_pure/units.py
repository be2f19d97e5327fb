# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What systemd says of a unit and of a job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnitFacts:
    """The state of one unit, in the words of C(systemctl show)."""

    load_state: str
    active_state: str
    sub_state: str
    job_running: bool


@dataclass(frozen=True)
class JobOutcome:
    """How a restart ended: systemd's job result, or C(timeout) where the job was cancelled for being late.

    C(duration) is in seconds. C(error) says more where systemd refused the job.
    """

    result: str
    duration: float
    error: str | None = None

    @property
    def done(self) -> bool:
        """Whether systemd calls the restart a success."""
        return self.result == "done"
