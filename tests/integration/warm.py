# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's commands without the wait for their start: each runs in a copy of a process that has imported them already.

Hundreds of commands run in these tests, and most of a command's own time on the processor goes into imports and the packing
of the module. A copy (fork(2)) is made before anything was read but Ansible's configuration, so it does what the command does; what
copies of one origin share is the folder for temporary files, where Ansible keeps packed modules.

Run as a program, it is such an origin: it listens on the socket that it inherits, and ends with its standard input.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

#: What each command runs: Ansible's own entry point.
CLASSES = {"ansible": "ansible.cli.adhoc.AdHocCLI", "ansible-playbook": "ansible.cli.playbook.PlaybookCLI"}
_ALSO_IMPORTED = (
    "ansible.executor.task_queue_manager",
    "ansible.executor.module_common",
    "ansible.executor.playbook_executor",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.action.normal",
    "ansible.plugins.callback.minimal",
    "ansible.plugins.callback.default",
    "ansible.plugins.inventory.yaml",
)


class Origin:
    """A process that has imported Ansible in one environment, of which copies are made; it ends with the tests."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._listener = folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._listener))
            listener.listen()
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(listener.fileno())],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
            )

    def run(self, name: str, words: Sequence[str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a folder. subprocess.TimeoutExpired where it takes longer, in seconds."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, socket.socket(socket.AF_UNIX) as copy:
            copy.settimeout(timeout)
            copy.connect(str(self._listener))
            message = json.dumps([name, list(words), str(folder)]).encode()
            socket.send_fds(copy, [len(message).to_bytes(4, "big")], [out.fileno(), err.fileno()])
            copy.sendall(message)
            pid = int.from_bytes(_received(copy, 4), "big")
            try:
                code = int.from_bytes(_received(copy, 1), "big")
            except TimeoutError as late:
                os.killpg(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([name, *words], timeout) from late
            told = []
            for stream in (out, err):
                stream.seek(0)
                told.append(stream.read().decode("utf-8"))
        return subprocess.CompletedProcess([name, *words], code, *told)


class Warm:
    """Origins by environment, for Ansible reads its settings when it is imported. Environments beyond the first few get none."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._folder = tempfile.TemporaryDirectory(prefix="podfleet-")
        self._origins: dict[tuple[tuple[str, str], ...], Origin] = {}
        self._lock = threading.Lock()

    def origin(self, environment: Mapping[str, str]) -> Origin | None:
        """The origin for an environment; None where there are too many already."""
        key = tuple(sorted(environment.items()))
        with self._lock:
            if key not in self._origins and len(self._origins) < self._most:
                folder = Path(self._folder.name, str(len(self._origins)))
                folder.mkdir()
                self._origins[key] = Origin(environment, folder)
            return self._origins.get(key)


def _received(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise RuntimeError("a copy of Ansible ended before its answer")
        data += piece
    return data


def _serve(listener: socket.socket) -> None:
    for name in (*(path.rpartition(".")[0] for path in CLASSES.values()), *_ALSO_IMPORTED):
        with contextlib.suppress(ModuleNotFoundError):  # Another release of Ansible: that copy imports it by itself.
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for copies: their answer is what counts.
    while True:
        ready, _writable, _errors = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _address = listener.accept()
        if os.fork() == 0:
            listener.close()
            _copy(connection)
        connection.close()


def _copy(connection: socket.socket) -> None:
    """Be the command: its session, folder and streams; answer with the process's number, and at the end with the exit code."""
    code = 255
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        size, streams, _flags, _address = socket.recv_fds(connection, 4, 2)
        name, words, folder = json.loads(_received(connection, int.from_bytes(size, "big")))
        for stream, number in zip((os.open(os.devnull, os.O_RDONLY), *streams), (0, 1, 2)):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        sys.argv = [name, *words]
        connection.sendall(os.getpid().to_bytes(4, "big"))
        module, _, command = CLASSES[name].rpartition(".")
        getattr(importlib.import_module(module), command).cli_executor(sys.argv)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except (ImportError, LookupError, OSError, RuntimeError, ValueError):
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(code.to_bytes(1, "big"))
        # Not through what waits for the origin's own end: its temporary files are those of all copies.
        os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
