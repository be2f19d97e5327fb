# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared: podman's own auto-update, and the collection's engine without Ansible. Each proves what it did."""

from __future__ import annotations

import collections
import json
import typing as t
from dataclasses import dataclass

from installing import FOLDER, MEASURE, install_engine, remove_engine
from testbed import BenchError, Testbed

#: How many requests and units at once: the default, and what the wide runs make.
WIDTH, WIDE = 8, 20


@dataclass(frozen=True)
class Run:
    """One measured run. Spans are in seconds, memory is in KiB; the engine's own figures are None for the peer."""

    seconds: float
    largest_process_kib: int
    requests: t.Mapping[str, int]
    import_seconds: float | None = None
    run_seconds: float | None = None
    own_memory_kib: int | None = None

    @property
    def span_seconds(self) -> float | None:
        """The engine's own time: its imports and its run, without the interpreter's start."""
        if self.import_seconds is None or self.run_seconds is None:
            return None
        return self.import_seconds + self.run_seconds


class Contenders:
    """Runs either of them on the host, behind the same proxy, and checks that it told the truth."""

    def __init__(self, bed: Testbed) -> None:
        self._bed = bed

    def install_engine(self) -> None:
        """Copy what is measured to the host."""
        install_engine(self._bed.host, "measure.py", "engine.py")

    def remove_engine(self) -> None:
        """Leave nothing on the host."""
        remove_engine(self._bed.host)

    def podman_check(self) -> Run:
        """`podman auto-update --dry-run`; it must say of every unit that nothing is new."""
        run, output = self._measured("podman", "auto-update", "--dry-run", "--format", "json")
        self._must_all_be("false", [row["Updated"] for row in json.loads(output)], "podman")
        return run

    def podman_update(self, wanted: t.Mapping[str, str]) -> Run:
        """`podman auto-update`; every unit must run the wanted image afterwards."""
        run, output = self._measured("podman", "auto-update", "--format", "json")
        self._must_all_be("true", [row["Updated"] for row in json.loads(output)], "podman")
        self._must_run(wanted, "podman")
        return run

    def engine_check(self, width: int) -> Run:
        """The engine in check mode, with so many requests at once; it must say of every unit that nothing is new."""
        return self._engine("current", "check", str(width))

    def engine_asking(self, width: int) -> float:
        """Seconds that a check spends on asking the registry, once podman has told everything."""
        _run, output = self._measured("python3", f"{FOLDER}/engine.py", "check", str(width), "asking")
        return float(json.loads(output)["asking_seconds"])

    def engine_update(self, wanted: t.Mapping[str, str], width: int = WIDTH) -> Run:
        """The engine for real, with so many units at once; every unit must run the wanted image afterwards."""
        run = self._engine("updated", "update", str(width))
        self._must_run(wanted, "the engine")
        return run

    def restart_all(self) -> float:
        """Seconds of `systemctl restart` of all units at once."""
        run, _output = self._measured("systemctl", "restart", *(f"{name}.service" for name in self._bed.names))
        return run.seconds

    def _engine(self, status: str, *words: str) -> Run:
        run, output = self._measured("python3", f"{FOLDER}/engine.py", *words)
        told = json.loads(output)
        self._must_all_be(status, [row["status"] for row in told["result"]["updates"]], "the engine")
        return Run(
            run.seconds,
            run.largest_process_kib,
            run.requests,
            told["import_seconds"],
            told["run_seconds"],
            told["own_memory_kib"],
        )

    def _measured(self, *argv: str) -> tuple[Run, str]:
        mark = self._bed.registry.mark()
        told = json.loads(self._bed.host.run([*MEASURE, *argv], timeout=self._bed.patience).stdout)
        asked = collections.Counter(kind(one.method, one.path) for one in self._bed.registry.requests(mark))
        if told["code"] != 0:
            raise BenchError(
                f"{' '.join(argv)} ended with {told['code']}: {told['errors'][-2000:]}{told['output'][-2000:]}"
            )
        return Run(told["seconds"], told["largest_process_kib"], dict(asked)), told["output"]

    def _must_all_be(self, wanted: str, told: t.Sequence[str], who: str) -> None:
        expected = [wanted] * len(self._bed.names)
        if list(told) != expected:
            counted = dict(collections.Counter(told))
            raise BenchError(f"{who} should say {wanted} of {len(expected)} containers, and says {counted}")

    def _must_run(self, wanted: t.Mapping[str, str], who: str) -> None:
        running = self._bed.running_images()
        behind = sorted(name for name in wanted if running.get(name) != wanted[name])
        if behind:
            raise BenchError(f"{who} said that all was updated, but {', '.join(behind)} runs something else")


def kind(method: str, path: str) -> str:
    """What a request to a registry is for."""
    if path.rstrip("/") == "/v2":
        return "ping"
    if "/manifests/" in path:
        return f"{method} manifest"
    if "/blobs/" in path:
        return f"{method} blob"
    return "token" if "token" in path else "other"
