# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for the hosts of these tests."""

from __future__ import annotations

import typing as t

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import sealed, target_key
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.planned import Planned, for_this_host
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, Image
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host

PLATFORM = "linux/amd64"


def entry(container: str, before: Image | None, reference: str = APP, **other: t.Any) -> dict[str, t.Any]:
    """One container of a plan."""
    return {
        "scope": "system",
        "user": None,
        "container": container,
        "reference": reference,
        "platform": PLATFORM,
        "before": {"id": before.id if before else None, "digest": None},
        "target": target_key(reference, PLATFORM),
        **other,
    }


def document(
    targets: t.Mapping[str, Image], units: t.Mapping[str, t.Any], *, ids: bool = True, **other: t.Any
) -> dict[str, t.Any]:
    """A whole plan of one host: what references are to be, and the containers of its units."""
    return sealed(
        {
            "schema": 1,
            "id": "0f" * 16,
            "created": "2026-11-21T11:00:00Z",
            "expires": "2026-11-22T11:00:00Z",
            "targets": {
                target_key(reference, PLATFORM): {
                    "reference": reference,
                    "platform": PLATFORM,
                    "digest": image.digest,
                    "id": image.id if ids else None,
                    "bytes": None,
                    "signature": None,
                }
                for reference, image in targets.items()
            },
            "hosts": {"here": {"units": dict(units)}},
            **other,
        }
    )


def planned(host: Host, plan: t.Mapping[str, t.Any], user: str | None = None) -> Planned:
    """The plan as the host reads it."""
    return for_this_host(plan, None, user, host.memory.clock)


def simple(host: Host, before: Image, after: Image, *, ids: bool = True) -> Planned:
    """A plan that leads the container C(app) of C(app.service) from one image to another."""
    return planned(host, document({APP: after}, {"app.service": [entry("app", before)]}, ids=ids))
