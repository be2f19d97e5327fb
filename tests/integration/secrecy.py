# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch, in every test, that no secret is seen: not in a command line on a host, nor in its journal, nor in what Ansible prints.

Every child that a Python process of a host starts is written down by that Python itself (an audit hook, PEP 578), so that none is too
short-lived. What those start in turn is told by the kernel's process connector, where the tests may listen to it: each program
is looked at when it has just begun, so one that ends within a fraction of a millisecond may be missed there.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from lablib.host import Host

_PLACE = "/var/lib/podfleet-integration-children"
_PACKAGES = "/usr/lib/python3/dist-packages"
_NAME = "podfleet_integration_children"
_HOOK = f"""import os, sys

def _words(event, args):
    if event == "subprocess.Popen":
        return args[1]
    if event in ("os.exec", "os.posix_spawn"):
        return args[1]
    if event == "os.spawn":
        return args[2]
    return args[0] if event == "os.system" else None

def _hook(event, args):
    words = _words(event, args)
    if words is None:
        return
    words = [words] if isinstance(words, (str, bytes, os.PathLike)) else list(words)
    line = b" ".join(os.fsencode(word).replace(b"\\n", b" ") for word in words)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:  # What is watched must not fail for it.
        descriptor = os.open(f"{_PLACE}/{{os.geteuid()}}", flags, 0o600)
        os.write(descriptor, line + b"\\n")
        os.close(descriptor)
    except OSError:
        pass

if os.path.isdir("{_PLACE}"):
    sys.addaudithook(_hook)
"""
_INSTALL = f"""mkdir -p {_PLACE}; chmod 1777 {_PLACE}; rm -f {_PLACE}/*
cat > {_PACKAGES}/{_NAME}.py; echo 'import {_NAME}' > {_PACKAGES}/{_NAME}.pth"""
_REMOVE = f"rm -rf {_PLACE} {_PACKAGES}/{_NAME}.py {_PACKAGES}/{_NAME}.pth"
_READ = f"cat {_PLACE}/* 2> /dev/null; true"
_JOURNAL = """exec 3<&0; journalctl --sync
journalctl --quiet --no-pager --since=@{since:.3f} | grep --text --fixed-strings --file=/dev/fd/3; true"""
#: A shorter word is no secret: it stands in texts by chance.
_SHORTEST = 8
_KEYS = ("password", "identity_token")

#: From linux/connector.h and linux/cn_proc.h: the connector's protocol, its group, and what it says.
_NETLINK_CONNECTOR, _GROUP, _EXEC = 11, 1, 2
_LISTEN = struct.pack("=IIIIHHI", _GROUP, 1, 0, 0, 4, 0, 1)
_EVENT = struct.Struct("=16x20xIIQi")

_known: set[str] = set()


def know(*secrets: str) -> None:
    """These are secret from now on, whoever uses them."""
    _known.update(one for one in secrets if len(one) >= _SHORTEST)


def forget(secret: str) -> None:
    """It was none."""
    _known.discard(secret)


def know_credentials(arguments: object) -> None:
    """What a module is given as a secret, and how it travels together with the name."""
    if isinstance(arguments, Mapping):
        for key in _KEYS:
            secret = arguments.get(key)
            if isinstance(secret, str) and "{{" not in secret:
                know(secret, base64.b64encode(f"{arguments.get('username')}:{secret}".encode()).decode())
        for value in arguments.values():
            know_credentials(value)
    elif isinstance(arguments, (list, tuple)):
        for value in arguments:
            know_credentials(value)


def told_in(text: str) -> list[str]:
    """The lines that tell a secret."""
    return [line for line in text.splitlines() if any(secret in line for secret in _known)]


class Watch:
    """Watches the hosts that it is told of."""

    def __init__(self) -> None:
        self._hosts: dict[str, float] = {}
        self.connector = Connector()

    def begin(self, host: Host) -> None:
        """Before each test."""
        if host.name not in self._hosts:
            host.run(["sh", "-ec", _INSTALL], input=_HOOK)
        self._hosts[host.name] = time.time()

    def children(self, host: Host) -> list[str]:
        """The command lines of what Python started there during this test."""
        return host.run(["sh", "-c", _READ]).stdout.splitlines()

    def end(self, host: Host) -> None:
        """After each test: whether anything was seen."""
        since = self._hosts[host.name]
        script = f"{_READ}; rm -f {_PLACE}/*; echo; {_JOURNAL.format(since=since)}"
        seen = host.run(["sh", "-c", script], input="".join(f"{one}\n" for one in sorted(_known))).stdout
        told = told_in(seen) + self.connector.take()
        assert not told, f"a secret was seen on {host.name}: {told}"

    def leave(self, host: Host) -> None:
        """After all tests."""
        self._hosts.pop(host.name, None)
        host.run(["sh", "-c", _REMOVE])


class Connector:
    """Command lines of all that is begun in another PID namespace than the tests', as the lab's hosts are; told ones are kept."""

    def __init__(self) -> None:
        self.heard = 0
        self._told: list[str] = []
        self._home = os.stat("/proc/self/ns/pid").st_ino
        with contextlib.suppress(OSError):  # Not root, or no such kernel: the hooks remain.
            connector = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_CONNECTOR)
            connector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            connector.bind((0, _GROUP))
            connector.send(struct.pack("=IHHII", 16 + len(_LISTEN), 3, 0, 0, 0) + _LISTEN)
            threading.Thread(target=self._listen, args=(connector,), daemon=True).start()

    def take(self) -> list[str]:
        """What told a secret since the last time."""
        taken, self._told = self._told, []
        return taken

    def _listen(self, connector: socket.socket) -> None:
        while True:
            try:
                message = connector.recv(4096)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue  # Some were lost, the next are not.
            what, _processor, _time, pid = _EVENT.unpack_from(message)
            if what == _EXEC:
                self._look(pid)

    def _look(self, pid: int) -> None:
        place = Path("/proc", str(pid))
        with contextlib.suppress(OSError):
            if os.stat(place / "ns" / "pid").st_ino == self._home:
                return
            line = place.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            self.heard += 1
            self._told += told_in(line)
