# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers wrote is shown without its power over a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.texts import harmless, printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web.service", "web.service"),
        ("häfen.service", "häfen.service"),
        ("ev\x1b[31m", "ev\\x1b[31m"),
        ("two\nlines", "two\\nlines"),
        ("right\u202eleft", "right\\u202eleft"),
        ("x" * 300, "x" * 255 + "…"),
    ],
)
def test_it_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_only_what_is_absurd_is_cut() -> None:
    assert shortened("x" * 255) == "x" * 255
    assert shortened("x" * 65536) == "x" * 255 + "…"
    assert shortened("x" * 300, 300) == "x" * 300


@given(st.text())
def test_nothing_of_a_terminals_is_left(text: str) -> None:
    assert printable(text).isprintable()


@given(st.text("{}%# a\n"))
def test_nothing_of_a_strangers_is_a_template(text: str) -> None:
    shown = harmless(text)
    assert shown.isprintable()
    assert not any(sign in shown for sign in ("{{", "{%", "{#"))


def test_what_is_no_template_is_left_alone() -> None:
    assert harmless("{a} % {") == "{a} % {"
    assert harmless(7) == "7"
