# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/state.schema.json describes what is written and read: the two never disagree on what this release can write."""

from __future__ import annotations

import copy
import json
import typing as t
from datetime import datetime, timezone

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Who
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.intents import Intent, Piece
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.interruptions import Interruption
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plan_records import PlanRecord, Verdict
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.slots import Slot
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import (
    ImageHold,
    State,
    UserHold,
    parse_state,
    render_state,
)
from ansible_collections.podfleet.autoupdate.tests.unit.json_schemas import Schema

_SCHEMA = Schema("state.schema.json")
_ID, _NOON = f"sha256:{'ab' * 32}", datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
_FULL = State(
    (
        ImageHold(
            "quay.io/team/web:1", Platform("linux", "arm64", "v8"), _ID, frozenset({_ID}), "w.service", "x", _NOON
        ),
        ImageHold("quay.io/team/web:1", Platform("linux", "amd64"), _ID),
        UserHold("quay.io/*", "", "frozen", _NOON),
        UserHold("", "web*"),
    ),
    (
        Slot("web.service", "quay.io/team/web:1", 1, _ID, frozenset({_ID}), _NOON),
        Slot("a@b.service", "quay.io/b:1", 20, _ID),
    ),
    (
        Intent(
            "ab" * 16,
            0,
            _NOON,
            "web.service",
            ("web.service", "log.service"),
            (
                Piece(
                    "web",
                    "cd" * 32,
                    "web.service",
                    "web:1",
                    "quay.io/team/web:1",
                    "quay.io/team/web:1",
                    Platform("linux", "amd64"),
                    (_ID, None),
                    (None, _ID),
                    f"quay.io/team/web@{_ID}",
                ),
            ),
            (("quay.io/team/web:1", _ID), ("localhost/x:1", None)),
            ("log.service",),
            ended=(Event(_NOON, "ab" * 16, Who(0, "root"), "web.service", "updated", None, None, "done", 1.0, ()),),
        ),
    ),
    PlanRecord("0f" * 16, "ab" * 32, "cd" * 32, Verdict.CONVERGED, _NOON, {"anything": 1}),
    (Interruption("quay.io/team/web:1", Platform("linux", "arm64", "v8"), _ID, 1, "web.service", _NOON),),
)


def _written() -> dict[str, t.Any]:
    document = json.loads(render_state(_FULL))
    assert isinstance(document, dict)
    return document


def test_what_is_written_fits() -> None:
    assert _SCHEMA.fits(_written())
    assert _SCHEMA.fits(json.loads(render_state(State())))


def _places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    if path and path[:2] != ("plan", "document"):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from _places(one, (*path, key))


@pytest.mark.parametrize("path", list(_places(_written())), ids=lambda path: ".".join(map(str, path)))
def test_what_is_read_fits(path: tuple[t.Any, ...]) -> None:
    """Each value in turn is replaced or removed: whatever does not fit is refused, too."""
    for other in (None, 1, True, "", "x", "2026-11-21", [], {}, [1], _ID):
        document = copy.deepcopy(_written())
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = other
        try:
            parse_state(json.dumps(document).encode(), "x")
        except StateError:
            continue
        assert _SCHEMA.fits(document), other
    if isinstance(path[-1], str):
        del holder[path[-1]]
        assert not _SCHEMA.fits(document)
        with pytest.raises(StateError):
            parse_state(json.dumps(document).encode(), "x")
