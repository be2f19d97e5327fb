# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab host: run commands in it, write and read its files."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import entering
from .commands import as_text
from .engine import Engine
from .errors import HostCommandError, LabError

# Addresses: the gateway is .1; each distribution has a range, so that a host's address follows from its name.
_FIRST_ADDRESS = {"trixie": 10, "bookworm": 100}
MAX_HOSTS = 80
_NETWORK = "10.78.0."
_BOOT_TIMEOUT = 90.0


@dataclass(frozen=True)
class Host:
    """A container that boots systemd and behaves as a machine."""

    name: str
    distro: str
    address: str
    engine: Engine = field(repr=False, compare=False)

    @classmethod
    def number(cls, distro: str, number: int, engine: Engine) -> Host:
        return cls(f"{distro}-{number}", distro, f"{_NETWORK}{_FIRST_ADDRESS[distro] + number}", engine)

    @classmethod
    def named(cls, name: str, engine: Engine) -> Host | None:
        """The host of that name, or None when the name is not one of a lab host."""
        distro, _, number = name.partition("-")
        if distro not in _FIRST_ADDRESS or not number.isdigit():
            return None
        return cls.number(distro, int(number), engine)

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,
        timeout: float = 60,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` as root (or ``user``) in the host. What takes too long is killed in there too, not just its client out here."""
        bounded = ["timeout", "--kill-after=1", str(timeout), *argv]
        if user:
            options = [f"--user={user}", *(["--interactive"] if input is not None else [])]
            options += [f"--env={key}={value}" for key, value in (env or {}).items()]
            wrapped = self.engine.argv("exec", *options, self.name, *bounded)
        else:
            wrapped = entering.command(self.engine, self.name, bounded, env or {})
        started = time.monotonic()
        try:
            done = subprocess.run(
                wrapped,
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                input=input or "",
                timeout=timeout + 15,
                env=self.engine.environment(),
            )
        except subprocess.TimeoutExpired as late:
            raise HostCommandError(argv, None, as_text(late.stdout), as_text(late.stderr), self.name) from late
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        if code in (124, 137) and time.monotonic() - started >= timeout:
            raise HostCommandError(argv, None, done.stdout, done.stderr, self.name)
        if check and code != 0:
            raise HostCommandError(argv, code, done.stdout, done.stderr, self.name)
        return subprocess.CompletedProcess(list(argv), code, done.stdout, done.stderr)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file, with its folders."""
        place = shlex.quote(path)
        self.run(["sh", "-c", f'mkdir -p "$(dirname {place})" && cat > {place} && chmod {mode:o} {place}'], input=text)

    def read(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    def restart(self) -> None:
        """Reboot: systemd stops everything in order, and boots anew. What is on its disks stays."""
        self._boot_anew(stop_seconds=60)

    def power_cut(self) -> None:
        """Everything ends at once, nothing in order; then it boots anew. What had reached its disks stays."""
        self._boot_anew(stop_seconds=0)

    def _boot_anew(self, *, stop_seconds: int) -> None:
        self.engine.run("restart", f"--time={stop_seconds}", self.name, timeout=120)
        self.wait_until_booted(accept_degraded=True)
        # Its network card is another one, and the machine knows the old one's address until it hears of the new one.
        self.run(["timeout", "2", "bash", "-c", f": > /dev/tcp/{_NETWORK}1/5000"], check=False)

    def wait_until_booted(self, timeout: float = _BOOT_TIMEOUT, *, accept_degraded: bool = False) -> None:
        """Until systemd says that it has started everything. In a fresh host nothing has a reason to fail; in a used one it may."""
        deadline = time.monotonic() + timeout
        answer = ""
        while time.monotonic() < deadline:
            done = self.engine.run(
                "exec", self.name, "timeout", "20", "systemctl", "is-system-running", "--wait", check=False, timeout=30
            )
            answer = done.stdout.strip() or done.stderr.strip()
            if answer == "running" or (accept_degraded and answer == "degraded"):
                return
            if answer == "degraded":
                failed = self.run(["systemctl", "--failed", "--no-legend", "--plain"]).stdout.strip()
                raise LabError(
                    f"{self.name} booted, but units failed:\n{failed}\nsee «lab.py shell {self.name}», journalctl -b"
                )
            time.sleep(0.1)
        raise LabError(
            f"{self.name} did not boot in {timeout:.0f} s (systemd says «{answer}»); see «lab.py shell {self.name}»"
        )
