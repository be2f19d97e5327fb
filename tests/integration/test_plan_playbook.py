# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks plan and status: one question for each image, however many hosts follow it, and the truth about them all."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from books import recorded, run
from harness import COLLECTION, Ansible, command
from lablib.host import Host
from lablib.lab import Lab
from lablib.registry import Request
from lablib.units import ContainerSpec, deploy_many
from pushing import PLATFORM, Push, id_of
from secure import Vault

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import read_plan

_NAMES = ("plan-web", "plan-db")


def asked(lab: Lab, push: Push, since: int) -> list[Request]:
    """What anybody asked for this host's repositories, but whoever pushes."""
    ours = tuple(f"/v2/{push.repository(name)}/" for name in _NAMES)
    return [
        one for one in lab.registry.requests(since) if one.path.startswith(ours) and "image-maker" not in one.user_agent
    ]


def counted(requests: list[Request]) -> list[str]:
    """Those that count against a pull limit."""
    return [one.path for one in requests if one.method == "GET" and "/manifests/" in one.path]


def like(told: Mapping[str, Any], number: int) -> dict[str, Mapping[str, Any]]:
    """So many hosts that tell what one told, but for the IDs of their containers."""
    answers: dict[str, Mapping[str, Any]] = {}
    for one in range(number):
        answer = copy.deepcopy(dict(told))
        for row in answer["workloads"]:
            row["container_id"] = f"{one:064x}"
        answers[f"recorded-{one:02}"] = answer
    return answers


def test_a_fleet_asks_once_and_tells_all(lab: Lab, host: Host, ansible: Ansible, push: Push, tmp_path: Path) -> None:
    """Nothing new for one host and for fifty; then one image is new: the plan, and how far the fleet is."""
    old = {name: push(name) for name in _NAMES}
    containers = [("it-web", "plan-web"), ("it-web2", "plan-web"), ("it-db", "plan-db")]
    deploy_many(host, "it-plan", [ContainerSpec(name, old[image].reference) for name, image in containers])
    told = ansible.info(host.name).succeeded().data
    hosts = like(told, 49)
    inventory = recorded(tmp_path, hosts, silent=["silent"])
    plan_file, status_file = tmp_path / "plan.json", tmp_path / "status.json"
    given = {"plan_file": str(plan_file), "status_file": str(status_file), "plan_expires": ""}

    mark = lab.registry.mark()
    run(ansible, "plan", [host.name], given).succeeded()
    one = asked(lab, push, mark)
    document = json.loads(plan_file.read_text(encoding="utf-8"))
    assert (document["hosts"], len(document["targets"])) == ({}, 2)
    assert sorted(target["id"] for target in document["targets"].values()) == sorted(map(id_of, old.values()))

    mark = lab.registry.mark()
    fleet = [host.name, "recorded", "silent"]
    book = run(ansible, "plan", fleet, given, inventories=[inventory], options=["-f10"]).succeeded()
    fifty = asked(lab, push, mark)
    assert sorted((each.method, each.path) for each in fifty) == sorted((each.method, each.path) for each in one)
    assert (len(fifty), counted(fifty)) == (2, [])
    assert "150 containers on 50 hosts (150 current): nothing to do; 1 host did not answer" in book.squeezed
    assert "silent: unreachable" in book.squeezed

    new = push("plan-web", version="2")
    mark = lab.registry.mark()
    book = run(ansible, "plan", fleet, given, inventories=[inventory], options=["-f10", "--diff"]).succeeded()
    assert len(counted(asked(lab, push, mark))) == 1
    document = json.loads(plan_file.read_text(encoding="utf-8"))
    plan = read_plan(document, datetime.now(timezone.utc))
    target = document["targets"][f"{new.reference} {PLATFORM}"]
    assert (target["digest"], target["id"], target["bytes"] > 0) == (new.digest, id_of(new), True)
    assert set(plan.hosts) == {host.name, *hosts}
    assert {(entry.container, entry.before_id) for entry in plan.hosts[host.name]} == {
        ("it-web", id_of(old["plan-web"])),
        ("it-web2", id_of(old["plan-web"])),
    }
    assert f"+ digest: {new.digest}" in book.squeezed

    # By the plan, which needs no registry, and by what the registry tells.
    for by_plan, hosts_asked, of_them in ((True, fleet[:2], 50), (False, fleet[:1], 1)):
        mark = lab.registry.mark()
        variables = {**given, "plan_file": str(plan_file) if by_plan else ""}
        book = run(ansible, "status", hosts_asked, variables, inventories=[inventory], options=["-f10"])
        assert "The fleet is not converged" in book.failed()
        assert (asked(lab, push, mark) == []) is by_plan
        status = json.loads(status_file.read_text(encoding="utf-8"))
        by_name = {entry["reference"]: entry for entry in status["references"]}
        web, db = (by_name[old[name].reference] for name in _NAMES)
        assert (web["digest"], web["converged"], len(web["pending"])) == (new.digest, [], of_them)
        assert (db["digest"], len(db["converged"])) == (old["plan-db"].digest, of_them)
        assert status["summary"]["pending"] == of_them

    ansible.update(host.name).succeeded()
    book = run(ansible, "status", [host.name], {**given, "plan_file": str(plan_file)}).succeeded()
    assert "1 host: 1 converged. The fleet is converged." in book.squeezed
    book = run(ansible, "status", [host.name, "silent"], {"status_fail": "no"}, inventories=[inventory]).succeeded()
    assert "2 hosts: 1 converged, 1 unreachable. The fleet is not converged." in book.squeezed


