# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units as the bus names them, and job results."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome, bus_label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        # As systemd 252 and 257 name them.
        ("web.service", "web_2eservice"),
        ("web@a-b.service", "web_40a_2db_2eservice"),
        ("1st.service", "_31st_2eservice"),
        ("a1_b.service", "a1_5fb_2eservice"),
        (r"dev\x2dsda.service", "dev_5cx2dsda_2eservice"),
        ("\u00fc.service", "_c3_bc_2eservice"),
        ("", "_"),
    ],
)
def test_a_path_on_the_bus(name: str, label: str) -> None:
    assert bus_label(name) == label


@given(st.text(max_size=40))
def test_every_name_has_a_label_of_its_own(name: str) -> None:
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return  # Not a name that could come from anywhere.
    label = bus_label(name)
    assert re.fullmatch(r"[A-Za-z0-9_]+", label)
    back = re.sub(rb"_([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), label.encode())
    assert (b"" if label == "_" else back) == raw


@pytest.mark.parametrize("result", ["done", "failed", "timeout", "canceled", "dependency", "skipped", "invalid"])
def test_only_done_is_a_success(result: str) -> None:
    assert JobOutcome(result, 0.1).done is (result == "done")
