# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""systemd's manager of the system or of a user, over D-Bus: unit states, ownership, links, and jobs that are awaited."""

from __future__ import annotations

import contextlib
import time
import typing as t
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace

from .._pure.errors import UnitError, UnitRefusedError
from .._pure.units import STOPS_ALONG, TIED, JobOutcome, UnitFacts, UnitLinks, bus_label
from .bus_loop import BusLoop
from .turns import Turns

_T = t.TypeVar("_T")
_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = f"{_NAME}.Manager"
_UNIT = f"{_NAME}.Unit"
_SERVICE = f"{_NAME}.Service"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_CALL_SECONDS = 25.0
_CANCEL_SECONDS = 30.0
_INFINITE_USEC = 2**64 - 1
#: A unit may have a timeout of a thousand years; no clock of ours goes that far.
_LONGEST_SECONDS = 7 * 24 * 3600.0
#: Beside the unit's own stop and start timeouts: the manager's queue, and units that are ordered before it.
_MARGIN_SECONDS = 30.0
_POLL_SECONDS = 0.2
#: What happens at the begin and at the end of a start (org.freedesktop.systemd1(5)).
_START = ("InactiveExit", "ActiveEnter")
_MOVING = ("activating", "deactivating", "reloading")


@dataclass(frozen=True)
class _Job:
    """A queued job: its path on the bus, what will hold its result and when that came, how long it may take, its begin."""

    path: str
    result: Future[tuple[str, float]]
    seconds: float
    begun: float


