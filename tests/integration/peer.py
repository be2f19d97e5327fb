# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ``podman auto-update`` on a lab host, and read what it said: what this collection is measured against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from lablib.host import Host

LABEL = "io.containers.autoupdate"
#: The settings of an image that says itself when it is ready, and the options with which it can: by the host's own systemd-notify.
TELLS = {"Entrypoint": ["/bin/sh", "-c", "/usr/bin/systemd-notify --ready; exec /entry"]}
HEARD = ("--sdnotify=container", *(f"--volume={place}:{place}:ro" for place in ("/usr", "/lib", "/lib64")))


@dataclass(frozen=True)
class Peer:
    """One run of podman's command. ``rows`` is empty where it printed no table at all."""

    rc: int
    stdout: str
    stderr: str
    rows: tuple[Mapping[str, str], ...]

    @property
    def updated(self) -> dict[str, str]:
        """Container name → the word in its column UPDATED."""
        assert len({row["ContainerName"] for row in self.rows}) == len(self.rows), "a container has two rows"
        return {row["ContainerName"]: row["Updated"] for row in self.rows}

    @property
    def pulls(self) -> int:
        """How many images it began to pull."""
        return self.stderr.count("Trying to pull")

    def said(self, rc: int, **updated: str) -> Peer:
        """The run itself, with that exit code; keywords are container names without «it-», with the word of each."""
        expected = {f"it-{name}": word for name, word in updated.items()}
        assert (self.rc, self.updated) == (rc, expected), f"{self.stdout}\n--- stderr\n{self.stderr}"
        return self


def podman(host: Host, *options: str, env: Mapping[str, str] | None = None) -> Peer:
    """``podman auto-update`` with options."""
    done = host.run(["podman", "auto-update", "--format=json", *options], check=False, timeout=100, env=env)
    rows = tuple(json.loads(done.stdout)) if done.stdout.strip() else ()
    return Peer(done.returncode, done.stdout, done.stderr, rows)


def started(host: Host, unit: str, text: str) -> None:
    """Write a unit of the test's own and start it; the lab takes it off the host again."""
    host.write(f"/etc/systemd/system/{unit}", f"# A unit of the podfleet lab\n{text}")
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", unit])


def run_line(name: str, image: str, *options: str, policy: str = "registry") -> str:
    """The command of a unit that makes its container at each start."""
    given = " ".join((f"--label={LABEL}={policy}", *options))
    return f"/usr/bin/podman run --detach --replace --name={name} {given} {image}"


def await_running(host: Host, container: str) -> None:
    """podman is content when the unit that it restarts has started; units that systemd takes along start after it."""
    find = f"for each in $(seq 100); do podman ps -q --filter=name=^{container}$ | grep -q . && exit; sleep 0.1; done"
    host.run(["sh", "-c", find], check=False)
