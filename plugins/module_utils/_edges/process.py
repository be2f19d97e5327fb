# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Child processes: bounded in time, without a shell, without what the caller's environment would smuggle in."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
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


class ProcessOutputError(Exception):
    """The child printed more than it may and was killed."""


def find_program(name: str) -> str | None:
    """The program's path: PATH first, then where a login shell would look."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def run(arguments: t.Sequence[str], *, timeout: float, environment: t.Mapping[str, str] | None = None) -> Completed:
    """Run one program to its end, or kill it with all its children after C(timeout) seconds.

    C(environment) is added to this process's own.

    Raises:
        ProcessTimeoutError: It was killed.
        OSError: It could not be started.
    """
    started = _start(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, added=environment or {})
    with started as child, _killed_on_errors(child):
        output, errors = child.communicate(timeout=timeout)
    return _completed(child, output, errors)


def ask(arguments: t.Sequence[str], text: str, *, timeout: float, most: int) -> Completed:
    """Run one program that is told a short text and answers with at most C(most) bytes; its errors are not read.

    Raises:
        ProcessTimeoutError: It took more than C(timeout) seconds and was killed.
        ProcessOutputError: It printed more and was killed.
        OSError: It could not be started.
    """
    deadline = time.monotonic() + timeout
    with (
        _start(arguments, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, added={}) as child,
        _killed_on_errors(child),
    ):
        stdin, stdout = t.cast("t.IO[bytes]", child.stdin), t.cast("t.IO[bytes]", child.stdout)
        with contextlib.suppress(BrokenPipeError):  # It need not read what it is told.
            stdin.write(text.encode())
            stdin.close()
        poll, output = select.poll(), b""
        poll.register(stdout, select.POLLIN)
        chunk = b"."
        while chunk:
            if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                raise ProcessTimeoutError
            chunk = os.read(stdout.fileno(), most + 1)
            output += chunk
            if len(output) > most:
                raise ProcessOutputError
        child.wait(timeout=max(0.1, deadline - time.monotonic()))
    return _completed(child, output, b"")


def _start(
    arguments: t.Sequence[str], *, stdin: int, stderr: int, added: t.Mapping[str, str]
) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if _is_passed_on(key, value)}
    environment.update(added, LC_ALL="C.UTF-8")
    # Not module.run_command: the engine knows no Ansible. A list, never a shell; the callers validate what they put in.
    return subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
        list(arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )


@contextlib.contextmanager
def _killed_on_errors(child: subprocess.Popen[bytes]) -> t.Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        if isinstance(error, subprocess.TimeoutExpired):
            raise ProcessTimeoutError from None
        raise


def _completed(child: subprocess.Popen[bytes], output: bytes, errors: bytes) -> Completed:
    return Completed(child.returncode, _decoded(output), _decoded(errors))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace").replace("\r\n", "\n")


def _is_passed_on(key: str, value: str) -> bool:
    return key not in _NOT_PASSED_ON and (key not in _ONLY_SOCKETS or value.startswith(("unix://", "/")))
