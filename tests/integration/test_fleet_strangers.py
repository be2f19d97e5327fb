# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks plan and status over hosts that tell too little, too much, or something else. None of them is real."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from books import Book, recorded, run
from harness import Ansible

from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet import fleet

_NAME = "registry.invalid/team/web:1"
_REMOTE = {
    "digest": fleet.NEW_DIGEST,
    "platform_digest": None,
    "id": fleet.NEW,
    "size": 1000,
    "registry": "registry.invalid",
}
#: What each of them answers as image_digest_info.
_REGISTRY = [{"name": _NAME, "status": "pending", "reason": None, "error": None, "local": None, "remote": _REMOTE}]


def _host(*, new: bool = False, **other: Any) -> dict[str, Any]:
    """What a host tells, whichever module asks it."""
    row = (fleet.new_row if new else fleet.row)(image=_NAME)
    return {
        "changed": False,
        "workloads": [{**row, **other.pop("row", {})}],
        "images": _REGISTRY,
        "registries": [],
        **other,
    }


def _hostile(trap: Path) -> dict[str, dict[str, Any]]:
    """Templates, control characters, wrong types, and too much."""
    template = "{{ lookup('ansible.builtin.pipe', 'touch " + str(trap) + "') }}"
    escape = "\x1b[2J\r\nPLAY RECAP"
    unit = {"reason": template, "error": f"{template} {escape}", "container_name": "odd"}
    return {
        "template": _host(row={"container_name": template, "unit": f"{template}.service"}, plan=template),
        "escapes": _host(row=unit, users=[{"user": escape, "looked_at": False, "error": escape}]),
        "types": _host(row={"running": {"id": 7, "digests": "all"}}),
        "list": {"changed": False, "workloads": {"web": 1}},
        "holds": _host(new=True, holds=[{"id": fleet.NEW, "platform": 7, "digests": template}, template, 7], plan=[1]),
    }


def _status(
    ansible: Ansible, hosts: Sequence[str], inventory: Path, file: Path, **given: str
) -> tuple[Book, dict[str, Any]]:
    variables = {"status_file": str(file), **given}
    book = run(ansible, "status", hosts, variables, inventories=[inventory], options=["-f10"])
    return book, json.loads(file.read_text(encoding="utf-8"))


def _worst(status: Mapping[str, Any]) -> dict[str, int]:
    return {word: count for word, count in status["summary"].items() if count}


# No host of the lab is asked, so once is enough.
@pytest.mark.parametrize("distro", ["trixie"])
def test_strangers_change_nobody_elses_plan_or_status(ansible: Ansible, distro: str, tmp_path: Path) -> None:
    assert distro
    trap, plan_file, status_file = (tmp_path / name for name in ("trap", "plan.json", "status.json"))
    failing = {"failed": True, "msg": "podman is not there", "changed": False}
    told = {"never": _host(), "older": _host(plan={"id": "0f" * 16, "verdict": "failed"}), "failing": failing}
    hostile = _hostile(trap)
    inventory = recorded(tmp_path, {**told, **hostile}, silent=["silent"])
    (tmp_path / "failing.python").write_text("#!/bin/sh\necho no module >&2\nexit 3\n", encoding="utf-8")
    every = [*told, *hostile, "silent"]

    given = {"plan_file": str(plan_file)}
    book = run(ansible, "plan", every, given, inventories=[inventory], options=["-f10"]).succeeded()
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    assert sorted(plan["hosts"]) == ["never", "older"]
    assert "5 hosts did not answer" in book.squeezed
    assert "\x1b[2J" not in book.output

    # By the registries and by the plan; a verdict about another plan is none about this.
    for by_plan in ({}, given):
        book, status = _status(ansible, every, inventory, status_file, **by_plan)
        assert "The fleet is not converged" in book.failed()
        (web,) = status["references"]
        assert (web["pending"], web["converged"], web["held"]) == (["never", "older"], ["holds"], [])
        assert [one["host"] for one in status["unreachable"]] == ["silent"]
        assert {one["host"] for one in status["failed"]} == {"failing", "template", "types", "list"}
        assert {one["host"] for one in status["refused"]} == {"escapes"}
        assert _worst(status) == {"converged": 1, "pending": 2, "failed": 5, "unreachable": 1}
        assert "\x1b[2J" not in book.output
    book, status = _status(ansible, every, inventory, status_file, status_fail="no")
    assert (book.succeeded().rc, status["converged"]) == (0, False)

    # Both have come to the plan meanwhile; one says that this very plan failed there.
    inventory = recorded(
        tmp_path, {"never": _host(new=True), "older": _host(plan={"id": plan["id"], "verdict": "failed"})}
    )
    book, status = _status(ansible, ["never", "older"], inventory, status_file, **given)
    assert book.failed()
    assert _worst(status) == {"converged": 1, "failed": 1}
    book, status = _status(ansible, ["never"], inventory, status_file)
    assert (book.succeeded().rc, status["converged"]) == (0, True)
    assert not trap.exists()

    # Nobody at all is no success.
    for playbook in ("plan", "status"):
        book = run(ansible, playbook, ["nobody"], {}, inventories=[inventory])
        assert "rollout_hosts: no host of the inventory is nobody" in book.failed()
