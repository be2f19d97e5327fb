# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copied to a host beside the engine's archive: runs that are killed at a step, and what they leave.

killing.py ENGINE JOB, where JOB is a JSON object; each line that is printed is one, too. The engine knows nothing of it: the
methods of its edges are wrapped, and a process kills itself when it comes to the step that it was told. A step is a moment
before a call of an edge; the last one is after the run's last call.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import typing as t

PACKAGE = "podfleet_autoupdate"
STATE = pathlib.Path("/var/lib/podfleet-autoupdate")
OURS = "localhost/podfleet-autoupdate/"
#: Room, class and methods; what has no class is a function that the room uses.
EDGES = {
    "_edges.podman Podman": "containers images host details healthchecks pull tag untag remove_name",
    "_edges.systemd ServiceManager": "facts owns links restart start reset_failed _queue",
    "_edges.state StateFile": "read change",
    "_edges.history HistoryFile": "add read",
    "_edges.state_folder StateFolder": "replace",
    "_edges.state_folder os": "fsync",
}


class Steps:
    """Counts the steps of this process; at C(fatal) it ends, or waits for the end of its host where it C(hangs)."""

    def __init__(self, fatal: int | str | None, *, hangs: str | None = None) -> None:
        self.calls: list[str] = []
        self._fatal, self._hangs, self._lock = fatal, hangs, threading.Lock()

    def reach(self, call: str) -> None:
        with self._lock:
            if self._fatal in (len(self.calls), call):
                if self._hangs:
                    pathlib.Path(self._hangs).write_text(call)
                    time.sleep(600)
                os.kill(os.getpid(), signal.SIGKILL)
            self.calls.append(call)

    def wrap(self) -> None:
        for place, methods in EDGES.items():
            room, _space, name = place.partition(" ")
            owner = getattr(importlib.import_module(f"{PACKAGE}.{room}"), name)
            for method in methods.split():
                setattr(owner, method, self._wrapped(f"{name}.{method}", getattr(owner, method)))

    def _wrapped(self, call: str, function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def wrapped(*arguments: t.Any, **options: t.Any) -> t.Any:
            self.reach(call)
            said = function(*arguments, **options)
            if call.endswith("._queue"):
                self.reach(f"{call} done")  # systemd has the job by now, and goes on without us.
            return said

        return wrapped


def run(given: dict[str, t.Any], *, fatal: int | str | None = None, hangs: str | None = None) -> dict[str, t.Any]:
    """One run in a process of its own: its result and calls, or C(killed)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        told: dict[str, t.Any] = {}
        try:
            engine = importlib.import_module(f"{PACKAGE}._engine.autoupdate")
            settings = importlib.import_module(f"{PACKAGE}._engine.settings")
            importlib.import_module(f"{PACKAGE}._engine.updating")
            steps = Steps(fatal, hangs=hangs)
            steps.wrap()
            check = given.pop("check", False)
            given["only"] = tuple(given.pop("only", ()))
            report = engine.autoupdate(settings.Settings(settle=0.0, **given), check_mode=check)
            steps.reach("end")
            told = {"result": report.to_result(["failed"]), "calls": steps.calls}
        except BaseException:  # noqa: BLE001 (told, whatever it is)
            told = {"error": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(told, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _pid, status = os.waitpid(child, 0)
    return json.loads(said) if said else {"killed": os.WTERMSIG(status)}


def say(told: dict[str, t.Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def shell(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def look(units: t.Sequence[str]) -> dict[str, t.Any]:
    """What a person would see: containers, names, units, and what is remembered."""
    listed = json.loads(shell("podman", "ps", "--all", "--no-trunc", "--format=json") or "[]") or []
    images = json.loads(shell("podman", "images", "--all", "--no-trunc", "--format=json") or "[]") or []
    state, history = STATE / "state.json", STATE / "history.jsonl"
    return {
        "containers": {one["Names"][0]: [one["State"], one["ImageID"]] for one in listed},
        "ids": sorted(one["Id"] for one in listed),
        "names": {name: one["Id"].rpartition(":")[2] for one in images for name in one.get("Names") or []},
        "units": dict(zip(units, shell("systemctl", "is-active", *units).split())),
        "state": json.loads(state.read_text()) if state.exists() else {"holds": [], "slots": [], "intents": []},
        "history": [json.loads(line) for line in history.read_text().splitlines()] if history.exists() else [],
        "left": sorted(one.name for one in STATE.iterdir()) if STATE.exists() else [],
    }


def alike(seen: dict[str, t.Any], ids: t.Sequence[str]) -> str:
    """What two looks have in common if one more run cannot tell them apart; C(ids) are the containers before the run."""
    plain = {**seen, "ids": [one in ids for one in seen["ids"]], "left": [one[:12] for one in seen["left"]]}
    text = json.dumps(plain, sort_keys=True)
    for each in (*ids, *seen["ids"]):
        text = text.replace(each, "container")
    return re.sub(r'"(run|time|since|kept|last)": "[^"]*"|\\?"(run|time|seconds)\\?":\\?"?[^,]*', "", text)


def reset(job: dict[str, t.Any]) -> None:
    """Units on the old image, the new one nowhere, nothing remembered: as the first run found it."""
    shutil.rmtree(STATE, ignore_errors=True)
    seen = look(job["units"])
    old, reference = job["old"], job["reference"]
    if seen["names"].get(reference) != old:
        shell("podman", "tag", old, reference)
    off = [
        unit
        for unit, state in seen["units"].items()
        if state != "active" or seen["containers"].get(re.sub(r"\.service$", "", unit)) != ["running", old]
    ]
    if off:
        shell("systemctl", "reset-failed", *off)
        shell("systemctl", "restart", *off)
    for name, image in seen["names"].items():
        if name.startswith(OURS) or "@" in name:
            shell("podman", "untag", image, name)
    shell("podman", "rmi", "--force", *(one for one in {*seen["names"].values()} if one != old))


def kill_everywhere(job: dict[str, t.Any]) -> None:
    """A dry pass tells the steps; then one run is killed at each of them, and one more is let through."""
    given, more = job.get("given", {}), job.get("more", {})
    reset(job)
    dry = run(dict(given))
    say({"dry": dry, "seen": look(job["units"])})
    reset(job)
    before = look(job["units"])
    say({"before": before})
    known: dict[str, int] = {alike(before, before["ids"]): -1}
    for step, call in enumerate(dry["calls"]):
        began = time.monotonic()
        ids = look(job["units"])["ids"]
        killed = run(dict(given), fatal=step)
        between = look(job["units"])
        told: dict[str, t.Any] = {"step": step, "call": call, "killed": killed.get("killed")}
        # systemd may be at work still, which no look tells.
        like = f"{call} {step}" if call.endswith("done") else alike(between, ids)
        told["as"] = known.setdefault(like, step)
        if told["as"] >= 0 and told["as"] != step:
            reset(job)
        elif told["as"] == step:
            if step % job.get("checks", 5) == 0 and not call.endswith("done"):
                told["check"] = run({**given, "check": True})
                # What cannot start is started again by systemd meanwhile: only what the check could have changed counts.
                now = look(job["units"])
                told["unchanged"] = all(now[key] == between[key] for key in ("names", "state", "history", "left"))
            told["more"] = run({**given, **more})
            told["seen"] = look(job["units"])
            reset(job)
        told["seconds"] = round(time.monotonic() - began, 2)
        say(told)


def hang(job: dict[str, t.Any]) -> None:
    """One run that stays at a call until the host is gone; whoever waits finds the file."""
    run(dict(job.get("given", {})), fatal=job["call"], hangs=job["marker"])


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    job = json.loads(sys.argv[2])
    for room in ("_engine.autoupdate", "_engine.updating", "_update.activate", "_update.repair"):
        importlib.import_module(f"{PACKAGE}.{room}")
    {"everywhere": kill_everywhere, "hang": hang}[job["do"]](job)


if __name__ == "__main__":
    main()
