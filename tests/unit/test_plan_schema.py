# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/plan.schema.json describes what is read: whatever does not fit it is refused, too."""

from __future__ import annotations

import copy
import typing as t
from datetime import datetime, timezone

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import for_host, read_plan, sealed
from ansible_collections.podfleet.autoupdate.tests.unit.json_schemas import Schema

_SCHEMA = Schema("plan.schema.json")
_ID, _NOON = f"sha256:{'ab' * 32}", datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
_KEY = "quay.io/team/web:1 linux/amd64"
_PLAN = sealed(
    {
        "schema": 1,
        "id": "0f" * 16,
        "created": "2026-11-21T11:00:00Z",
        "expires": "2026-11-22T11:00:00Z",
        "targets": {
            _KEY: {
                "reference": "quay.io/team/web:1",
                "platform": "linux/amd64",
                "digest": _ID,
                "id": _ID,
                "bytes": 17,
                "signature": None,
            }
        },
        "hosts": {
            "web-1": {
                "units": {
                    "web.service": [
                        {
                            "scope": "system",
                            "user": None,
                            "container": "web",
                            "reference": "quay.io/team/web:1",
                            "platform": "linux/amd64",
                            "before": {"id": _ID, "digest": None},
                            "target": _KEY,
                        }
                    ]
                }
            }
        },
    }
)


def _places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from _places(one, (*path, key))


def _is_read(document: dict[str, t.Any]) -> bool:
    try:
        read_plan(document, _NOON)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("document", [_PLAN, for_host(_PLAN, "web-1"), for_host(_PLAN, "other")])
def test_what_is_made_fits(document: dict[str, t.Any]) -> None:
    assert _SCHEMA.fits(document)
    assert _is_read(document)


@pytest.mark.parametrize("path", list(_places(_PLAN)), ids=lambda path: ".".join(map(str, path)))
def test_what_is_read_fits(path: tuple[t.Any, ...]) -> None:
    """Each value in turn is replaced or removed, and the plan sealed again."""
    for other in (None, 1, True, 1.5, -1, "", "x", "2026-11-21", [], {}, [1], {"x": 1}, _ID):
        document = copy.deepcopy(_PLAN)
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = other
        document = document if path == ("sha256",) else sealed(document)
        assert not _is_read(document) or _SCHEMA.fits(document), other
    if isinstance(path[-1], str) and len(path) not in (2, 4):  # There, keys are names.
        del holder[path[-1]]
        assert not _SCHEMA.fits(document)
        assert not _is_read(document)
