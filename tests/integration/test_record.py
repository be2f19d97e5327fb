# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: what the history says of a unit, systemd's journal says too."""

from __future__ import annotations

import json
from typing import Any

from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from lablib.units import deploy
from pushing import Push, id_of

_UPDATED, _ROLLED_BACK = "90c142cfb56a4393a83514c418f8f48e", "c9833396cf1145b3a21c396d8a4217bd"
_SAME = ("run", "unit", "verdict", "reason", "job_result")


def entries(host: Host, *matches: str) -> list[dict[str, Any]]:
    """The entries of the journal that journalctl finds, oldest first."""
    host.run(["journalctl", "--sync"])
    said = host.run(["journalctl", "--quiet", "--output=json", "--all", *matches], check=False).stdout
    return [json.loads(line) for line in said.splitlines()]


def history(host: Host) -> list[dict[str, Any]]:
    """The history, as it is on the host."""
    path = "/var/lib/podfleet-autoupdate/history.jsonl"
    return [json.loads(line) for line in host.read(path).splitlines()]


def test_history_and_journal_agree(host: Host, ansible: Ansible, push: Push) -> None:
    old, other = push("web"), push("pod")
    deploy(host, "it-web", image=old.reference)
    deploy(host, "it-pod", image=other.reference, style="pod")
    new = push("web", version="2")
    push("pod", version="2", kind=Kind.NO_START)
    since = host.run(["date", "+--since=@%s"]).stdout.strip()
    ours = (since, "SYSLOG_IDENTIFIER=podfleet-autoupdate")

    ansible.update(host.name, check=True).succeeded()
    assert entries(host, *ours) == []
    run = ansible.update(host.name)
    assert not run.warns("no_journal")
    assert {row["unit"]: row["status"] for row in run.failed().rows} == {
        "it-web.service": "updated",
        "it-pod-pod.service": "rolled_back",
    }
    ansible.update(host.name).succeeded()

    told = entries(host, *ours)
    lines = history(host)
    assert len(told) == len(lines) == 2, "one for each unit, none for a run that changed nothing"
    for line in lines:
        (entry,) = (one for one in told if one["UNIT"] == line["unit"])
        assert {key: entry.get(key.upper()) for key in _SAME} == {key: line[key] for key in _SAME}
        assert json.loads(entry["CHANGES"]) == line["changes"]
        assert (entry["_UID"], entry["_TRANSPORT"]) == ("0", "journal")

    (updated,) = entries(host, since, f"MESSAGE_ID={_UPDATED}")
    assert (updated["IMAGE"], updated["BEFORE"], updated["AFTER"]) == (old.reference, id_of(old), id_of(new))
    assert updated["PRIORITY"] == "5"
    (rolled_back,) = entries(host, since, f"MESSAGE_ID={_ROLLED_BACK}", "--unit=it-pod-pod.service")
    assert rolled_back["PRIORITY"] == "4"
    assert rolled_back["ERROR"]
    # With all that the unit itself said.
    assert "updated" in [one.get("VERDICT") for one in entries(host, since, "--unit=it-web.service")]

    info = ansible.info(host.name).succeeded().data
    (run_,) = info["runs"]
    assert run_["run"] == lines[0]["run"]
    assert [(unit["unit"], unit["verdict"]) for unit in run_["units"]] == [
        (line["unit"], line["verdict"]) for line in lines
    ]
    (hold,) = info["holds"]
    assert (hold["by"], hold["unit"], hold["scope"]) == ("image", "it-pod-pod.service", "system")
    assert {(slot["unit"], slot["number"], slot["id"]) for slot in info["slots"]} >= {("it-web.service", 1, id_of(old))}
    assert (info["plan"], info["intents"], info["follows"]) == (None, [], None)
    assert ansible.info(host.name, runs=0).succeeded().data["runs"] == []
    assert "runs must be between" in ansible.info(host.name, runs=-1).failed().data["msg"]
