# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real registry, as a daemon on the lab's gateway, with its access log readable for tests."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import keys, state
from .errors import LabError
from .paths import GATEWAY, PLAIN_PORT, SECURE_PORT, LabPaths
from .processes import is_alive, start_daemon, stop_daemon

PLAIN, SECURE = "registry", "secure-registry"
_START_TIMEOUT = 20.0
_ACCESS_LINE = re.compile(r'^(\S+) \S+ \S+ \[[^\]]*\] "(\S+) (\S+) [^"]*" (\d{3}) \d+ "[^"]*" "(.*)"$')


@dataclass(frozen=True)
class Request:
    """One request that the registry answered. ``path`` includes the query."""

    method: str
    path: str
    status: int
    user_agent: str
    remote: str


def parse_access_line(line: str) -> Request | None:
    """A line of the combined log format, which the registry writes once per request, whatever the outcome."""
    match = _ACCESS_LINE.match(line)
    if match is None:
        return None
    remote, method, path, status, agent = match.groups()
    return Request(method, path, int(status), agent.replace('\\"', '"'), remote)


@dataclass(frozen=True)
class Registry:
    """The plain registry; stop() and start() make an outage."""

    paths: LabPaths
    name: str = PLAIN
    port: int = PLAIN_PORT

    @property
    def address(self) -> str:
        return f"{GATEWAY}:{self.port}"

    @property
    def access_log(self) -> Path:
        return self.paths.run / f"{self.name}.access.log"

    @property
    def error_log(self) -> Path:
        return self.paths.run / f"{self.name}.error.log"

    def configuration(self) -> str:
        return f"""version: 0.1
log:
  level: info
  formatter: json
storage:
  filesystem:
    rootdirectory: {self.paths.registry_data / self.name}
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: {self.address}
  secret: not-a-secret-one-instance-only
"""

    def is_running(self) -> bool:
        current = state.load(self.paths)
        record = (current.daemons or {}).get(self.name) if current else None
        return record is not None and is_alive(record)

    def start(self) -> None:
        """Returns when it answers; does nothing when it already runs."""
        with state.locked():
            self.start_locked()

    def start_locked(self) -> None:
        """As start(), for a caller that holds the lab's lock."""
        current = state.load(self.paths)
        if current is None:
            raise LabError("the lab is down, so its registry cannot start; «lab.py up» first")
        known = (current.daemons or {}).get(self.name)
        if known is not None and is_alive(known):
            return
        program = shutil.which("docker-registry") or shutil.which("registry")
        if program is None:
            raise LabError(
                "neither docker-registry (Debian) nor registry (Fedora's docker-distribution) is installed; «lab.py install» installs it"
            )
        (self.paths.registry_data / self.name).mkdir(parents=True, exist_ok=True)
        settings = self.paths.run / f"{self.name}.yml"
        settings.write_text(self.configuration(), encoding="utf-8")
        record = start_daemon([program, "serve", str(settings)], stdout=self.access_log, stderr=self.error_log)
        state.save(self.paths, current.with_daemon(self.name, record))
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            if not is_alive(record):
                break
            if self._answers():
                return
            time.sleep(0.02)
        log = self.error_log.read_text(encoding="utf-8", errors="replace")[-1500:]
        raise LabError(
            f"{self.name} does not answer at {self.address}; does another program listen there? Its log ends:\n{log}"
        )

    def stop(self) -> None:
        """Connections are then refused; what was pushed stays."""
        with state.locked():
            self.stop_locked()

    def stop_locked(self) -> None:
        current = state.load(self.paths)
        record = (current.daemons or {}).get(self.name) if current else None
        if current is None or record is None:
            return
        stop_daemon(record)
        state.save(self.paths, current.with_daemon(self.name, None))

    def mark(self) -> int:
        """Now, as a place in the access log."""
        self._settle()
        return self.access_log.stat().st_size if self.access_log.exists() else 0

    def requests(self, since: int = 0) -> list[Request]:
        """What was asked since the mark, in order of completion."""
        self._settle()
        if not self.access_log.exists():
            return []
        with self.access_log.open("rb") as stream:
            stream.seek(since)
            text = stream.read().decode("utf-8", "replace")
        return [request for request in map(parse_access_line, text.splitlines()) if request]

    def _settle(self) -> None:
        """A client may have its answer a moment before the registry has logged it."""
        size = -1
        for _attempt in range(25):
            now = self.access_log.stat().st_size if self.access_log.exists() else 0
            if now == size:
                return
            size = now
            time.sleep(0.02)

    def _answers(self) -> bool:
        # No request: it would stand in the access log of the tests.
        try:
            socket.create_connection((GATEWAY, self.port), timeout=1).close()
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class SecureRegistry(Registry):
    """The same with TLS from the lab's CA, and a password."""

    name: str = SECURE
    port: int = SECURE_PORT
    password: str = field(default="", repr=False)
    username: str = keys.SECURE_USER

    @property
    def ca_path(self) -> Path:
        return self.paths.tls / "ca.crt"

    def configuration(self) -> str:
        passwords = self.paths.tls / "htpasswd"
        keys.write_htpasswd(passwords, self.username, self.password)
        tls = f"  tls:\n    certificate: {self.paths.tls / 'server.crt'}\n    key: {self.paths.tls / 'server.key'}\n"
        return super().configuration() + tls + f"auth:\n  htpasswd:\n    realm: lab\n    path: {passwords}\n"

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.ca_path))
        try:
            with (
                socket.create_connection((GATEWAY, self.port), timeout=1) as plain,
                context.wrap_socket(plain, server_hostname=GATEWAY),
            ):
                return True
        except OSError:
            return False
