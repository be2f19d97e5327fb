# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each container was down in an update: from the old process's death to the new one's start."""

from __future__ import annotations

import json
import typing as t

from testbed import BenchError, Testbed

_NANOSECONDS = 1e9


def now(bed: Testbed) -> str:
    """The host's time, for C(downtimes)."""
    return bed.host.run(["date", "--utc", "+%Y-%m-%dT%H:%M:%S.%NZ"]).stdout.strip()


def downtimes(bed: Testbed, since: str) -> list[float]:
    """Seconds by unit since then, as podman's own events tell; each container must have died and started once."""
    command = ["podman", "events", "--stream=false", "--format=json", f"--since={since}", "--filter=type=container"]
    died: dict[str, list[float]] = {name: [] for name in bed.names}
    started: dict[str, list[float]] = {name: [] for name in bed.names}
    for line in bed.host.run(command).stdout.splitlines():
        event: dict[str, t.Any] = json.loads(line)
        seen = {"died": died, "start": started}.get(event.get("Status", ""), {}).get(event.get("Name", ""))
        if seen is not None:
            seen.append(float(event["timeNano"]) / _NANOSECONDS)
    for name in bed.names:
        if (len(died[name]), len(started[name])) != (1, 1):
            raise BenchError(f"{name} died {len(died[name])} times and started {len(started[name])} times")
    return [started[name][0] - died[name][0] for name in bed.names]
