# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Child processes: bounded in time, without a shell, without what the caller's environment would smuggle in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import typing as t
from dataclasses import dataclass

#: These would make podman talk to another machine, notify the caller's unit, or label containers with it.
_NOT_PASSED_ON = ("CONTAINER_HOST", "CONTAINER_CONNECTION", "NOTIFY_SOCKET", "PODMAN_SYSTEMD_UNIT", "INVOCATION_ID")
#: The same for docker and crictl: only a socket of this machine is meant (rootless dockerd has one of its own).
_ONLY_SOCKETS = ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_RUNTIME_ENDPOINT", "IMAGE_SERVICE_ENDPOINT")


@dataclass(frozen=True)
class Completed:
    """How a child process ended."""

    code: int
    output: str
    errors: str


class ProcessTimeoutError(Exception):
    """The child did not end in time and was killed."""


def find_program(name: str) -> str | None:
    """The program's path: PATH first, then where a login shell would look."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def run(arguments: t.Sequence[str], *, timeout: float) -> Completed:
    """Run one program to its end, or kill it with all its children after C(timeout) seconds.

    Raises:
        ProcessTimeoutError: It was killed.
        OSError: It could not be started.
    """
    environment = {key: value for key, value in os.environ.items() if _is_passed_on(key, value)}
    environment["LC_ALL"] = "C.UTF-8"
    # Not module.run_command: the engine knows no Ansible. A list, never a shell; the callers validate what they put in.
    with subprocess.Popen(  # pylint: disable=ansible-bad-function
        list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as child:
        try:
            output, errors = child.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise ProcessTimeoutError from None
            raise
    return Completed(child.returncode, output, errors)


def _is_passed_on(key: str, value: str) -> bool:
    return key not in _NOT_PASSED_ON and (key not in _ONLY_SOCKETS or value.startswith(("unix://", "/")))
