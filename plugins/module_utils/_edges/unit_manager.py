# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""systemd's manager of the system or of a user, by C(systemctl)."""

from __future__ import annotations

import time
import typing as t

from .._pure.service_facts import ServiceFacts
from .._pure.texts import printable
from . import process

_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,InactiveExitTimestampMonotonic"
_ASK_SECONDS = 30.0
_READY_SECONDS = 15.0
_POLL_SECONDS = 0.2
#: A unit between two tries of systemd's is waited for.
_SETTLE_SECONDS = 30.0
_MOVING = ("activating", "deactivating")


class UnitManager:
    """One manager. C(timeout) bounds each command that starts or stops units, in seconds."""

    def __init__(self, *, user: bool, timeout: float) -> None:
        self._base = ["systemctl", *(["--user"] if user else [])]
        self._timeout = timeout

    def ready(self, wait: bool) -> bool:
        """Whether the manager answers; C(wait) gives one that just starts some time."""
        deadline = time.monotonic() + (_READY_SECONDS if wait else 0)
        while True:
            done = self._run(["show", "--property=Version"], _ASK_SECONDS)
            if done.code == 0:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)

    def facts(self, services: t.Sequence[str]) -> dict[str, ServiceFacts]:
        """The state of each of the units; empty where systemd does not answer."""
        if not services:
            return {}
        done = self._run(["show", f"--property={_PROPERTIES}", "--", *services], _ASK_SECONDS)
        if done.code != 0:
            return {}
        offset = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        blocks = [
            dict(line.partition("=")[::2] for line in block.splitlines()) for block in done.output.strip().split("\n\n")
        ]
        return {name: _facts(block, offset) for name, block in zip(services, blocks)}

    def settled(self, services: t.Sequence[str]) -> dict[str, ServiceFacts]:
        """The same once systemd has come to an end with them: what fails at first may be started again by itself."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            facts = self.facts(services)
            if time.monotonic() >= deadline or not any(one.active_state in _MOVING for one in facts.values()):
                return facts
            time.sleep(_POLL_SECONDS)

    def reload(self) -> str | None:
        """Read all unit files again."""
        return self._told(["daemon-reload"], self._timeout)

    def control(self, verb: str, services: t.Sequence[str]) -> str | None:
        """Start, stop, restart, enable or disable units, and wait for it; what went wrong, or None."""
        return self._told([verb, "--", *services], self._timeout) if services else None

    def _told(self, words: t.Sequence[str], timeout: float) -> str | None:
        done = self._run(words, timeout)
        return None if done.code == 0 else printable(" ".join(done.errors.split()) or f"exit code {done.code}")

    def _run(self, words: t.Sequence[str], timeout: float) -> process.Completed:
        try:
            return process.run([*self._base, "--no-pager", "--no-ask-password", *words], timeout=timeout)
        except process.ProcessTimeoutError:
            return process.Completed(124, "", f"systemctl {words[0]} did not end within {timeout:.0f} s")
        except OSError as error:
            return process.Completed(127, "", f"systemctl cannot be run: {error.strerror}")


def _facts(block: t.Mapping[str, str], offset: float) -> ServiceFacts:
    left = int(block.get("InactiveExitTimestampMonotonic") or 0)
    return ServiceFacts(
        load_state=block.get("LoadState", ""),
        active_state=block.get("ActiveState", ""),
        unit_file_state=block.get("UnitFileState", ""),
        needs_reload=block.get("NeedDaemonReload") == "yes",
        left_inactive=left / 1e6 + offset if left else None,
    )
