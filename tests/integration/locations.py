# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixed places of these tests."""

from __future__ import annotations

#: What tests put on a host beside units; taken away with them.
SCRATCH = "/run/podfleet-integration"
#: Where a test adds settings to a unit that the lab made.
DROP_INS = "/run/systemd/system/it-*.service.d"
#: Where faulty ways to the registry listen, for each distribution, so that both can be tested at the same time.
PROXY_PORTS = {"trixie": range(5110, 5120), "bookworm": range(5130, 5140)}
