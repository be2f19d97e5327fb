#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of a whole fleet beside `ansible all -m command -a "podman auto-update --dry-run"`: requests and wall time.

Hosts are far from the controller and from the registry: a proxy before each adds the round trip. Every run is verified.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import checkout  # noqa: F401 (makes the lab importable)
from commands import CommandError, ansible
from contenders import kind
from lablib import packages, units
from lablib.errors import LabError
from lablib.host import Host
from lablib.images import ImageMaker
from lablib.lab import Lab
from lablib.paths import GATEWAY
from lablib.proxy import FaultProxy
from lablib.registry import Registry
from testbed import LANE, BenchError

_REGISTRY_PORT, _PROXY_PORT = (5149 + 20 * (LANE - 1), 5148 + 20 * (LANE - 1)) if LANE else (5121, 5120)
#: Before the hosts' SSH: only the controller connects there.
_SSH_PORTS = 5600 + 20 * LANE
_DEFAULT_HOSTS = "trixie-1,trixie-2,trixie-3,bookworm-1,bookworm-2,bookworm-3"
#: Images are for several, as most public ones are.
_PLATFORMS = ("linux/amd64", "linux/arm64")
_LONGEST_SECONDS = 600
_SAYS_FALSE = re.compile(r"\bfalse\s*$", re.MULTILINE)


@dataclass
class Series:
    """The runs of one command: seconds, and requests by kind."""

    title: str
    seconds: list[float] = field(default_factory=list)
    requests: list[dict[str, int]] = field(default_factory=list)

    @property
    def asked(self) -> float:
        """Requests of a run."""
        return median(sum(one.values()) for one in self.requests)


@dataclass(frozen=True)
class Fleet:
    """Hosts full of containers behind slow proxies. Make it by C(prepared)."""

    lab: Lab
    registry: Registry
    inventory: Path
    hosts: tuple[Host, ...]
    containers: int

    def ping(self, series: Series) -> None:
        """`ansible -m ping`: what Ansible alone takes."""
        output = self._timed(series, "ansible", "bench", "-m", "ping")
        _must(output.count('"pong"'), len(self.hosts), "hosts that answered the ping")

    def podman(self, series: Series) -> None:
        """`podman auto-update --dry-run` on every host; nothing may be new anywhere."""
        output = self._timed(series, "ansible", "bench", "-m", "command", "-a", "podman auto-update --dry-run")
        _must(
            len(_SAYS_FALSE.findall(output)), len(self.hosts) * self.containers, "containers that podman calls current"
        )

    def plan(self, series: Series) -> None:
        """The playbook plan; it must be empty, and know every container."""
        output = self._timed(series, "ansible-playbook", "podfleet.autoupdate.plan", "-e", "rollout_hosts=bench")
        told = re.search(r"(\d+) containers on (\d+) hosts? \((\d+) current\): nothing to do", " ".join(output.split()))
        found = tuple(map(int, told.groups())) if told else ()
        wanted = len(self.hosts) * self.containers
        if found != (wanted, len(self.hosts), wanted):
            raise BenchError(f"the plan should find {wanted} current containers:\n{output[-3000:]}")

    def _timed(self, series: Series, program: str, *words: str) -> str:
        mark = self.registry.mark()
        try:
            ended = ansible(program, *words, f"-i{self.inventory}", f"-f{len(self.hosts)}")
        except CommandError as problem:
            raise BenchError(str(problem)) from None
        series.seconds.append(ended.seconds)
        series.requests.append(
            dict(collections.Counter(kind(one.method, one.path) for one in self.registry.requests(mark)))
        )
        return ended.output


