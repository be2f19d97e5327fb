# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""A D-Bus connection, and the one thread that may use it.

dbus-python delivers signals only through a GLib main context, and is not to be used from two threads: callers on other
threads hand this one work and wait.
"""

from __future__ import annotations

import ctypes
import queue
import threading
import traceback
import typing as t
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from .._pure.errors import MissingLibraryError, UnitError, UnitRefusedError

_T = t.TypeVar("_T")
_CONNECT_SECONDS = 10.0
#: What systemd itself says no with; other errors may come from a bus that lost its answer.
_REFUSALS = (
    "org.freedesktop.systemd1.",
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
)


class BusLoop:
    """One connection with its thread. C(address) is that of a user's bus; None means the system's.

    C(connected) is called on the thread with the connection, before anything else is.

    Raises:
        UnitError: There is no such bus, or it does not answer.
        MissingLibraryError: dbus-python is not installed.
    """

    def __init__(self, address: str | None, connected: t.Callable[[t.Any], None]) -> None:
        self.dbus = _load_dbus()
        self._glib = _load_glib()
        self._work: queue.SimpleQueue[t.Callable[[], None] | None] = queue.SimpleQueue()
        self._bus: t.Any = None
        self._thread = threading.Thread(target=self._loop, name="systemd", daemon=True)
        self._thread.start()
        try:
            self.call(lambda: self._connect(address, connected), _CONNECT_SECONDS)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection and end the thread."""
        self._work.put(None)
        self._glib.g_main_context_wakeup(None)
        self._thread.join(_CONNECT_SECONDS)

    def call(self, function: t.Callable[[], _T], seconds: float) -> _T:
        """Run a function on the loop's thread and wait for what it returns.

        Raises:
            UnitRefusedError: systemd refused.
            UnitError: D-Bus failed, or nothing answered.
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
        except self.dbus.DBusException as error:
            refused = str(error.get_dbus_name()).startswith(_REFUSALS)
            kind = UnitRefusedError if refused else UnitError
            raise kind(f"systemd refused over D-Bus: {error.get_dbus_message()}") from None

    def _connect(self, address: str | None, connected: t.Callable[[t.Any], None]) -> None:
        from dbus.mainloop.glib import DBusGMainLoop  # noqa: PLC0415 (what needs no D-Bus does not import it)

        mainloop = DBusGMainLoop()
        if address is None:
            self._bus = self.dbus.SystemBus(private=True, mainloop=mainloop)
        else:
            self._bus = self.dbus.bus.BusConnection(address, mainloop=mainloop)
        self._bus.set_exit_on_disconnect(False)  # libdbus would end this process in the middle of an update.
        connected(self._bus)

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
        import dbus.bus  # noqa: PLC0415
    except ImportError:
        raise MissingLibraryError("dbus", traceback.format_exc()) from None
    return dbus
