# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the real ansible, ad hoc or a playbook, and read what it said of each host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secrecy import know_credentials, told_in
from warm import CLASSES, Warm

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "podfleet.autoupdate"
_HEADER = re.compile(r"^(\S+) \| ([A-Z]+)!? (?:\| rc=\d+ )?=> (?=\{)", re.MULTILINE)
_TIMEOUT = 300.0
_WARM = Warm()


def program(name: str) -> str:
    """One of Ansible's commands, beside the Python that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def surroundings(**more: str) -> dict[str, str]:
    """The environment of such a command; the same one in every test."""
    own = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
    return {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **own, "ANSIBLE_NOCOLOR": "1", **more}


def command(name: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one to its end. Whatever else comes of it, a traceback is never right, and no secret is ever told."""
    environment = surroundings(**more)
    origin = _WARM.origin(environment) if name in CLASSES else None
    if origin is None:
        done = subprocess.run(
            [program(name), *words],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    else:
        done = origin.run(name, words, ROOT, _TIMEOUT)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, f"a traceback\n{said[-8000:]}"
    assert not told_in(said), f"a secret: {told_in(said)}"
    return done


@dataclass(frozen=True)
class Result:
    """What one host answered. ``word`` is Ansible's own: SUCCESS, CHANGED, FAILED, UNREACHABLE."""

    word: str
    data: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        return self.data.get("changed") is True

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The rows of image_autoupdate."""
        rows: list[Mapping[str, Any]] = self.data["updates"]
        return rows

    def row(self, container: str) -> Mapping[str, Any]:
        """The one row of a container."""
        (found,) = (row for row in self.rows if row["container_name"] == container)
        return found

    def compared(self) -> dict[str, tuple[str, str | None]]:
        """Name → status and reason, as image_digest_info says."""
        return {entry["name"]: (entry["status"], entry["reason"]) for entry in self.data["images"]}

    def verdicts(self) -> dict[str, tuple[str, str | None]]:
        """Container name → status and reason."""
        assert len({row["container_name"] for row in self.rows}) == len(self.rows), "a container has two rows"
        return {row["container_name"]: (row["status"], row["reason"]) for row in self.rows}

    def workload(self, container: str) -> Mapping[str, Any]:
        """The one entry that autoupdate_info has for a container."""
        (found,) = (entry for entry in self.data["workloads"] if entry["container_name"] == container)
        assert isinstance(found, Mapping)
        return found


@dataclass(frozen=True)
class Run:
    """One ansible command, ended. ``duration`` is in seconds."""

    rc: int
    stdout: str
    stderr: str
    duration: float
    results: Mapping[str, Result]

    @property
    def result(self) -> Result:
        """What the only host answered."""
        assert len(self.results) == 1, f"not one result\n{self}"
        return next(iter(self.results.values()))

    def warns(self, text: str) -> bool:
        """Whether a warning holds the text; Ansible breaks its lines wherever it likes."""
        warnings = re.findall(r"\[WARNING\]:(.*?)(?=\n\[|\Z)", self.stderr, re.DOTALL)
        return any(_squeezed(text) in _squeezed(warning) for warning in warnings)

    def succeeded(self) -> Result:
        """The result of the only host, which must be a success."""
        assert self.rc == 0, f"exit code {self.rc}\n{self}"
        assert self.result.word in ("SUCCESS", "CHANGED"), str(self)
        return self.result

    def failed(self) -> Result:
        """The result of the only host, which must be a failure."""
        assert self.rc != 0, f"no failure\n{self}"
        assert self.result.word == "FAILED", str(self)
        return self.result

    def __str__(self) -> str:
        return f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def _squeezed(text: str) -> str:
    return "".join(text.split())


def parse(stdout: str) -> dict[str, Result]:
    """The results in what the ad hoc callback printed as JSON; diffs may stand before and between them."""
    results = {}
    for header in _HEADER.finditer(stdout):
        data, _end = json.JSONDecoder().raw_decode(stdout, header.end())
        results[header.group(1)] = Result(header.group(2), data)
    return results


@dataclass(frozen=True)
class Ansible:
    """The ansible beside the Python that runs the tests, with the lab's inventory."""

    inventory: Path

    def run(
        self,
        hosts: str,
        module: str,
        arguments: Mapping[str, Any],
        *,
        options: Sequence[str] = (),
        result_format: str = "json",
    ) -> Run:
        """One ad hoc command."""
        know_credentials(arguments)
        given = [f"--args={json.dumps(arguments)}"] if arguments else []
        started = time.monotonic()
        done = command(
            "ansible",
            *(hosts, f"-i{self.inventory}", f"-m{module}", *given, *options),
            ANSIBLE_CALLBACK_RESULT_FORMAT=result_format,
            # -vvv shows what the module was given, in every release of Ansible.
            ANSIBLE_INJECT_INVOCATION="1",
        )
        return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - started, parse(done.stdout))

    def update(
        self, hosts: str, *, check: bool = False, diff: bool = False, options: Sequence[str] = (), **arguments: Any
    ) -> Run:
        """image_autoupdate by its full name."""
        given = [*(["--check"] if check else []), *(["--diff"] if diff else []), *options]
        # What settles is the business of the tests about it; the others need not wait.
        return self.run(hosts, f"{COLLECTION}.image_autoupdate", {"settle": 0, **arguments}, options=given)

    def compare(self, hosts: str, *names: str, options: Sequence[str] = (), **arguments: Any) -> Run:
        """image_digest_info by its full name."""
        given = {"name": list(names), **arguments}
        return self.run(hosts, f"{COLLECTION}.image_digest_info", given, options=options)

    def info(self, hosts: str, **arguments: Any) -> Run:
        """autoupdate_info by its full name."""
        return self.run(hosts, f"{COLLECTION}.autoupdate_info", arguments)


def same_prediction(predicted: Result, real: Result) -> bool:
    """Whether a check said what the run after it did: the same rows, images before and after, and changes."""

    def story(result: Result) -> list[tuple[Any, ...]]:
        keys = ("unit", "container_name", "container_id", "image", "policy", "before", "after", "changed")
        return [tuple(row[key] for key in keys) for row in result.rows]

    return story(predicted) == story(real) and predicted.changed == real.changed
