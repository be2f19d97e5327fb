# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""systemd's manager over D-Bus: unit states, ownership, and restarts whose job results are awaited.

One thread owns the connection and its GLib main context; callers on other threads hand it work and wait. dbus-python
delivers signals only through that context, and is not to be used from two threads.
"""

from __future__ import annotations

import ctypes
import queue
import threading
import time
import traceback
import typing as t
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from .._pure.errors import MissingLibraryError, UnitError
from .._pure.units import JobOutcome, UnitFacts

_T = t.TypeVar("_T")
_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = f"{_NAME}.Manager"
_UNIT = f"{_NAME}.Unit"
_SERVICE = f"{_NAME}.Service"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_NO_SUCH_UNIT = f"{_NAME}.NoSuchUnit"
_CALL_SECONDS = 25.0
_CANCEL_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_INFINITE_USEC = 2**64 - 1
#: A unit may have a timeout of a thousand years; no clock of ours goes that far.
_LONGEST_SECONDS = 7 * 24 * 3600.0
#: Beside the unit's own stop and start timeouts: the manager's queue, and units that are ordered before it.
_MARGIN_SECONDS = 30.0


class SystemBus:
    """The system's service manager. Use as a context manager: it owns a thread and a connection.

    C(timeout) bounds a restart in seconds where the unit's own timeouts are infinite, or shorter.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._work: queue.SimpleQueue[t.Callable[[], None] | None] = queue.SimpleQueue()
        self._jobs: dict[str, Future[str]] = {}
        self._glib = _load_glib()
        self._dbus = _load_dbus()
        self._manager: t.Any = None
        self._bus: t.Any = None
        self._thread = threading.Thread(target=self._loop, name="systemd", daemon=True)
        self._thread.start()
        self._on_loop(self._connect, seconds=_CONNECT_SECONDS)

    def __enter__(self) -> SystemBus:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection and end the thread."""
        self._work.put(None)
        self._glib.g_main_context_wakeup(None)
        self._thread.join(_CONNECT_SECONDS)

    # What callers use, from any thread.

    def facts(self, units: t.Collection[str]) -> dict[str, UnitFacts]:
        """The state of each unit, in one call; units that are not loaded are missing from the answer."""
        rows = self._on_loop(lambda: self._manager.ListUnitsByNames(list(units), timeout=_CALL_SECONDS))
        facts = {}
        for name, _description, load, active, sub, _following, _path, job, *_rest in rows:
            facts[str(name)] = UnitFacts(str(load), str(active), str(sub), job_running=int(job) != 0)
        return {unit: facts[unit] for unit in units if unit in facts}

    def owns(self, unit: str, pid: int) -> bool:
        """Whether systemd itself says that the process belongs to the unit."""

        def ask() -> bool:
            path = self._manager.GetUnitByPID(self._dbus.UInt32(pid), timeout=_CALL_SECONDS)
            return str(self._property(path, _UNIT, "Id")) == unit

        return self._on_loop(ask)

    def restart(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        """Restart units side by side and wait for their jobs, each within its bound."""
        started = time.monotonic()
        jobs = {unit: self._start_job(unit) for unit in units}
        return {unit: self._outcome(unit, job, started) for unit, job in jobs.items()}

    def reset_failed(self, units: t.Collection[str]) -> None:
        """Forget failures, so that a start limit does not refuse the way back."""
        for unit in units:
            self._on_loop(lambda unit=unit: self._manager.ResetFailedUnit(unit, timeout=_CALL_SECONDS))  # type: ignore[misc]

    # Jobs.

    def _start_job(self, unit: str) -> tuple[str, Future[str], float] | JobOutcome:
        """Queue one restart: the job's path, what will hold its result, and its bound in seconds."""

        def start() -> tuple[str, Future[str], float]:
            bound = self._bound(unit)
            path = str(self._manager.RestartUnit(unit, "replace", timeout=_CALL_SECONDS))
            # JobRemoved is delivered on this same thread, so it cannot come before the job is noted here.
            result = self._jobs[path] = Future()
            return path, result, bound

        try:
            return self._on_loop(start)
        except UnitError as error:
            return JobOutcome("failed", 0.0, str(error))

    def _outcome(self, unit: str, job: tuple[str, Future[str], float] | JobOutcome, started: float) -> JobOutcome:
        if isinstance(job, JobOutcome):
            return job
        path, result, bound = job
        try:
            done = result.result(timeout=max(0.0, started + bound - time.monotonic()))
            return JobOutcome(done, time.monotonic() - started)
        except FutureTimeoutError:
            self._cancel(path, result)
            message = f"the restart of {unit} did not end within {bound:.0f} s and was cancelled"
            return JobOutcome("timeout", time.monotonic() - started, message)

    def _cancel(self, path: str, result: Future[str]) -> None:
        """Cancel a job, and wait until systemd has let go of it: only then may another one be queued."""
        try:
            job = int(path.rpartition("/")[2])
            self._on_loop(lambda: self._manager.CancelJob(self._dbus.UInt32(job), timeout=_CALL_SECONDS))
            result.result(timeout=_CANCEL_SECONDS)
        except (UnitError, FutureTimeoutError):
            pass  # It ended by itself meanwhile, or systemd hangs: the caller verifies what runs in any case.

    def _bound(self, unit: str) -> float:
        path = self._manager.LoadUnit(unit, timeout=_CALL_SECONDS)
        stop, start = (int(self._property(path, _SERVICE, f"Timeout{phase}USec")) for phase in ("Stop", "Start"))
        if _INFINITE_USEC in (stop, start):
            return self._timeout
        return min(max(self._timeout, (stop + start) / 1e6 + _MARGIN_SECONDS), _LONGEST_SECONDS)

    def _property(self, path: object, interface: str, name: str) -> t.Any:
        properties = self._dbus.Interface(self._bus.get_object(_NAME, path, introspect=False), _PROPERTIES)
        return properties.Get(interface, name, timeout=_CALL_SECONDS)

    # The loop's own thread.

    def _connect(self) -> None:
        from dbus.mainloop.glib import DBusGMainLoop  # noqa: PLC0415 (what needs no D-Bus does not import it)

        self._bus = self._dbus.SystemBus(private=True, mainloop=DBusGMainLoop())
        self._bus.set_exit_on_disconnect(False)  # libdbus would end this process in the middle of an update.
        manager = self._bus.get_object(_NAME, _PATH, introspect=False)
        self._manager = self._dbus.Interface(manager, _MANAGER)
        self._bus.add_signal_receiver(self._job_removed, "JobRemoved", _MANAGER, _NAME, _PATH)
        self._manager.Subscribe(timeout=_CALL_SECONDS)

    def _job_removed(self, _id: object, path: object, _unit: object, result: object) -> None:
        waiting = self._jobs.pop(str(path), None)
        if waiting is not None:
            waiting.set_result(str(result))

    def _loop(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                self._glib.g_main_context_iteration(None, 1)
                continue
            if work is None:
                break
            work()
        if self._bus is not None:
            self._bus.close()

    def _on_loop(self, function: t.Callable[[], _T], seconds: float = 2 * _CALL_SECONDS) -> _T:
        """Run a function on the loop's thread and wait for what it returns.

        Raises:
            UnitError: D-Bus or systemd refused, or nothing answered.
        """
        answer: Future[_T] = Future()

        def work() -> None:
            if not answer.set_running_or_notify_cancel():
                return  # Whoever asked has given up: a restart must not happen behind its back.
            try:
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 (whatever it is belongs to the caller, not to the loop)
                answer.set_exception(error)

        self._work.put(work)
        self._glib.g_main_context_wakeup(None)
        try:
            return answer.result(timeout=seconds)
        except FutureTimeoutError:
            answer.cancel()
            raise UnitError(f"systemd did not answer over D-Bus within {seconds:.0f} s") from None
        except self._dbus.DBusException as error:
            raise UnitError(f"systemd refused over D-Bus: {error.get_dbus_message()}") from None


def _load_glib() -> t.Any:
    """GLib itself; Python's bindings for it are not needed to turn a main context."""
    try:
        glib = ctypes.CDLL("libglib-2.0.so.0")
    except OSError as error:
        raise UnitError(f"GLib, which dbus-python needs to receive signals, cannot be loaded: {error}") from None
    glib.g_main_context_iteration.argtypes = [ctypes.c_void_p, ctypes.c_int]
    glib.g_main_context_wakeup.argtypes = [ctypes.c_void_p]
    glib.g_main_context_wakeup.restype = None
    return glib


def _load_dbus() -> t.Any:
    try:
        import dbus  # noqa: PLC0415 (what needs no D-Bus does not import it)
    except ImportError:
        raise MissingLibraryError("dbus", traceback.format_exc()) from None
    return dbus
