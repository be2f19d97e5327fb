# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What became of one container."""

from __future__ import annotations

from dataclasses import dataclass

from .._pure.decisions import Finding


@dataclass(frozen=True)
class Outcome:
    """What became of one container.

    C(after) is the image that runs now, as ID and digest; None means the same as before. C(changed) says whether the
    unit was restarted. C(duration) is in seconds, from the start of the group's staging to the verdict.
    """

    finding: Finding
    after: tuple[str | None, str | None] | None = None
    changed: bool = False
    job_result: str | None = None
    duration: float | None = None