def test_the_controller_can_ask_and_hand_the_plan_on(
    lab: Lab, host: Host, ansible: Ansible, push: Push, tmp_path: Path
) -> None:
    old = push("plan-web")
    deploy_many(host, "it-plan", [ContainerSpec("it-web", old.reference)])
    plan_file = tmp_path / "plan.json"
    given = {"plan_file": str(plan_file), "rollout_resolver": "controller", "rollout_validate_certs": "false"}

    mark = lab.registry.mark()
    run(ansible, "plan", [host.name], given).succeeded()
    requests = asked(lab, push, mark)
    assert [one.method for one in requests] == ["HEAD"]
    assert requests[0].remote != host.address
    document = json.loads(plan_file.read_text(encoding="utf-8"))
    (target,) = document["targets"].values()
    assert (document["hosts"], target["id"]) == ({}, id_of(old))

    new = push("plan-web", version="2")
    run(ansible, "plan", [host.name], given, options=["--check"]).succeeded()
    assert json.loads(plan_file.read_text(encoding="utf-8")) == document
    book = run(ansible, "plan", [host.name], given).succeeded()
    document = json.loads(plan_file.read_text(encoding="utf-8"))
    (target,) = document["targets"].values()
    assert (target["digest"], target["id"], list(document["hosts"])) == (new.digest, id_of(new), [host.name])

    # The artifact stands for the plan, whatever the tag is by then.
    push("plan-web", version="3")
    plan_file.unlink()
    mark = lab.registry.mark()
    run(ansible, "plan", [host.name], {**given, "podfleet_plan": book.artifacts["podfleet_plan"]}).succeeded()
    assert json.loads(plan_file.read_text(encoding="utf-8")) == document
    assert asked(lab, push, mark) == []


def test_a_variable_that_cannot_be_meant_is_named_before_anybody_is_asked(
    host: Host, ansible: Ansible, distro: str
) -> None:
    del distro
    for playbook, variables, said in (
        ("plan", {"plan_expires": "soon"}, "plan_expires: the text 'soon' is no time"),
        ("status", {"status_fail": "perhaps"}, "status_fail: the text 'perhaps' is neither true nor false"),
    ):
        output = run(ansible, playbook, [host.name], variables).failed()
        assert said in output
        assert "Ask each host what it runs" not in output
        assert "Ask each host" not in output


def test_credentials_open_registries_and_are_never_printed(
    host: Host, ansible: Ansible, vault: Vault, tmp_path: Path
) -> None:
    vault.deploy(host, "it-locked", vault.push("plan-locked"))
    variables = tmp_path / "variables.json"
    plan_file = tmp_path / "plan.json"
    for resolver in ("host", "controller"):
        for password, unknown in ((vault.registry.password, 0), ("wr0ng-secret", 1)):
            credentials = vault.credentials(password)
            given: dict[str, Any] = {
                "rollout_resolver": resolver,
                "rollout_credentials": credentials,
                "plan_file": str(plan_file),
            }
            if resolver == "controller":
                # Hosts have the lab's CA; the controller does not.
                given["rollout_ca_path"] = str(vault.registry.ca_path)
            variables.write_text(json.dumps(given), encoding="utf-8")
            book = run(ansible, "plan", [host.name], {}, options=["-vvv", f"-e@{variables}"]).succeeded()
            assert password not in book.output
            targets = json.loads(plan_file.read_text(encoding="utf-8"))["targets"]
            assert len(targets) == 1 - unknown, book.output[-3000:]
            assert ("unknown: auth_required" in book.squeezed) == bool(unknown)


def test_what_the_inventory_says_and_hosts_that_nobody_is(host: Host, ansible: Ansible, tmp_path: Path) -> None:
    """A play's hosts know no variables of the inventory, and Ansible calls it a success where nobody is meant."""
    for book, options in (("plan", ()), ("status", ("--limit", host.name)), ("rollout", ())):
        told = run(ansible, book, ["nobody-there"], {}, options=options).failed()
        assert "rollout_hosts: no host of the inventory is nobody-there" in told

    plan_file = tmp_path / "agreed.json"
    said = tmp_path / "said.yml"
    said.write_text(json.dumps({"all": {"vars": {"plan_file": str(plan_file)}}}), encoding="utf-8")
    # That plan is meant, and not one that is made now and written in its place.
    assert f"'{plan_file}'" in run(ansible, "rollout", [host.name], {}, inventories=[said]).failed()
    assert not plan_file.exists()

    said.write_text(json.dumps({"all": {"vars": {"rollout_hosts": "elsewhere"}}}), encoding="utf-8")
    given = [f"-i{one}" for one in (ansible.inventory, said)]
    done = command("ansible-playbook", f"{COLLECTION}.status", *given, "--limit", host.name)
    assert done.returncode != 0
    assert f"rollout_hosts: it does not mean {host.name}" in " ".join((done.stdout + done.stderr).split())
