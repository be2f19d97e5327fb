# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Whether a unit runs as it should: what follows from podman's list, systemd's facts and a container's own healthcheck."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .reasons import Reason
from .records import ListedContainer, is_container_id
from .units import UP, JobOutcome, UnitFacts

#: Beside what a healthcheck's own settings allow, in seconds.
_MARGIN_SECONDS = 30.0
_NANO = 1e9
#: No container is waited for longer than this, whatever its settings say: they come from images too.
_LONGEST_SECONDS = 3600.0


@dataclass(frozen=True)
class Failure:
    """Why a unit is not accepted as it runs now."""

    reason: Reason
    error: str


@dataclass(frozen=True)
class ExpectedContainer:
    """A container that must run. C(image_id) is None where any image will do; C(old_id) is the container before.

    C(image_name) finds the container of a unit that gives its container no name; C(unit) is its own unit where that is not
    the one that was restarted.
    """

    name: str
    image_name: str
    image_id: str | None = None
    old_id: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Expected:
    """One unit that was restarted, and all that must run in it."""

    unit: str
    containers: tuple[ExpectedContainer, ...]
    #: What systemd's counter of automatic restarts may stand at.
    restarts: int = 0


@dataclass(frozen=True)
class GateOptions:
    """How a unit is judged. C(settle) is in seconds: how long it must run without being started again.

    C(wait_healthy) awaits containers' own healthchecks. C(health_command) is told a unit, and says what is wrong with it.
    """

    settle: float = 10.0
    wait_healthy: bool = True
    health_command: t.Callable[[str], str | None] | None = None


@dataclass(frozen=True)
class Healthcheck:
    """A container's own healthcheck: C(starting), C(healthy) or C(unhealthy), and how many seconds it may take to tell.

    C(has_timer) says whether podman runs it by itself.
    """

    status: str
    bound: float
    has_timer: bool


def healthchecks(document: object) -> dict[str, Healthcheck]:
    """The healthchecks in C(podman container inspect), by container ID; a container that has none is missing."""
    found = {}
    for entry in document if isinstance(document, list) else []:
        config, state = (_object(_object(entry).get(key)) for key in ("Config", "State"))
        check, identity = _object(config.get("Healthcheck")), _object(entry).get("Id")
        words = check.get("Test")
        if not is_container_id(identity) or not isinstance(words, list) or words[:1] in ([], ["NONE"]):
            continue
        health = _object(state.get("Health") or state.get("Healthcheck"))
        startup = _object(config.get("StartupHealthCheck"))
        bound = min(_seconds(check.get("StartPeriod")) + _rounds(check) + _rounds(startup), _LONGEST_SECONDS)
        # podman-run(1), --health-interval: «disable», which is kept as 0, makes no timer.
        found[str(identity)] = Healthcheck(
            str(health.get("Status") or "starting"), bound + _MARGIN_SECONDS, _seconds(check.get("Interval")) > 0
        )
    return found


def placed(expected: Expected, listed: t.Sequence[ListedContainer]) -> tuple[ListedContainer, ...] | Failure:
    """The containers that run what they should, in the order in which they are expected; or what is wrong with one."""
    found: list[ListedContainer] = []
    for wanted in expected.containers:
        # Of two that their unit gives no name, each needs one of its own.
        candidates = [one for one in _candidates(expected.unit, wanted, listed) if one not in found]
        running = [one for one in candidates if one.state == "running"]
        if not running:
            state = candidates[0].state if candidates else "gone"
            return Failure(
                Reason.NOT_RUNNING,
                f"container {wanted.name} does not run after the restart of {expected.unit}: {state}",
            )
        right = [one for one in running if wanted.image_id in (None, one.image_id)]
        if right:
            found.append(right[0])
        elif any(one.id == wanted.old_id for one in running):
            return Failure(Reason.UNIT_REUSES_CONTAINER, f"{expected.unit} restarted its old container {wanted.name}")
        else:
            return Failure(
                Reason.NOT_RUNNING, f"container {wanted.name} runs {running[0].image_id}, not {wanted.image_id}"
            )
    return tuple(found)


def _candidates(unit: str, wanted: ExpectedContainer, listed: t.Sequence[ListedContainer]) -> list[ListedContainer]:
    """The containers that came in the place of an old one.

    A unit that gives its container no name makes a new one at each start; its label and image tell it.
    """
    return [one for one in listed if one.name == wanted.name] or [
        one for one in listed if one.unit_label == (wanted.unit or unit) and one.image_name == wanted.image_name
    ]


def steady(before: t.Sequence[ListedContainer], now: t.Sequence[ListedContainer]) -> Failure | None:
    """Whether the containers of two looks are the same, and none was started anew between them."""
    for first, second in zip(before, now):
        if (first.id, first.started_at) != (second.id, second.started_at):
            return Failure(Reason.RESTARTED_AGAIN, f"container {first.name} was started again after the restart")
    return None


def unit_objection(unit: str, facts: UnitFacts | None, *, restarts: int = 0) -> Failure | None:
    """What systemd has against a unit that should simply run; C(restarts) is what its counter may stand at."""
    if facts is None or facts.load_state != "loaded":
        return Failure(Reason.NOT_RUNNING, f"systemd does not know {unit} any more")
    if facts.n_restarts > restarts or facts.sub_state == "auto-restart":
        return Failure(
            Reason.RESTARTED_AGAIN, f"{unit} failed and systemd restarted it; journalctl --unit={unit} says why"
        )
    if facts.active_state not in UP:
        why = f", result {facts.result}" if facts.result not in ("", "success") else ""
        return Failure(Reason.NOT_RUNNING, f"{unit} is {facts.active_state}{why}; journalctl --unit={unit} says why")
    return None


def job_failure(unit: str, job: JobOutcome) -> Failure | None:
    """What a job that was to start a unit anew ended with; None where it is done."""
    if job.done:
        return None
    if job.result == "timeout":
        return Failure(Reason.JOB_TIMEOUT, job.error or f"the restart of {unit} did not end in time")
    message = f"the restart of {unit} ended as {job.result!r}; journalctl --unit={unit} says why"
    return Failure(Reason.JOB_FAILED, job.error or message)


def health_objection(name: str, check: Healthcheck | None, waited: float) -> Failure | None:
    """What a container's own healthcheck has against it after so many seconds; None while it may still become healthy."""
    if check is None:
        return None
    if check.status == "unhealthy":
        return Failure(Reason.UNHEALTHY, f"the healthcheck of container {name} says unhealthy")
    if check.status != "healthy" and waited >= check.bound:
        return Failure(Reason.UNHEALTHY, f"container {name} was not healthy within {check.bound:.0f} s")
    return None


def is_healthy(check: Healthcheck | None) -> bool:
    """Whether nothing more needs to be waited for."""
    return check is None or check.status == "healthy"


def _rounds(check: t.Mapping[str, t.Any]) -> float:
    retries = check.get("Retries")
    times = retries if isinstance(retries, int) and retries > 0 else 0
    return (times + 1) * (_seconds(check.get("Interval")) + _seconds(check.get("Timeout")))


def _seconds(nanoseconds: object) -> float:
    return max(0.0, nanoseconds / _NANO) if isinstance(nanoseconds, (int, float)) else 0.0


def _object(value: object) -> t.Mapping[str, t.Any]:
    return value if isinstance(value, dict) else {}
