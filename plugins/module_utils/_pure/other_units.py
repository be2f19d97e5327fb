# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The units that an entry wants beside its own, and what to say of those that nobody has."""

from __future__ import annotations

import typing as t

from .container_definitions import Definition, PodUnit, UnitOptions

if t.TYPE_CHECKING:
    from .service_facts import ServiceFacts

#: What systemd does with a unit that it does not find (systemd.unit(5)).
_MEANS = {
    "requires": "systemd will not start {entry}",
    "after": "the order has no effect",
    "upholds": "it will not be kept running",
}


def units_to_find(definitions: t.Sequence[Definition]) -> tuple[str, ...]:
    """The units that entries name and that no entry makes, each once."""
    return tuple(dict.fromkeys(unit for _entry, _key, unit in _named(definitions)))


def unknown_units(definitions: t.Sequence[Definition], facts: t.Mapping[str, ServiceFacts]) -> list[str]:
    """A warning for each of them that systemd does not find; C(facts) tells what it knows."""
    return [
        f"{entry}: {key} names {unit}, which neither the list nor this host has; {_MEANS[key].format(entry=entry)}"
        for entry, key, unit in _named(definitions)
        if unit in facts and facts[unit].load_state == "not-found"
    ]


def _named(definitions: t.Sequence[Definition]) -> t.Iterator[tuple[str, str, str]]:
    made = {name for definition in definitions for name in definition.services}
    for entry, options in _all(definitions):
        for key, units in (("requires", options.requires), ("after", options.after), ("upholds", options.upholds)):
            # A device appears by itself, at any time.
            yield from ((entry, key, unit) for unit in units if unit not in made and not unit.endswith(".device"))


def _all(definitions: t.Sequence[Definition]) -> t.Iterator[tuple[str, UnitOptions]]:
    for definition in definitions:
        yield definition.name, definition.unit
        for member in definition.members if isinstance(definition, PodUnit) else ():
            yield member.name, member.unit
