# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""One unit's facts, as far as its file concerns them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceFacts:
    """One unit in the words of C(systemctl show). C(left_inactive) is when its present run began, as file times are."""

    load_state: str
    active_state: str
    unit_file_state: str
    needs_reload: bool
    left_inactive: float | None

    @property
    def active(self) -> bool:
        """Whether the unit runs."""
        return self.active_state in ("active", "reloading")
