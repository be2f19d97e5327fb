# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""podman's own C(podman auto-update), which takes no lock of ours: looked for in the process table, and waited for."""

from __future__ import annotations

import os
import pathlib
import time

from .._pure.errors import BusyError
from .._pure.reasons import Reason
from .._pure.second_engines import enabling_links, is_auto_update, may_be_of

_LONGEST = 65536
_LOOK_AGAIN_SECONDS = 0.5


class SecondEngine:
    """Whoever updates the containers of the user who runs this process; waited for C(seconds) at most, each time."""

    def __init__(self, seconds: float, root: str = "/proc") -> None:
        self._seconds = seconds
        self._root = root

    def running(self) -> int | None:
        """The ID of a C(podman auto-update) process of this user, or None."""
        uid = os.geteuid()
        with os.scandir(self._root) as entries:
            pids = [entry.name for entry in entries if entry.name.isdigit()]
        for pid in pids:
            command = _read(f"{self._root}/{pid}/cmdline").rstrip("\0").split("\0")
            if is_auto_update(command) and may_be_of(_read(f"{self._root}/{pid}/status"), uid):
                return int(pid)
        return None

    def wait(self) -> None:
        """Wait until there is none.

        Raises:
            BusyError: There still is one (C(second_engine)).
        """
        started = time.monotonic()
        while True:
            pid = self.running()
            if pid is None:
                return
            if time.monotonic() - started >= self._seconds:
                raise BusyError(
                    f"podman auto-update (process {pid}) works on the same containers; waited {self._seconds:.0f} s for it",
                    Reason.SECOND_ENGINE,
                )
            time.sleep(min(_LOOK_AGAIN_SECONDS, max(0.01, self._seconds)))


def enabled(*, user: bool) -> list[str]:
    """The units by which podman's own updates run from time to time or at boot: the system's, or this user's."""
    config = None
    if user:
        given = pathlib.Path(os.environ.get("XDG_CONFIG_HOME") or "")
        config = str(given if given.is_absolute() else pathlib.Path.home() / ".config")
    links = map(pathlib.Path, enabling_links(config))
    return sorted({link.name for link in links if os.path.lexists(link)})


def _read(path: str) -> str:
    """A file of the process table; nothing where the process is gone, or not ours to read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, _LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
