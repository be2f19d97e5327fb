# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What asking registries took, summed over the parts of a run."""

from __future__ import annotations

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import RegistryUsage, summed


def test_what_two_parts_of_a_run_asked_is_summed_for_each_registry() -> None:
    early = RegistryUsage("b.example", 1, 2, 3, 4, {"remaining": 9}, "tls")
    late = RegistryUsage("b.example", 10, 20, 30, 40, None, None)
    other = RegistryUsage("a.example", 1, 0, 5, 0, None, None)
    assert summed([early], [late, other]) == (
        other,
        RegistryUsage("b.example", 11, 22, 33, 44, {"remaining": 9}, None),
    )
    assert summed([], [late]) == summed([late], []) == (late,)
    assert summed([late], [RegistryUsage("b.example", 0, 0, 0, 0, {"remaining": 8}, "rate_limited")]) == (
        RegistryUsage("b.example", 10, 20, 30, 40, {"remaining": 8}, "rate_limited"),
    )
