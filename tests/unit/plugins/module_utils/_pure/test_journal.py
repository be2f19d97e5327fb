# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the journal: what journald reads in them is what happened, whatever the names hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Passage, Who, line
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.journal import (
    IDENTIFIER,
    MESSAGE_IDS,
    OTHER_MESSAGE_ID,
    entry,
)

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
OLD, NEW, DIGEST = ("sha256:" + digit * 64 for digit in "123")
EVENT = Event(
    NOON, "5f0c", Who(0, "root", "anna"), "web.service", "rolled_back", "job_failed", "no", "failed", 1.25,
    (Passage("web", "quay.io/team/web:1", (OLD, DIGEST), (NEW, None)),),
)  # fmt: skip


def understood(datagram: bytes) -> dict[str, list[str]]:
    """What journald makes of a datagram: its two forms of fields, and no field that it would refuse."""
    fields: dict[str, list[str]] = {}
    while datagram:
        head, _break, rest = datagram.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, datagram = rest[8 : 8 + size], rest[8 + size :]
            assert len(value) == size
            assert datagram[:1] == b"\n"
            datagram = datagram[1:]
        else:
            datagram = rest
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name)
        fields.setdefault(name.decode(), []).append(value.decode("utf-8", "replace"))
    return fields


def test_an_entry_says_all_that_the_history_says() -> None:
    fields = understood(entry(EVENT))
    assert {name: value for name, (value,) in fields.items() if name not in ("MESSAGE", "CHANGES")} == {
        "MESSAGE_ID": MESSAGE_IDS["rolled_back"],
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "UNIT": "web.service",
        "OBJECT_SYSTEMD_UNIT": "web.service",
        "IMAGE": "quay.io/team/web:1",
        "BEFORE": OLD,
        "AFTER": NEW,
        "VERDICT": "rolled_back",
        "REASON": "job_failed",
        "ERROR": "no",
        "JOB_RESULT": "failed",
        "SECONDS": "1.250",
        "RUN": "5f0c",
        "SUDO_USER": "anna",
    }
    assert fields["MESSAGE"] == [
        "web.service: rolled_back (job_failed): quay.io/team/web:1 from 111111111111 to 222222222222"
    ]
    assert json.loads(fields["CHANGES"][0]) == json.loads(line(EVENT))["changes"]


def test_a_users_entry_is_found_by_their_units_name() -> None:
    fields = understood(entry(replace(EVENT, who=Who(1000, "anna"))))
    assert fields["USER_UNIT"] == ["web.service"]
    assert "OBJECT_SYSTEMD_UNIT" not in fields


@pytest.mark.parametrize(
    ("verdict", "priority"), [("updated", "5"), ("rolled_back", "4"), ("failed", "3"), ("some_other", "5")]
)
def test_each_kind_has_its_number_and_priority(verdict: str, priority: str) -> None:
    fields = understood(entry(replace(EVENT, verdict=verdict)))
    assert fields["PRIORITY"] == [priority]
    assert fields["MESSAGE_ID"] == [MESSAGE_IDS.get(verdict, OTHER_MESSAGE_ID)]


def test_the_numbers_are_128_bits_each_and_differ() -> None:
    numbers = [*MESSAGE_IDS.values(), OTHER_MESSAGE_ID]
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in numbers)


def test_a_pod_names_each_container_and_many_are_counted() -> None:
    passages = tuple(Passage(f"c{number}", f"quay.io/x:{number}", (OLD, None), (NEW, None)) for number in range(60))
    fields = understood(entry(replace(EVENT, passages=passages)))
    assert fields["IMAGE"] == [one.image for one in passages[:50]]
    assert "and 57 more" in fields["MESSAGE"][0]
    assert len(json.loads(fields["CHANGES"][0])) == 60


def test_what_is_not_known_is_left_out() -> None:
    nothing = Passage("web", "", (None, None), (None, None))
    bare = Event(NOON, "1", Who(0, "root"), "", "failed", None, None, None, None, (nothing,))
    fields = understood(entry(bare))
    assert not {"UNIT", "IMAGE", "BEFORE", "AFTER", "REASON", "ERROR", "SECONDS", "SUDO_USER"} & set(fields)


@given(
    st.text(max_size=3000), st.text(max_size=3000), st.lists(st.text(min_size=1, max_size=3000), max_size=80), st.text()
)
def test_strange_names_make_up_no_field_and_no_entry_is_too_long(
    unit: str, error: str, images: list[str], sudo_user: str
) -> None:
    passages = tuple(Passage("c", image, (OLD, None), (NEW, None)) for image in images)
    event = replace(EVENT, unit=unit, error=error, passages=passages, who=Who(0, "root", sudo_user))
    datagram = entry(event)
    fields = understood(datagram)
    assert len(datagram) < 100 * 1024
    assert fields["RUN"] == ["5f0c"]
    assert fields["MESSAGE"][0].isprintable()
    assert [len(one) for one in fields.values()].count(1) >= len(fields) - 3, "only images have several values"


def test_a_line_break_in_a_name_stays_inside_of_it() -> None:
    fields = understood(entry(replace(EVENT, unit="web\nMESSAGE_ID=0\n_UID=0")))
    assert fields["UNIT"] == ["web\nMESSAGE_ID=0\n_UID=0"]
    assert fields["MESSAGE_ID"] == [MESSAGE_IDS["rolled_back"]]
