# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups side by side: pulls of some go on while others restart."""

from __future__ import annotations

import threading
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, told

_NAMES = ("a", "b", "c", "d", "e", "f")
_PATIENCE_SECONDS = 20.0


class _Slow(Host):
    """A host of several groups, on which C(stops) are called before a unit restarts, and C(pulled) tells of pulls."""

    def __init__(self) -> None:
        super().__init__()
        self.pulled = {name: threading.Event() for name in _NAMES}
        self.stops: dict[str, t.Callable[[], object]] = {}
        for name in _NAMES:
            reference = f"quay.io/team/{name}:1"
            self.has(V1, reference)
            self.service(f"{name}.service", Recipe(name, reference))
            self.registry.publish(V2, reference)

    def pull(self, name: str, platform: Platform | None, authfile: str | None = None) -> str:
        image_id = super().pull(name, platform, authfile)
        self.pulled[name.partition("@")[0].rpartition("/")[2]].set()
        return image_id

    def restart(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        for unit in units:
            self.stops.get(unit, lambda: None)()
        return super().restart(units)


@pytest.fixture
def slow() -> _Slow:
    return _Slow()


def test_the_next_image_is_pulled_while_a_unit_restarts(slow: _Slow) -> None:
    seen: list[bool] = []
    slow.stops["a.service"] = lambda: seen.append(slow.pulled["b"].wait(_PATIENCE_SECONDS))
    report = slow.update(parallel=1).run()
    assert seen == [True]
    assert set(told(report).values()) == {("updated", None)}


def test_no_more_is_staged_ahead_than_is_moved_at_once(slow: _Slow) -> None:
    seen: list[list[str]] = []

    def note() -> None:
        slow.pulled["b"].wait(_PATIENCE_SECONDS)
        seen.append([name for name in _NAMES if slow.pulled[name].wait(0.05)])

    slow.stops["a.service"] = note
    slow.update(parallel=1).run()
    assert seen == [["a", "b"]]


def test_what_was_staged_and_is_not_begun_any_more_leaves_no_name(slow: _Slow) -> None:
    slow.services["a.service"].fails_on.add(V2.id)
    slow.stops["a.service"] = lambda: slow.pulled["b"].wait(_PATIENCE_SECONDS)
    report = slow.update(parallel=1, admission={"max_failures": 1}).run()
    assert told(report) == {
        "a": ("rolled_back", "job_failed"),
        **dict.fromkeys(("b", "c", "d", "e", "f"), ("pending", "max_failures")),
    }
    assert slow.pulled["b"].is_set()
    assert not [name for name in slow.tags if "@" in name]
    assert {slow.tags[f"quay.io/team/{name}:1"] for name in _NAMES} == {V1.id}
    assert {slow.running(name) for name in _NAMES} == {V1.id}
