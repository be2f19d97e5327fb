# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit that nobody has is named with the entry that wants it."""

from __future__ import annotations

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.definition_reading import read_definitions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.other_units import units_to_find, unknown_units
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.service_facts import ServiceFacts
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._pure.unit_entries import entry, member

_DEFINITIONS = read_definitions(
    [
        entry("web", requires=["shop-pod", "vpn"], after=["network-online.target", "vpn"], upholds=["helper.timer"]),
        entry("shop", kind="pod", members=[member("app", requires=["web", "dev-sdz.device"], after=["lost.mount"])]),
    ]
)


def _facts(load_state: str) -> ServiceFacts:
    return ServiceFacts(load_state, "inactive", "", needs_reload=False, left_inactive=None)


def test_only_what_no_entry_makes_is_looked_for() -> None:
    assert units_to_find(_DEFINITIONS) == ("vpn.service", "network-online.target", "helper.timer", "lost.mount")


def test_what_systemd_does_not_find_is_warned_of_with_the_entry() -> None:
    facts = {name: _facts("not-found") for name in units_to_find(_DEFINITIONS)}
    facts["network-online.target"] = _facts("loaded")

    assert unknown_units(_DEFINITIONS, facts) == [
        "web: requires names vpn.service, which neither the list nor this host has; systemd will not start web",
        "web: after names vpn.service, which neither the list nor this host has; the order has no effect",
        "web: upholds names helper.timer, which neither the list nor this host has; it will not be kept running",
        "shop-app: after names lost.mount, which neither the list nor this host has; the order has no effect",
    ]


def test_nothing_is_said_where_systemd_does_not_answer() -> None:
    assert unknown_units(_DEFINITIONS, {}) == []
    assert unknown_units(_DEFINITIONS, {"vpn.service": _facts("masked")}) == []
