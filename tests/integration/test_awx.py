# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX and AAP do with this collection, by what runs their jobs (ansible-runner): surveys, artifacts, check mode, ad hoc."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
from harness import COLLECTION, ROOT
from lablib.host import Host
from lablib.lab import Lab
from lablib.units import deploy
from pushing import Push, id_of
from sight import look

_PROJECT = ROOT / "extensions" / "awx"
_SECRET = "not-in-any-event-4711"
_CREDENTIALS = [{"registry": "registry.example.com", "username": "reader", "password": _SECRET}]


@dataclass(frozen=True)
class Jobs:
    """Runs jobs on one host."""

    lab: Lab
    host: Host
    folder: Path

    def run(self, *, check: bool = False, extravars: Mapping[str, Any], **what: Any) -> tuple[Any, dict[str, Any]]:
        """The runner of one job that must be a success, and its artifacts. No event may tell a secret."""
        self.folder.mkdir(exist_ok=True)
        ended = ansible_runner.run(
            private_data_dir=str(self.folder),
            project_dir=str(_PROJECT),
            inventory=str(self.lab.inventory),
            limit=self.host.name,
            extravars={**extravars, "rollout_credentials": _CREDENTIALS},
            envvars={
                "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                "ANSIBLE_INJECT_INVOCATION": "1",
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            },
            cmdline="--check --diff" if check else "--diff",
            verbosity=1,
            quiet=True,
            **what,
        )
        events = list(ended.events)
        told = "".join(map(json.dumps, events)) + ended.stdout.read()
        assert _SECRET not in told
        assert ended.status == "successful", told[-6000:]
        (stats,) = (one for one in events if one["event"] == "playbook_on_stats")
        return ended, dict(stats["event_data"].get("artifact_data") or {})


def survey(name: str, **answers: str) -> dict[str, Any]:
    """The variables of a survey in which only some questions were answered."""
    spec = json.loads((_PROJECT / "surveys" / f"{name}.json").read_text(encoding="utf-8"))["spec"]
    variables = {question["variable"]: question["default"] for question in spec}
    assert set(answers) <= set(variables)
    return {**variables, **answers}


def test_a_workflow_of_jobs(lab: Lab, host: Host, push: Push, tmp_path: Path) -> None:
    jobs = Jobs(lab, host, tmp_path / "runner")
    old = push("awx")
    deploy(host, "it-web", image=old.reference)
    new = push("awx", version="2")

    _ended, artifacts = jobs.run(playbook="plan.yml", extravars=survey("plan"))
    assert list(artifacts["podfleet_plan"]["hosts"]) == [host.name]

    # The artifact is all that the next job has: no file is left of the first.
    given = {**survey("rollout", rollout_soak="1"), "rollout_settle": 0, **artifacts}
    _ended, checked = jobs.run(playbook="rollout.yml", extravars=given, check=True)
    assert checked["rollout_report"]["summary"] == {"waiting": 1}
    assert look(host).runs("it-web") == id_of(old)
    _ended, artifacts = jobs.run(playbook="rollout.yml", extravars=given)
    assert artifacts["rollout_report"]["summary"] == {"converged": 1}
    assert artifacts["rollout_report"]["moved"] == {host.name: ["it-web.service"]}
    assert look(host).runs("it-web") == id_of(new)

    ended, _none = jobs.run(module=f"{COLLECTION}.image_autoupdate", host_pattern=host.name, extravars={}, check=True)
    (result,) = (one["event_data"]["res"] for one in ended.events if one["event"] == "runner_on_ok")
    assert [row["status"] for row in result["updates"]] == ["current"]

    given = {**survey("rollback", rollout_soak="1"), "rollout_settle": 0, **artifacts}
    _ended, artifacts = jobs.run(playbook="rollback.yml", extravars=given)
    assert artifacts["rollout_report"]["summary"] == {"rolled_back": 1}
    assert look(host).runs("it-web") == id_of(old)
