# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the workloads a run looks at."""

from __future__ import annotations

from typing import Any

from harness import Ansible
from lablib.host import Host
from lablib.units import ContainerSpec, deploy, deploy_many
from pushing import Push

WEB, DB, JOB = "it-web", "it-db", "it-job"
CHOICES: list[tuple[dict[str, Any], set[str]]] = [
    ({"only": ["unit:it-w*"]}, {WEB}),
    ({"only": ["unit:it-back.service", "image:*-sel-web:*"]}, {WEB, DB, JOB}),
    ({"only": ["image:*-sel-job:*"]}, {JOB}),
    ({"only": ["it-job"], "exclude": ["unit:it-back"]}, set()),
    ({"exclude": ["container:it-?b"]}, {WEB, JOB}),
    ({"policies": ["local"]}, {JOB}),
]


def test_patterns_and_policies_choose(host: Host, ansible: Ansible, push: Push) -> None:
    web, db, job = (push(f"sel-{name}") for name in ("web", "db", "job"))
    deploy(host, WEB, image=web.reference)
    deploy_many(host, "it-back", [ContainerSpec(DB, db.reference), ContainerSpec(JOB, job.reference, policy="local")])

    for arguments, expected in CHOICES:
        result = ansible.info(host.name, **arguments).succeeded()
        assert {entry["container_name"] for entry in result.data["workloads"]} == expected, str(arguments)

    # The module that changes things chooses in the same way.
    arguments, expected = CHOICES[0]
    assert set(ansible.update(host.name, check=True, **arguments).succeeded().verdicts()) == expected


def test_what_is_excluded_is_not_touched(host: Host, ansible: Ansible, push: Push) -> None:
    for name in (WEB, DB):
        deploy(host, name, image=push(f"sel-{name}").reference)
        push(f"sel-{name}", version="2")

    assert ansible.update(host.name, exclude=["it-db"]).succeeded().verdicts() == {WEB: ("updated", None)}

    left = ansible.update(host.name, check=True).succeeded()
    assert left.verdicts() == {WEB: ("current", None), DB: ("pending", "check_mode")}


def test_a_pattern_without_a_match_is_said(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, WEB, image=push("sel-web").reference)

    patterns: dict[str, Any] = {"only": ["it-web", "it-wbe"], "exclude": ["unit:it-d*"]}
    for run in (ansible.update(host.name, **patterns), ansible.info(host.name, **patterns)):
        run.succeeded()
        assert run.warns("only: the pattern 'it-wbe' matches no container")
        assert run.warns("exclude: the pattern 'unit:it-d*' matches no container")
        assert not run.warns("'it-web' matches no container")


def test_an_unusable_parameter_is_said(host: Host, ansible: Ansible) -> None:
    assert "the pattern 'unit:' is empty" in ansible.update(host.name, only=["unit:"]).failed().data["msg"]
    assert "timeout must be between 1 and 86400, not 0" in ansible.update(host.name, timeout=0).failed().data["msg"]
