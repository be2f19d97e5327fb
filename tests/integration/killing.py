# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill runs of the engine on a host, and judge what one more run makes of it."""

from __future__ import annotations

import importlib.util
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import ROOT
from lablib.host import Host
from locations import SCRATCH

_SCRIPT = Path(__file__).resolve().parent / "on_host" / "killing.py"
_ENGINE, _KILLING = f"{SCRATCH}/engine.pyz", f"{SCRATCH}/killing.py"
_OURS = "localhost/podfleet-autoupdate/"


@dataclass(frozen=True)
class Scene:
    """Units of one reference: the image that they ran, and the one that the registry has; IDs without C(sha256:)."""

    reference: str
    units: tuple[str, ...]
    old: str
    new: str

    def job(self, do: str, **more: Any) -> str:
        """What the script on the host is told."""
        job = {"do": do, "reference": self.reference, "units": self.units, "old": self.old, **more}
        return json.dumps(job)


def install(host: Host) -> None:
    """Put the engine of this checkout on the host, and the script beside it."""
    place = ROOT / "plugins" / "module_utils" / "_edges" / "engine_archive.py"
    spec = importlib.util.spec_from_file_location("engine_archive", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    body = module.engine_archive(ROOT / "plugins" / "module_utils")
    host.run(["mkdir", "-p", SCRATCH])
    # The archive is no text, which is all that a lab host is told: so it goes as hexadecimal digits.
    host.run(
        ["python3", "-c", f"import sys; open({_ENGINE!r}, 'wb').write(bytes.fromhex(sys.stdin.read()))"],
        input=body.hex(),
    )
    host.write(_KILLING, _SCRIPT.read_text(encoding="utf-8"))


def command(job: str) -> list[str]:
    """The command on the host."""
    return ["python3", _KILLING, _ENGINE, job]


def hang(host: Host, scene: Scene, call: str) -> None:
    """Start a run that stays right before a call of an edge; back when it is there."""
    marker = f"{SCRATCH}/hangs"
    words = shlex.join(command(scene.job("hang", call=call, marker=marker)))
    host.run(["sh", "-c", f"rm -f {marker}; {words} > {SCRATCH}/hanging 2>&1 & "])
    script = f"for each in $(seq 300); do test -e {marker} && exit; sleep 0.1; done; cat {SCRATCH}/hanging; exit 1"
    host.run(["sh", "-c", script])


def told(host: Host, job: str, *, timeout: float = 600) -> list[dict[str, Any]]:
    """What the script says of a job, line by line."""
    return [json.loads(line) for line in host.run(command(job), timeout=timeout).stdout.splitlines()]


def problems(scene: Scene, seen: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    """What is wrong with a host after one more run; nothing, it is to be hoped."""
    if "error" in run:
        return [str(run["error"])]
    found = [f"{unit} is {state}" for unit, state in seen["units"].items() if state != "active"]
    tag = seen["names"].get(scene.reference)
    for unit in scene.units:
        state, image = seen["containers"].get(unit.removesuffix(".service"), ("gone", None))
        if state != "running" or image not in (scene.old, scene.new):
            found.append(f"{unit} runs {image} ({state})")
        if image != tag:
            found.append(f"{unit} runs {image}, and the tag says {tag}")
    found += [f"the name {name} is left" for name in _orphans(seen)]
    if seen["state"]["intents"]:
        found.append("an intent is left")
    found += [f"{name} is left" for name in seen["left"] if name.startswith(".")]
    return found + list(_history_problems(scene, seen))


def _orphans(seen: Mapping[str, Any]) -> list[str]:
    state = seen["state"]
    slots = {(one["name"], one["id"].rpartition(":")[2]) for one in state["slots"]}
    held = {one["id"].rpartition(":")[2] for one in state["holds"] if one["by"] == "image"}
    left = [name for name in seen["names"] if "@" in name]
    for name, image in seen["names"].items():
        if name.startswith(f"{_OURS}slot:") and (name, image) not in slots:
            left.append(name)
        if name.startswith(f"{_OURS}rejected:") and image not in held:
            left.append(name)
    return left + [f"slot {name}, which is gone" for name, image in slots if seen["names"].get(name) != image]


def _history_problems(scene: Scene, seen: Mapping[str, Any]) -> Iterable[str]:
    """Each unit's last line tells what it runs, and no run tells of a unit twice."""
    lines: Sequence[Mapping[str, Any]] = seen["history"]
    if len({(one["run"], one["unit"]) for one in lines}) != len(lines):
        yield "the history tells something twice"
    for unit in scene.units:
        mine = [one for one in lines if one["unit"] == unit]
        image = seen["containers"].get(unit.removesuffix(".service"), ("gone", ""))[1]
        if image != scene.old and not mine:
            yield f"the history does not tell of {unit}"
        for change in mine[-1]["changes"] if mine else ():
            if change["after"]["id"] != f"sha256:{image}":
                yield f"the history tells that {unit} runs {change['after']['id']}, not {image}"