class ServiceManager:
    """One service manager. Use as a context manager: it owns a thread and a connection.

    C(address) is the bus of a user's own manager; None means the system's. C(timeout) bounds a job in seconds where the
    unit's own timeouts are infinite, or shorter. C(hurried) restarts as fast as the processors can follow.

    Raises:
        UnitError: The manager cannot be reached.
        MissingLibraryError: dbus-python is not installed.
    """

    def __init__(self, *, timeout: float, address: str | None = None, hurried: bool = False) -> None:
        self._timeout = timeout
        self._jobs: dict[str, Future[tuple[str, float]]] = {}
        self._bus: t.Any = None
        self._manager: t.Any = None
        self._turns = Turns(hurried=hurried)
        self._loop = BusLoop(address, self._connected)
        self._dbus = self._loop.dbus

    def __enter__(self) -> ServiceManager:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection and end the thread."""
        self._loop.close()

    # What callers use, from any thread.

    def facts(self, units: t.Collection[str]) -> dict[str, UnitFacts]:
        """The state of each unit, by the name that it was asked by; what is not the name of a unit has no answer."""

        def ask() -> dict[str, UnitFacts]:
            return {unit: self._with_service_facts(unit, one) for unit, one in self._states(list(units)).items()}

        return self._on_loop(ask)

    def owns(self, unit: str, pid: int) -> bool:
        """Whether systemd itself says that the process belongs to the unit."""

        def ask() -> bool:
            path = self._manager.GetUnitByPID(self._dbus.UInt32(pid), timeout=_CALL_SECONDS)
            return str(self._property(path, _UNIT, "Id")) == unit

        return self._on_loop(ask)

    def links(self, units: t.Collection[str]) -> dict[str, UnitLinks]:
        """What a restart of each unit takes along: see L(UnitLinks). Only what is loaded counts."""
        return self._on_loop(lambda: self._links(units))

    def start_commands(self, unit: str) -> tuple[tuple[str, ...], ...]:
        """The command lines that start a unit, as systemd runs them: without specifiers."""

        def ask() -> tuple[tuple[str, ...], ...]:
            lines = self._property(_path_of(unit), _SERVICE, "ExecStart")
            return tuple(tuple(map(str, argv)) for _path, argv, *_rest in lines)

        return self._on_loop(ask)

    def restart(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        """Restart units side by side, each in its turn, and wait for their jobs, each within its bound.

        A job that is late is cancelled, and then the unit is waited for until it is active, inactive or failed.
        """
        return self._run_jobs("RestartUnit", ("Stop", "Start"), units)

    def start(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        """Start units, in the same way; what is active already is done at once."""
        return self._run_jobs("StartUnit", ("Start",), units)

    def reset_failed(self, units: t.Collection[str]) -> None:
        """Forget failures, so that a start limit does not refuse the way back."""
        for unit in units:
            self._on_loop(lambda unit=unit: self._manager.ResetFailedUnit(unit, timeout=_CALL_SECONDS))  # type: ignore[misc]

    # Jobs.

    def _run_jobs(self, method: str, phases: t.Sequence[str], units: t.Collection[str]) -> dict[str, JobOutcome]:
        jobs = {unit: self._queue(method, phases, unit) for unit in units}
        outcomes: dict[str, JobOutcome] = {}
        for unit, job in jobs.items():
            if isinstance(job, JobOutcome):
                outcomes[unit] = job
                continue
            try:
                done, ended = job.result.result(timeout=max(0.0, job.begun + job.seconds - time.monotonic()))
                outcomes[unit] = JobOutcome(done, ended - job.begun)
                self._note_start(unit)
            except FutureTimeoutError:
                self._cancel(job)
                message = f"the job of {unit} did not end within {job.seconds:.0f} s and was cancelled"
                outcomes[unit] = JobOutcome("timeout", time.monotonic() - job.begun, message, cancelled=True)
        late = [unit for unit, outcome in outcomes.items() if outcome.cancelled]
        if late:
            self._await_stable(late)
        return outcomes

    def _queue(self, method: str, phases: t.Sequence[str], unit: str) -> _Job | JobOutcome:
        def start() -> _Job:
            seconds = self._bound(unit, phases)
            path = str(self._manager.get_dbus_method(method)(unit, "replace", timeout=_CALL_SECONDS))
            # JobRemoved is delivered on this same thread, so it cannot come before the job is noted here. Two units may
            # have got the same job, if one is the other's alias.
            return _Job(path, self._jobs.setdefault(path, Future()), seconds, time.monotonic())

        self._turns.wait()
        try:
            return self._on_loop(start)
        except UnitError as error:
            return JobOutcome("failed", 0.0, f"{unit}: {error}", refused=isinstance(error, UnitRefusedError))

    def _note_start(self, unit: str) -> None:
        """Let the next ones know how long this one's start took."""

        def ask() -> float:
            began, ended = (self._property(_path_of(unit), _UNIT, f"{one}TimestampMonotonic") for one in _START)
            return (int(ended) - int(began)) / 1e6

        with contextlib.suppress(UnitError):
            self._turns.started(self._on_loop(ask))

    def _cancel(self, job: _Job) -> None:
        """Cancel a job, and wait until systemd has let go of it: only then may another one be queued."""
        number = int(job.path.rpartition("/")[2])
        with contextlib.suppress(UnitError, FutureTimeoutError):
            # It ended by itself meanwhile, or systemd hangs: the caller verifies what runs in any case.
            self._on_loop(lambda: self._manager.CancelJob(self._dbus.UInt32(number), timeout=_CALL_SECONDS))
            job.result.result(timeout=_CANCEL_SECONDS)

    def _await_stable(self, units: t.Sequence[str]) -> None:
        """Wait for what a cancelled job left: a stop goes on without its job, a start that hangs is stopped.

        A unit that may take for ever to stop is waited for as long as for a job.
        """
        with contextlib.suppress(UnitError):
            bound = max(self._on_loop(lambda unit=unit: self._bound(unit, ("Stop",))) for unit in units)  # type: ignore[misc]
            deadline = time.monotonic() + bound
            stopped: set[str] = set()
            while time.monotonic() < deadline:
                states = self._on_loop(lambda: self._states(units))
                moving = {unit: one for unit, one in states.items() if one.active_state in _MOVING}
                if not moving:
                    return
                for unit, one in moving.items():
                    if one.active_state == "activating" and unit not in stopped:
                        stopped.add(unit)
                        self._on_loop(
                            lambda unit=unit: self._manager.StopUnit(unit, "replace", timeout=_CALL_SECONDS)  # type: ignore[misc]
                        )
                time.sleep(_POLL_SECONDS)

    def _bound(self, unit: str, phases: t.Sequence[str]) -> float:
        """How long a job with these phases may take: the unit's own timeouts and a margin, or what the caller allows."""
        if not unit.endswith(".service"):  # A target, for example: it waits for other units only.
            return self._timeout
        path = _path_of(unit)
        usecs = [int(self._property(path, _SERVICE, f"Timeout{phase}USec")) for phase in phases]
        if _INFINITE_USEC in usecs:
            return self._timeout
        return min(max(self._timeout, sum(usecs) / 1e6 + _MARGIN_SECONDS), _LONGEST_SECONDS)

    # What is asked on the loop's thread.

    def _states(self, units: t.Sequence[str]) -> dict[str, UnitFacts]:
        """Load and active state, of all units in one call."""
        if not units:
            return {}
        rows = self._manager.ListUnitsByNames(self._dbus.Array(units, signature="s"), timeout=_CALL_SECONDS)
        found = {}
        for name, _description, load, active, sub, _following, _path, job, *_rest in rows:
            found[str(name)] = UnitFacts(str(load), str(active), str(sub), job_running=int(job) != 0, id=str(name))
        if len(rows) == len(
            units
        ):  # In the order in which they were asked for; an alias is answered by its unit's name.
            return {unit: found[str(row[0])] for unit, row in zip(units, rows)}
        return {unit: found[unit] for unit in units if unit in found}

    def _with_service_facts(self, unit: str, facts: UnitFacts) -> UnitFacts:
        if facts.load_state != "loaded" or not facts.id.endswith(".service"):
            return facts
        path = _path_of(unit)
        try:
            pid, restarts, result = (self._property(path, _SERVICE, one) for one in ("MainPID", "NRestarts", "Result"))
        except self._dbus.DBusException:  # It was unloaded meanwhile.
            return facts
        return replace(facts, main_pid=int(pid), n_restarts=int(restarts), result=str(result))

    def _links(self, units: t.Collection[str]) -> dict[str, UnitLinks]:
        seen: dict[str, dict[str, frozenset[str]]] = {}

        def tied(unit: str) -> dict[str, frozenset[str]]:
            if unit not in seen:
                seen[unit] = self._ties(unit)
            return seen[unit]

        stops: dict[str, set[str]] = {}
        for unit in units:
            reached: set[str] = set()
            new = {unit}
            while new:
                new = {other for one in new for kind in STOPS_ALONG for other in tied(one)[kind]} - reached - {unit}
                reached |= new
            stops[unit] = reached
        direct = {
            unit: {other for kind in TIED for other in tied(unit)[kind] if other.endswith(".service")} - {unit}
            for unit in units
        }
        named = sorted(set().union(*stops.values(), *direct.values()))
        loaded = {unit for unit, one in self._states(named).items() if one.load_state == "loaded"}
        return {unit: UnitLinks(frozenset(direct[unit] & loaded), frozenset(stops[unit] & loaded)) for unit in units}

    def _ties(self, unit: str) -> dict[str, frozenset[str]]:
        """The units that a unit is tied to, by the kind of the dependency; kinds that an old systemd lacks are empty."""
        properties = self._dbus.Interface(self._object(_path_of(unit)), _PROPERTIES)
        everything = properties.GetAll(_UNIT, timeout=_CALL_SECONDS)
        kinds = {*TIED, *STOPS_ALONG}
        return {kind: frozenset(map(str, everything.get(kind, ()))) for kind in kinds}

    def _property(self, path: object, interface: str, name: str) -> t.Any:
        properties = self._dbus.Interface(self._object(path), _PROPERTIES)
        return properties.Get(interface, name, timeout=_CALL_SECONDS)

    def _object(self, path: object) -> t.Any:
        return self._bus.get_object(_NAME, path, introspect=False)

    def _connected(self, bus: t.Any) -> None:
        import dbus  # noqa: PLC0415 (what needs no D-Bus does not import it)

        self._bus = bus
        self._manager = dbus.Interface(self._object(_PATH), _MANAGER)
        bus.add_signal_receiver(self._job_removed, "JobRemoved", _MANAGER, _NAME, _PATH)
        self._manager.Subscribe(timeout=_CALL_SECONDS)

    def _job_removed(self, _id: object, path: object, _unit: object, result: object) -> None:
        waiting = self._jobs.pop(str(path), None)
        if waiting is not None:
            waiting.set_result((str(result), time.monotonic()))

    def _on_loop(self, function: t.Callable[[], _T]) -> _T:
        return self._loop.call(function, 2 * _CALL_SECONDS)


def _path_of(unit: str) -> str:
    """The unit's object; systemd loads the unit when it is asked for."""
    return f"{_PATH}/unit/{bus_label(unit)}"
