# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixed places of these tests."""

from __future__ import annotations

import os

#: Which of each distribution's hosts is used. Several people, or runs, of one machine take one each: «PODFLEET_LANE=2».
LANE = int(os.environ.get("PODFLEET_LANE", "1"))
#: What tests put on a host beside units; taken away with them.
SCRATCH = "/run/podfleet-integration"
#: Where a test adds settings to a unit that the lab made.
DROP_INS = "/run/systemd/system/it-*.service.d"
#: Where podman and this collection look by themselves, and tests put files: a run of tests that was killed has left them.
LEFTOVERS = (
    "/etc/podfleet-it",
    "/usr/local/bin/docker-credential-podfleet-it",
    "/run/containers/0/auth.json",
    "/root/.config/containers",
    "/root/.docker",
    "/root/.dockercfg",
    "/etc/containers/containers.conf.d/it-*.conf",
    "/etc/containers/registries.conf.d/*it-*.conf",
    "/etc/containers/registries.d/podfleet-it.yaml",
)
#: Where faulty ways to the registry listen, for each distribution, so that both can be tested at the same time.
PROXY_PORTS = {
    "trixie": range(5130 + 20 * (LANE - 1), 5140 + 20 * (LANE - 1)),
    "bookworm": range(5140 + 20 * (LANE - 1), 5150 + 20 * (LANE - 1)),
}
#: Which of each distribution's hosts are a fleet: «PODFLEET_FLEET=3,4,5».
FLEET = os.environ.get("PODFLEET_FLEET", "3,4,5").split(",")
