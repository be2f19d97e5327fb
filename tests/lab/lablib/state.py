# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running lab remembers about itself, in one small file written atomically."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .errors import LabError
from .paths import LOCK_FILE, LabPaths

SCHEMA = 1


@dataclass(frozen=True)
class DaemonRecord:
    """A process that the lab started. A pid alone may be somebody else's by now; its start time tells."""

    pid: int
    start_ticks: int


@dataclass(frozen=True)
class LabState:
    """``boot_id`` tells a lab of before the last reboot (all its processes are gone) from a running one."""

    boot_id: str
    cache: str
    namespace_inode: int | None = None
    secure_password: str | None = None
    daemons: Mapping[str, DaemonRecord] = None  # type: ignore[assignment]

    def with_daemon(self, name: str, record: DaemonRecord | None) -> LabState:
        daemons = {key: value for key, value in (self.daemons or {}).items() if key != name}
        if record is not None:
            daemons[name] = record
        return replace(self, daemons=daemons)


def current_boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def load(paths: LabPaths) -> LabState | None:
    """The recorded state, or None when no lab was left on this machine."""
    try:
        raw: dict[str, Any] = json.loads(paths.state.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except PermissionError as denied:
        raise LabError(f"the lab needs root ({denied}); run this with sudo") from denied
    except ValueError as broken:
        raise LabError(
            f"{paths.state} is not readable JSON ({broken}), so what the lab started is not known; reboot, or stop it by hand and remove {paths.run}"
        ) from broken
    if raw.pop("schema", None) != SCHEMA:
        raise LabError(
            f"{paths.state} was written by another version of the lab; stop that lab with the version that started it"
        )
    daemons = {name: DaemonRecord(**record) for name, record in raw.pop("daemons", {}).items()}
    return LabState(daemons=daemons, **raw)


def save(paths: LabPaths, state: LabState) -> None:
    content = {
        "schema": SCHEMA,
        **asdict(state),
        "daemons": {name: asdict(record) for name, record in (state.daemons or {}).items()},
    }
    draft = paths.state.with_name(f"state.json.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(paths.state)


@contextlib.contextmanager
def locked(timeout: float = 900.0) -> Iterator[None]:
    """Only one process at a time changes the lab. The lock file stands outside the run folder, which ``down`` removes."""
    try:
        descriptor = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as denied:
        raise LabError(f"the lab needs root ({denied}); run it with sudo") from denied
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"another lab command has held {LOCK_FILE} for {timeout:.0f} s; see what it is doing, then try again"
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)
