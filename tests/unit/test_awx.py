# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""extensions/awx: what AWX's API refuses of a survey or a workflow is not in it, and it names what the playbooks read."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import timezone
from pathlib import Path

import pytest
import yaml

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_settings import (
    ON_HALT,
    RolloutSettings,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.variables import PLAYBOOKS, read_variables

_ROOT = Path(__file__).resolve().parents[2]
_PROJECT = _ROOT / "extensions" / "awx"
_SURVEYS = ("plan", "rollback", "rollout", "status")
#: What is a matter of the whole installation, and stands in the inventory or a credential rather than in a question.
_NOT_ASKED = {
    "plan_artifact",
    "rollout_allow_follower",
    "rollout_authfile",
    "rollout_ca_path",
    "rollout_credentials",
    "rollout_health_command",
    "rollout_max_failures_total",
    "rollout_registry_timeout",
    "rollout_request_budget",
    "rollout_settle",
    "rollout_timeout",
    "rollout_validate_certs",
    "rollout_wait_healthy",
    "status_fail",
}
#: A job's files are gone with it: the plan is handed on as an artifact.
_OF_FILES = {"plan": {"plan_file"}, "status": {"status_file"}}
#: What workflows hand on, and what has no meaning on a way back.
_NOT_OF_ROLLOUT = {"plan", "podfleet_plan"}
_NOT_OF_ROLLBACK = {"plan_file", "rollout_lift_holds", "rollout_on_halt", "rollout_stage_only"}
#: awx.awx.job_template's parameters that templates here may have.
_OF_TEMPLATES = {
    "name",
    "job_type",
    "playbook",
    "survey_enabled",
    "survey_spec",
    "ask_job_type_on_launch",
    "ask_limit_on_launch",
    "ask_variables_on_launch",
}


def _survey(name: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((_PROJECT / "surveys" / f"{name}.json").read_text(encoding="utf-8")))


def _asked(name: str) -> set[str]:
    return {question["variable"] for question in _survey(name)["spec"]}


def _documented(name: str) -> set[str]:
    """The playbook's variables, as its page says."""
    if name in PLAYBOOKS:
        return {one.name for one in PLAYBOOKS[name]}
    text = (_ROOT / "docs" / "rollout.md").read_text(encoding="utf-8")
    cells = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `") and row.count("|") == 4]
    found = {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}
    known = {word for word in found if word.startswith("rollout_") or word in ("plan", "plan_file", "podfleet_plan")}
    return known - _NOT_OF_ROLLOUT - (_NOT_OF_ROLLBACK if name == "rollback" else set())


def _controller() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load((_PROJECT / "controller.yml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", _SURVEYS)
def test_a_survey_is_one_that_the_api_takes(name: str) -> None:
    """The rules of awx.api.views.JobTemplateSurveySpec."""
    survey = _survey(name)
    assert isinstance(survey["name"], str)
    assert isinstance(survey["description"], str)
    assert survey["spec"]
    for question in survey["spec"]:
        assert question["type"] in ("text", "multiplechoice")
        assert all(isinstance(question[key], str) for key in ("type", "question_name", "variable", "default"))
        assert isinstance(question["required"], bool)
        assert all(isinstance(question[key], int) for key in ("min", "max"))
        if question["type"] == "multiplechoice":
            assert all(isinstance(choice, str) for choice in question["choices"])
            assert question["default"] in question["choices"]
        else:
            assert question["choices"] == []
            assert not question["required"]
    assert len(_asked(name)) == len(survey["spec"])


@pytest.mark.parametrize("name", _SURVEYS)
def test_a_survey_asks_for_what_its_playbook_reads(name: str) -> None:
    assert _documented(name)
    assert _asked(name) <= _documented(name)
    assert _documented(name) - _asked(name) <= _NOT_ASKED | _OF_FILES.get(name, set())


@pytest.mark.parametrize("name", _SURVEYS)
def test_each_choice_is_taken_and_an_empty_text_is_not_given(name: str) -> None:
    questions = _survey(name)["spec"]
    answers = [{one["variable"]: one["default"] for one in questions}]
    answers += [{one["variable"]: choice} for one in questions for choice in one["choices"]]
    for given in answers:
        if name in PLAYBOOKS:
            values = read_variables(PLAYBOOKS[name], given)
            unset = {one.name: one.default for one in PLAYBOOKS[name] if given.get(one.name) == ""}
            assert {key: values[key] for key in unset} == unset
        else:
            others = ("rollout_hosts", "rollout_canary", "rollout_scope")
            ours = {key[8:]: value for key, value in given.items() if key.startswith("rollout_") and key not in others}
            RolloutSettings.parse(ours, lambda _zone: timezone.utc)


def test_every_way_of_a_halt_can_be_chosen() -> None:
    (choices,) = [one["choices"] for one in _survey("rollout")["spec"] if one["variable"] == "rollout_on_halt"]
    assert tuple(choices) == ON_HALT


def test_templates_name_what_is_there() -> None:
    for template in _controller()["controller_templates"]:
        assert set(template) <= _OF_TEMPLATES
        assert (_ROOT / template["playbook"]).is_file()
        (survey,) = re.findall(r"/surveys/(\w+)\.json'", template["survey_spec"])
        assert survey == Path(template["playbook"]).stem
        assert survey in _SURVEYS


def test_the_allowlist_names_modules() -> None:
    for module in _controller()["controller_settings"]["settings"]["AD_HOC_COMMANDS"]:
        collection, _dot, name = module.rpartition(".")
        assert collection == "podfleet.autoupdate"
        assert (_ROOT / "plugins" / "modules" / f"{name}.py").is_file()


def test_the_workflow_leads_from_node_to_node() -> None:
    told = _controller()
    templates = {template["name"]: template for template in told["controller_templates"]}
    (workflow,) = told["controller_workflows"]
    nodes = {node["identifier"]: node for node in workflow["simplified_workflow_nodes"]}
    assert len(nodes) == len(workflow["simplified_workflow_nodes"])
    for node in nodes.values():
        following = [*node.get("success_nodes", []), *node.get("failure_nodes", [])]
        assert set(following) <= set(nodes)
        assert ("approval_node" in node) != (node.get("unified_job_template") in templates)
        if "approval_node" in node:
            assert node["approval_node"]["name"]
            assert isinstance(node["approval_node"]["timeout"], int)
    way = ["plan", "approve", "rollout"]
    assert [nodes[one].get("success_nodes") for one in way] == [["approve"], ["rollout"], None]
    assert nodes["rollout"]["failure_nodes"] == ["rollback"]
    assert all(
        templates[nodes[one]["unified_job_template"]]["ask_variables_on_launch"] for one in ("rollout", "rollback")
    )
