# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups side by side: pulls of some go on while others restart."""

from __future__ import annotations

import os
import signal
import threading
import time
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome, UnitLinks
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


def test_what_was_not_begun_because_another_one_failed_is_no_failure_more(slow: _Slow) -> None:
    """Two units on one image, of which the first fails: that is one failure, and two may be."""
    first = "quay.io/team/a:1"
    slow.service("a2.service", Recipe("a2", first))
    slow.services["a.service"].fails_on.add(V2.id)
    rest = ("b", "c", "d", "e", "f")
    assert told(slow.update(parallel=1, admission={"max_failures": 2}).run()) == {
        "a": ("rolled_back", "job_failed"),
        "a2": ("failed", "group_failed"),
        **dict.fromkeys(rest, ("updated", None)),
    }


def test_what_takes_the_same_unit_along_is_moved_one_after_the_other(slow: _Slow) -> None:
    """A gateway that requires two of them, where one fails: it is up afterwards, and nothing is told of the other."""
    gateway = slow.service("gateway.service")
    both = UnitLinks(dependents=frozenset({"gateway.service"}))
    slow.tied = {"a.service": both, "b.service": both}
    slow.services["a.service"].fails_on = {V2.id}
    met: list[str] = []

    def stop(name: str) -> t.Callable[[], object]:
        def note() -> None:
            met.append(name)
            gateway.active_state = "inactive"
            time.sleep(0.1)
            met.append(name)

        return note

    slow.stops = {f"{name}.service": stop(name) for name in ("a", "b")}
    slow.stops["c.service"] = lambda: met.append("c")
    assert told(slow.update(parallel=6).run()) == {
        "a": ("rolled_back", "job_failed"),
        **dict.fromkeys(("b", "c", "d", "e", "f"), ("updated", None)),
    }
    alone = [name for name in met if name != "c"]
    assert alone in (["a", "a", "a", "a", "b", "b"], ["b", "b", "a", "a", "a", "a"])
    assert gateway.active_state == "active"


def test_a_run_that_is_told_to_end_does_so_and_begins_nothing_more(slow: _Slow) -> None:
    def tell_to_end() -> None:
        slow.pulled["b"].wait(_PATIENCE_SECONDS)
        time.sleep(0.2)  # By now the first thread waits for the next image.
        # As the kernel does with one from outside: this thread's own would not wake the first one from its wait.
        signal.pthread_kill(t.cast("int", threading.main_thread().ident), signal.SIGTERM)
        time.sleep(0.3)  # The unit takes its time, as units do.

    slow.stops["a.service"] = tell_to_end
    child = os.fork()
    if child == 0:  # A process of its own: one that hangs could not be ended otherwise.
        _ended_by_a_signal(slow)
    until = time.monotonic() + _PATIENCE_SECONDS
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.05)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert (ended, os.waitstatus_to_exitcode(status)) == (child, 0)


def _ended_by_a_signal(slow: _Slow) -> t.NoReturn:
    def leave(_number: int, _frame: object) -> t.NoReturn:
        raise SystemExit

    verdict = 1
    try:
        signal.signal(signal.SIGTERM, leave)
        slow.update(parallel=1).run()
    except SystemExit:
        left = [name for name in _NAMES if slow.running(name) == V1.id]
        verdict = 0 if left == list(_NAMES[1:]) and len(slow.memory.state.intents) == len(_NAMES) else 2
    finally:
        os._exit(verdict)
