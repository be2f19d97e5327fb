# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small fleet on paper: a plan, and what hosts answer."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import plans
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.moments import written

NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
OLD, NEW, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
NEW_DIGEST = f"sha256:{'d' * 64}"
WEB, DB = "registry.example.com/web:1", "registry.example.com/db:1"
_PLATFORM = "linux/amd64"


def plan(hosts: t.Mapping[str, t.Sequence[str]], **changes: t.Any) -> dict[str, t.Any]:
    """A plan: host → the references that it runs, each in a unit of its name, each from OLD to NEW."""
    references = sorted({one for some in hosts.values() for one in some})
    return plans.sealed(
        {
            "schema": 1,
            "id": "0" * 32,
            "created": written(NOW - timedelta(hours=1)),
            "expires": written(NOW + timedelta(hours=1)),
            "targets": {
                plans.target_key(one, _PLATFORM): {
                    "reference": one,
                    "platform": _PLATFORM,
                    "digest": NEW_DIGEST,
                    "id": NEW,
                    "bytes": None,
                    "signature": None,
                }
                for one in references
            },
            "hosts": {
                host: {"units": {f"{_short(one)}.service": [_entry(one)] for one in some}}
                for host, some in hosts.items()
            },
            **changes,
        }
    )


def _short(reference: str) -> str:
    return reference.rpartition("/")[2].partition(":")[0]


def _entry(reference: str) -> dict[str, t.Any]:
    return {
        "scope": "system",
        "user": None,
        "container": _short(reference),
        "reference": reference,
        "platform": _PLATFORM,
        "before": {"id": OLD, "digest": None},
        "target": plans.target_key(reference, _PLATFORM),
    }


def row(status: str, reason: str | None = None, *, reference: str = WEB, **changes: t.Any) -> dict[str, t.Any]:
    """A row as image_autoupdate returns it."""
    moved = status in ("updated", "rolled_back") or reason == "check_mode"
    now = NEW if status in ("updated", "current") or reason == "check_mode" else OLD
    return {
        "unit": f"{_short(reference)}.service",
        "scope": "system",
        "user": None,
        "container_name": _short(reference),
        "image": reference,
        "status": status,
        "reason": reason,
        "error": f"because of {reason}" if reason else None,
        "before": {"id": NEW if status == "current" else OLD, "digest": None},
        "after": {"id": now, "digest": None},
        "changed": moved,
        **changes,
    }


def answered(*rows: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a task of image_autoupdate registers."""
    return {"changed": any(one["changed"] for one in rows), "updates": list(rows), "summary": {}}


UNREACHABLE: dict[str, t.Any] = {"unreachable": True, "msg": "Connection timed out", "changed": False}
BROKEN: dict[str, t.Any] = {"failed": False, "msg": "podman is not installed", "changed": False}


def looked(container_id: str = "1", **changes: t.Any) -> dict[str, t.Any]:
    """What a task of autoupdate_info registers for one container."""
    workload = {
        "unit": "web.service",
        "user": None,
        "container_name": "web",
        "container_id": container_id,
        "running": {"id": NEW},
        "started": "2026-11-21T12:00:00Z",
        "health": None,
        "unit_state": {"active_state": "active"},
        **changes,
    }
    return {"workloads": [workload]}