@contextlib.contextmanager
def prepared(
    names: t.Sequence[str],
    containers: int,
    images: int,
    platforms: t.Sequence[str],
    delay_ms: float,
    say: t.Callable[[str], None],
) -> t.Iterator[Fleet]:
    """The fleet, with everything running; afterwards its hosts are empty, and proxies and registry are gone."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{packages.SEARCH_PATH}"
    lab = Lab.open()
    os.environ["PODFLEET_CACHE"] = str(lab.paths.cache.parent)
    hosts = tuple(lab.host(name) for name in names)
    registry = Registry(lab.paths, f"bench-fleet-registry-{LANE}", _REGISTRY_PORT)
    inventory = lab.paths.run / f"bench-fleet-{LANE}.json"
    with contextlib.ExitStack() as stack:
        stack.callback(_forget, registry, inventory)
        registry.start()
        proxies = [stack.enter_context(FaultProxy((GATEWAY, _REGISTRY_PORT), (GATEWAY, _PROXY_PORT)))]
        maker = ImageMaker(registry.address)
        for number in range(images):
            maker.push(_image(number), "stable", version=f"{time.time_ns()}", platforms=platforms)
        for host in dict.fromkeys(hosts):
            say(f"starting {containers} containers on {host.name}")
            units.reset(host)
            stack.callback(units.reset, host)
            references = [f"{GATEWAY}:{_PROXY_PORT}/{_image(number % images)}:stable" for number in range(containers)]
            specs = [units.ContainerSpec(f"bench-{number:02}", one) for number, one in enumerate(references)]
            units.deploy_many(host, "bench-fleet", specs, timeout=_LONGEST_SECONDS)
        far = {}
        for number, host in enumerate(hosts):
            listen = (GATEWAY, _SSH_PORTS + number)
            proxies.append(stack.enter_context(FaultProxy((host.address, 22), listen)))
            far[f"far-{number}-{host.name}"] = {
                "ansible_host": listen[0],
                "ansible_port": listen[1],
                "ansible_ssh_extra_args": f"-oHostKeyAlias={host.address}",
            }
        _write_inventory(lab, inventory, far)
        for proxy in proxies:
            proxy.delay_ms = delay_ms
        yield Fleet(lab, registry, inventory, hosts, containers)


def _write_inventory(lab: Lab, inventory: Path, far: t.Mapping[str, t.Mapping[str, object]]) -> None:
    """The hosts behind their proxies, reached as the lab's inventory reaches them."""
    told = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), f"-i{lab.inventory}", "--list", "--export"],
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=True,
    )
    variables = json.loads(told.stdout)["lab"]["vars"]
    inventory.write_text(json.dumps({"bench": {"vars": variables, "hosts": far}}), encoding="utf-8")


def _image(number: int) -> str:
    return f"bench-fleet-{number:02}"


def _forget(registry: Registry, inventory: Path) -> None:
    registry.stop()
    shutil.rmtree(registry.paths.registry_data / registry.name, ignore_errors=True)
    inventory.unlink(missing_ok=True)


def _must(found: int, wanted: int, what: str) -> None:
    if found != wanted:
        raise BenchError(f"there should be {wanted} {what}, and there are {found}")


def main(words: t.Sequence[str]) -> int:
    """Return the exit code: 0 if everything was done and verified."""
    parser = argparse.ArgumentParser(prog="fleet.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--hosts",
        default=_DEFAULT_HOSTS,
        help="lab hosts; all on them is removed; one that is named again is one more entry of the inventory (default %(default)s)",
    )
    parser.add_argument("--containers", type=int, default=20, metavar="N", help="of each host (default %(default)s)")
    parser.add_argument("--images", type=int, default=15, metavar="N", help="distinct ones (default %(default)s)")
    parser.add_argument(
        "--single-platform", action="store_true", help="images that are no index, which cost podman less"
    )
    parser.add_argument("--delay-ms", type=float, default=40.0, metavar="MS", help="round trip (default %(default)s)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="measured runs of each (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    options = parser.parse_args(words)
    if os.geteuid() != 0:
        print("The benchmark needs the lab, and the lab needs root.")
        return 2
    all_series = [Series("ansible -m ping"), Series("podman auto-update --dry-run"), Series("podfleet.autoupdate.plan")]
    ping, peer, ours = all_series
    try:
        names = options.hosts.split(",")
        platforms = _PLATFORMS[:1] if options.single_platform else _PLATFORMS
        with prepared(names, options.containers, options.images, platforms, options.delay_ms, _say) as fleet:
            for number in range(options.runs + 1):
                # The first of each fills caches and opens connections.
                pings, peers, plans = (ping, peer, ours) if number else (Series(""), Series(""), Series(""))
                fleet.ping(pings)
                fleet.podman(peers)
                fleet.plan(plans)
                _say(f"run {number}: " + ", ".join(f"{one.seconds[-1]:.2f} s" for one in (pings, peers, plans)))
    except (BenchError, LabError, subprocess.SubprocessError) as problem:
        print(f"The benchmark stopped: {problem}")
        return 1
    print(
        f"\n{len(names)} hosts with {options.containers} containers each, {options.images} distinct images"
        f" ({'of one platform' if options.single_platform else 'multi-platform'}), nothing new;"
        f" {options.delay_ms:g} ms round trip to the hosts and to the registry; medians of {options.runs};"
        f" {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}.\n"
    )
    for one in all_series:
        by_kind = ", ".join(f"{count} {name}" for name, count in sorted(one.requests[-1].items())) or "none"
        print(f"{one.title:30}  {median(one.seconds):7.2f} s  {one.asked:5g} requests ({by_kind})")
    seconds = median(peer.seconds) / median(ours.seconds)
    print(f"\nRatio of requests: {peer.asked / ours.asked:.1f}. Ratio of wall time: {seconds:.2f}.")
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in all_series], indent=1) + "\n", encoding="utf-8")
    return 0


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
