# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer a rollout with nonsense, or with what is meant for others: the fleet goes on without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from books import recorded, run
from harness import Ansible
from lablib.images import ImageMaker
from planned import plan as plan_of
from planned import sealed
from pushing import Push, id_of


def _deep(levels: int) -> Any:
    found: Any = "end"
    for _level in range(levels):
        found = [found]
    return found


def test_one_host_stops_nobody_and_chooses_for_nobody(ansible: Ansible, maker: ImageMaker, tmp_path: Path) -> None:
    push = Push(maker, "fleet-hostile")
    old, new = push("web"), push("web", version="2")
    row = {
        "unit": "it-web.service",
        "scope": "system",
        "user": None,
        "container_name": "it-web",
        "image": old.reference,
        "status": "updated",
        "reason": None,
        "error": None,
        "before": {"id": id_of(old), "digest": old.digest},
        "after": {"id": id_of(new), "digest": new.digest},
        "changed": True,
    }
    waiting = {**row, "status": "pending", "reason": "check_mode"}
    good = {"changed": True, "updates": [waiting], "workloads": []}
    run_by = {**good, "updates": [row]}
    jinja = f"{{{{ lookup('pipe', 'touch {tmp_path}/templated') }}}}"
    evil_plan = plan_of("good", {"it-web": (old, new)})
    odd: dict[str, dict[str, Any]] = {
        # The first host of all: tasks that run once have its variables.
        "a-facts": {
            **good,
            "ansible_facts": {
                "plan": evil_plan,
                "plan_file": "/nowhere",
                "podfleet_plan": {"schema": 7},
                "podfleet_rollout_part": {"x": 1},
                "podfleet_rollout_left": 5,
                "rollout_waves": "panic",
                "rollout_state": "rolled_back",
                "rollout_canary": "all",
                "rollout_only": "unit:nothing",
            },
        },
        "deep": {**good, "updates": _deep(400), "workloads": _deep(400)},
        "huge": {**good, "updates": [waiting] * 10_001},
        "jinja": {
            **good,
            "updates": [{**row, "status": "splendid", "error": jinja}],
            "msg": jinja,
            "repaired": [{"error": jinja}],
        },
        "shapes": {"updates": 5, "workloads": {"a": 1}, "changed": True},
        "texts": {"updates": [{"unit": None, "status": ["x"]}], "changed": "yes", "users": "x", "repaired": 1},
        "null": {"updates": None},
        "good": run_by,
    }
    inventory = recorded(tmp_path, odd)
    parts = dict.fromkeys(odd, evil_plan["hosts"]["good"])
    (tmp_path / "plan.json").write_text(json.dumps(sealed({**evil_plan, "hosts": parts})), encoding="utf-8")
    given = {"rollout_soak": 1, "rollout_waves": "1, 100%", "rollout_max_failures": "100%"}

    book = run(ansible, "rollout", list(odd), {**given, "plan_file": f"{tmp_path}/plan.json"}, inventories=[inventory])
    assert book.rc != 0
    assert "rollout_report" in book.artifacts, book.output[-4000:]
    report = book.artifacts["rollout_report"]
    verdicts = {host: one["verdict"] for host, one in report["hosts"].items()}
    assert verdicts.pop("good") == "converged", report
    assert set(verdicts.values()) <= {"failed", "unreachable", "pending"}, report
    assert report["halted"] is None
    assert not (tmp_path / "templated").exists()

    # Nothing is planned where no host has a container, whatever plan one of them tells of.
    book = run(ansible, "rollout", ["a-facts", "good"], given, inventories=[inventory]).succeeded()
    assert (book.artifacts["rollout_report"]["summary"], book.artifacts["podfleet_plan"]["hosts"]) == ({}, {})
