# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates that need the lab's real hosts: integration tests, Molecule scenarios, benchmarks."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import places
import trees
import unsteady
import venvs
from running import GateError, Lane, Log, locked

DISTRIBUTIONS = ("trixie", "bookworm")
#: Of each distribution.
INTEGRATION_HOSTS = 2
#: Of each distribution, for the tests that need several hosts at once. They come after those of the others.
FLEET_HOSTS = 3
FLEET_TESTS = "test_rollout*.py"
#: What `make bench` runs, in this order; fleet needs three hosts of each distribution.
BENCHES = ("bench", "images", "fleet", "fleet_scale")
_BENCHES_WITHOUT_LAB = ("fleet_scale",)
#: A lane of tests takes up to an hour on two busy cores. A test that hangs is ended by a bound of its own.
_LONGEST_LANE_SECONDS = 5400
_SCENARIOS = places.ROOT / "extensions" / "molecule"


def integration_lanes() -> list[Lane]:
    """A lane for each host: most of the time is spent waiting for it. Each takes every so many-th file.

    Tests of a fleet have hosts of their own, and are one lane.
    """
    each = [
        Lane(f"pytest on {one}-{number}", functools.partial(_integration, one, number))
        for number in range(1, INTEGRATION_HOSTS + 1)
        for one in DISTRIBUTIONS
    ]
    return [*each, Lane("pytest on a fleet", _fleet)]


def molecule_lanes() -> list[Lane]:
    return [Lane("scenarios on the lab", _molecule, live=True)]


def bench_lanes() -> list[Lane]:
    return [Lane("figures", _bench, live=True)]


def up(log: Log, hosts: int = 1) -> None:
    """So many hosts of each distribution; what runs already is kept."""
    log.run([sys.executable, places.LAB, "install"], env=_lab_environment(), timeout=1800)
    for distribution in DISTRIBUTIONS:
        log.run(
            [sys.executable, places.LAB, "up", f"--hosts={hosts}", "--distro", distribution, "--secure-registry"],
            env=_lab_environment(),
            timeout=1800,
        )


def _integration(distribution: str, number: int, log: Log) -> None:
    """The tests of one host. What fails there among others is tried once more alone, and named if it passes then."""
    tests = integration_files()[number - 1 :: INTEGRATION_HOSTS]
    # Every test has the distribution in its name: the fixture's parameter.
    _pytest(log, f"{distribution}-{number}", ["-k", distribution], tests, {"PODFLEET_LANE": str(number)})


def _fleet(log: Log) -> None:
    """The tests of several hosts."""
    numbers = range(INTEGRATION_HOSTS + 1, INTEGRATION_HOSTS + FLEET_HOSTS + 1)
    tests = sorted((places.ROOT / "tests" / "integration").rglob(FLEET_TESTS))
    _pytest(log, "fleet", [], tests, {"PODFLEET_FLEET": ",".join(map(str, numbers))})


def integration_files() -> list[Path]:
    """The files of tests that need one host."""
    folder = places.ROOT / "tests" / "integration"
    return sorted(set(folder.rglob("test_*.py")) - set(folder.rglob(FLEET_TESTS)))


def _pytest(log: Log, name: str, only: list[str], tests: list[Path], variables: t.Mapping[str, str]) -> None:
    if not tests:
        raise GateError("tests/integration has no tests")
    binaries, env = _room_on_the_lab(venvs.INTEGRATION, log, INTEGRATION_HOSTS + FLEET_HOSTS)
    env = {**env, **variables}
    cache = places.part("pytest", name)
    shutil.rmtree(cache)
    command: list[str | Path] = [
        binaries / "python",
        "-m",
        "pytest",
        "-o",
        f"cache_dir={cache}",
        "--durations=10",
        *only,
        *tests,
    ]
    unsteady.twice(
        "integration",
        lambda: log.run(command, env=env, timeout=_LONGEST_LANE_SECONDS),
        log,
        failed_tests=lambda: _failed_tests(cache),
        again=lambda: log.run([*command, "--last-failed"], env=env),
    )


def _failed_tests(cache: Path) -> list[str]:
    """What pytest notes of its last run; nothing where it did not come so far."""
    try:
        return sorted(json.loads((cache / "v" / "cache" / "lastfailed").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []


def _molecule(log: Log) -> None:
    scenarios = sorted(path.parent.name for path in _SCENARIOS.glob("*/molecule.yml"))
    if not scenarios:
        raise GateError("extensions/molecule has no scenarios")
    binaries, env = _room_on_the_lab(venvs.MOLECULE, log)
    log.run([binaries / "molecule", "test", "--all"], env=env | {"NO_COLOR": "1"})


def _bench(log: Log) -> None:
    for script, options in benches(os.environ.get("PODFLEET_BENCH", "")):
        if not script.exists():
            raise GateError(f"tests/bench/{script.name} is missing")
        # What needs no lab waits for none.
        binaries, env = _bench_room(log, lab=script.stem not in _BENCHES_WITHOUT_LAB)
        log.run([binaries / "python", script, *options], env=env)


def benches(chosen: str) -> list[tuple[Path, list[str]]]:
    """The scripts to run, each with its options: all of them, or the one that C(PODFLEET_BENCH) names first.

    Options alone are those of C(bench): C(--growth) is C(bench --growth).
    """
    folder = places.ROOT / "tests" / "bench"
    words = shlex.split(chosen)
    if not words:
        return [(folder / f"{name}.py", []) for name in BENCHES]
    name, options = ("bench", words) if words[0].startswith("-") else (words[0], words[1:])
    if name not in BENCHES:
        raise GateError(f"PODFLEET_BENCH: {name} is none of {', '.join(BENCHES)}")
    return [(folder / f"{name}.py", options)]


def _bench_room(log: Log, *, lab: bool) -> tuple[Path, dict[str, str]]:
    if lab:
        return _room_on_the_lab(venvs.INTEGRATION, log, FLEET_HOSTS)
    trees.link()
    return venvs.tool(venvs.INTEGRATION, log)


def _room_on_the_lab(room: venvs.Room, log: Log, hosts: int = 1) -> tuple[Path, dict[str, str]]:
    """A running lab, a virtual environment, and an environment in which Ansible finds this checkout and the lab's hosts."""
    binaries, env = venvs.tool(room, log)
    collections = trees.link()
    with locked("lab", log):
        up(log, hosts)
    return binaries, env | {
        "ANSIBLE_CONFIG": str(places.ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "PYTHONPATH": str(collections),
        "PODFLEET_CACHE": str(places.cache()),
        "PODFLEET_LAB_INVENTORY": _inventory(),
    }


def _inventory() -> str:
    command = [sys.executable, str(places.LAB), "inventory"]
    told = subprocess.run(command, env=_lab_environment(), capture_output=True, text=True, timeout=60, check=False)
    if told.returncode != 0 or not told.stdout.strip():
        raise GateError(f"the lab tells no inventory: {told.stderr.strip()}")
    return told.stdout.strip().splitlines()[-1]


def _lab_environment() -> t.Mapping[str, str]:
    """The caller's own: the lab works with the machine's podman, not with the gates' private home."""
    return {**os.environ, "HOME": str(places.user_home()), "PODFLEET_CACHE": str(places.cache())}
