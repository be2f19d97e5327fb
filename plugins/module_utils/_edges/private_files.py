# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Files that only this user can read, for what must not stand on a command line; none of them outlives its run for long."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import stat
import tempfile
import typing as t

from .._pure.errors import InputError

_MOST_TRIES = 100
_RUN_DIRECTORY = pathlib.Path("/run/podfleet-autoupdate")
#: Where systemd-logind makes a runtime folder for each user who is logged in or lingers (pam_systemd(8)).
_USERS_RUNTIME = "/run/user"
_NAME = re.compile(r"auth-(\d+)-[^/]*\.json\Z")


@contextlib.contextmanager
def private_file(text: str) -> t.Iterator[str]:
    """The path of a file with this text, which is removed on every exit that a process can see."""
    descriptor, path = _new_file()
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        pathlib.Path(path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # Others use the folder, or have removed it.
            pathlib.Path(path).parent.rmdir()


def sweep() -> None:
    """Remove what processes that were killed have left."""
    with contextlib.suppress(OSError, InputError):
        folder = _checked(_folder())
        for one in folder.iterdir():
            found = _NAME.match(one.name)
            if found and not pathlib.Path("/proc", found.group(1)).exists():
                one.unlink(missing_ok=True)
        folder.rmdir()


def _new_file() -> tuple[int, str]:
    """A new file in the folder, which another thread or run may remove at any time while it is empty."""
    for _try in range(_MOST_TRIES - 1):
        with contextlib.suppress(FileNotFoundError):
            return tempfile.mkstemp(prefix=f"auth-{os.getpid()}-", suffix=".json", dir=_run_directory())
    return tempfile.mkstemp(prefix=f"auth-{os.getpid()}-", suffix=".json", dir=_run_directory())


def _run_directory() -> pathlib.Path:
    """A folder that nobody else can look into, and that does not outlive the boot where the system has such a place."""
    folder = _folder()
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return _checked(folder)


def _checked(folder: pathlib.Path) -> pathlib.Path:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise InputError(f"{folder} is not a folder that only this user can enter; remove it")
    return folder


def _folder() -> pathlib.Path:
    if os.geteuid() == 0:
        return _RUN_DIRECTORY
    runtime = runtime_folder(os.environ)
    if runtime and runtime.startswith("/") and pathlib.Path(runtime).is_dir():
        return pathlib.Path(runtime, _RUN_DIRECTORY.name)
    return pathlib.Path(tempfile.gettempdir(), f"{_RUN_DIRECTORY.name}-{os.geteuid()}")


def runtime_folder(environment: t.Mapping[str, str]) -> str | None:
    """The user's runtime folder. Where nothing names it, as after C(become), rootless podman takes the one of logind."""
    named = environment.get("XDG_RUNTIME_DIR")
    if named or os.geteuid() == 0:
        return named
    folder = pathlib.Path(_USERS_RUNTIME, str(os.geteuid()))
    try:
        return str(folder) if folder.stat().st_uid == os.geteuid() else None
    except OSError:
        return None
