# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for people."""

from __future__ import annotations

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.tables import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("A", "LONG", "C"), [("aaa", "b", "c"), ("", "bb", "")]) == ["A    LONG  C", "aaa  b     c", "     bb"]
    assert table(("A", "B"), []) == ["A  B"]
