# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as a controller would make them, written by hand: what is tested is how a host follows them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from lablib.images import Pushed
from pushing import PLATFORM, id_of

HOUR = timedelta(hours=1)


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the SHA-256 of its canonical JSON."""
    bare = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**bare, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def plan(
    host: str, containers: Mapping[str, tuple[Pushed, Pushed]], *, lasts: timedelta = HOUR, **other: Any
) -> dict[str, Any]:
    """A plan for one host: for each container (of the unit of its name), what it runs now and what it is to run."""
    now = datetime.now(timezone.utc)
    targets, units = {}, {}
    for name, (before, target) in containers.items():
        key = f"{before.reference} {PLATFORM}"
        about = {"reference": before.reference, "platform": PLATFORM}
        targets[key] = {**about, "digest": target.digest, "id": id_of(target), "bytes": None, "signature": None}
        ran = {"id": id_of(before), "digest": before.digest}
        units[f"{name}.service"] = [
            {**about, "scope": "system", "user": None, "container": name, "before": ran, "target": key}
        ]
    document = {
        "schema": 1,
        "id": "0f" * 16,
        "created": f"{now - HOUR:%Y-%m-%dT%H:%M:%SZ}",
        "expires": f"{now + lasts:%Y-%m-%dT%H:%M:%SZ}",
        "targets": targets,
        "hosts": {host: {"units": units}},
    }
    return sealed({**document, **other})
