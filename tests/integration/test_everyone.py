# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody's containers in one run: the system's and two users', each with their own store, bus, credentials and memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Ansible, Result
from lablib.host import Host
from lablib.images import Kind
from lablib.units import deploy
from pushing import Push, id_of
from sight import look
from users import User, lingering, staying_away

ANNA, BERT, CARL, DORA = "it-anna", "it-bert", "it-carl", "it-dora"


@pytest.fixture
def users(host: Host) -> Iterator[tuple[User, User]]:
    """Two with containers, one without a manager, one who only logs in."""
    with (
        lingering(host, ANNA) as anna,
        lingering(host, BERT) as bert,
        staying_away(host, CARL),
        lingering(host, DORA),
    ):
        yield anna, bert


def _story(result: Result) -> dict[tuple[Any, ...], Any]:
    return {(row["scope"], row["user"], row["unit"]): row["status"] for row in result.rows}


def _looked(result: Result) -> dict[str | None, tuple[bool, str | None]]:
    return {one["user"]: (one["looked_at"], one["reason"]) for one in result.data["users"] if _ours(one["user"])}


def _ours(user: str | None) -> bool:
    return user in (None, ANNA, BERT, CARL, DORA)


def test_everybody_in_one_report(host: Host, users: tuple[User, User], ansible: Ansible, push: Push) -> None:
    anna, bert = users
    # Both users' units have one name, and one reference that the system has too: nobody is taken for somebody else.
    old, mine = push("shared"), push("bad")
    deploy(host, "it-web", image=old.reference)
    anna.deploy("it-web", old.reference)
    bert.deploy("it-web", mine.reference)
    before = (look(host).runs("it-web"), anna.runs("it-web"), bert.runs("it-web"))
    new = push("shared", version="2")
    push("bad", version="2", kind=Kind.NO_START)
    arguments: dict[str, Any] = {"scope": "all", "only": ["unit:it-*"]}

    predicted = ansible.update(host.name, check=True, **arguments).succeeded()
    keys = [("system", None, "it-web.service"), ("user", ANNA, "it-web.service"), ("user", BERT, "it-web.service")]
    assert _story(predicted) == dict.fromkeys(keys, "pending")
    assert (look(host).runs("it-web"), anna.runs("it-web"), bert.runs("it-web")) == before
    run = ansible.update(host.name, **arguments)
    result = run.failed()

    assert _story(result) == dict(zip(keys, ["updated", "updated", "rolled_back"], strict=True))
    assert [row["after"] for row in result.rows[:2]] == [row["after"] for row in predicted.rows[:2]]
    assert (look(host).runs("it-web"), anna.runs("it-web"), bert.runs("it-web")) == (
        id_of(new),
        id_of(new),
        id_of(mine),
    )
    assert result.data["summary"]["updated"] == 2
    assert result.data["summary"]["rolled_back"] == 1
    assert "it-bert: it-web.service" in result.data["msg"]
    assert [line.split()[0] for line in result.data["table"]] == ["USER", "-", ANNA, BERT]
    looked = {
        None: (True, None),
        ANNA: (True, None),
        BERT: (True, None),
        CARL: (False, "no_manager"),
        DORA: (True, None),
    }
    assert _looked(result) == looked
    asked = {one["user"]: one["requests"] for one in result.data["registries"]}
    assert set(asked) == {None, ANNA, BERT}
    assert min(asked.values()) >= 1
    for user in users:
        owned = host.run(["sh", "-c", f"find /home/{user.name} /run/user/{user.uid} -user root"]).stdout
        assert owned == "", "root left nothing in the user's folders"
    assert host.run(["sh", "-c", f"ls -A /home/{DORA}/.local || true"]).stdout == "", "who only logs in is left alone"

    for check in (True, False):
        again = ansible.update(host.name, check=check, **arguments).succeeded()
        assert _story(again) == dict(zip(keys, ["current", "current", "held"], strict=True))
        assert not again.changed

    told = ansible.info(host.name, **arguments).succeeded()
    assert [(one["user"], one["unit"]) for one in told.data["workloads"]] == [(key[1], key[2]) for key in keys]
    assert {one["unit_state"]["active_state"] for one in told.data["workloads"]} == {"active"}
    assert [(one["user"], one["by"]) for one in told.data["holds"]] == [(BERT, "image")]
    assert {one["user"] for one in told.data["slots"]} == {None, ANNA}
    runs = {one["user"]: one for one in told.data["runs"]}
    assert {user: one["by"]["user"] for user, one in runs.items()} == {None: "root", ANNA: ANNA, BERT: BERT}
    assert _looked(told) == looked
    _journal_agrees(host, users, runs)
    _one_user_in_the_way(ansible, anna, bert, push)
    _only_root_may(ansible, host)


def _journal_agrees(host: Host, users: tuple[User, User], runs: dict[str | None, Any]) -> None:
    """Each user's entries are theirs, with the run of their own history."""
    host.run(["journalctl", "--sync"])
    for user, uid in ((None, 0), *((one.name, one.uid) for one in users)):
        argv = ["journalctl", "--quiet", "--output=json", "SYSLOG_IDENTIFIER=podfleet-autoupdate", f"_UID={uid}"]
        entries = [json.loads(line) for line in host.run([*argv, f"RUN={runs[user]['run']}"]).stdout.splitlines()]
        assert [one["VERDICT"] for one in entries] == [one["verdict"] for one in runs[user]["units"]]


def _one_user_in_the_way(ansible: Ansible, anna: User, bert: User, push: Push) -> None:
    """A user whose memory is damaged does not keep others from being updated, and the run fails for it."""
    new = push("shared", version="3")
    bert.run("sh", "-c", "echo rubbish > ~/.local/state/podfleet-autoupdate/state.json")
    arguments: dict[str, Any] = {"scope": "all", "only": ["unit:it-web"], "fail_on": []}

    result = ansible.update(bert.host.name, **arguments).failed()

    assert _story(result) == {
        ("system", None, "it-web.service"): "updated",
        ("user", ANNA, "it-web.service"): "updated",
    }
    assert anna.runs("it-web") == id_of(new)
    assert _looked(result)[BERT] == (False, "state_invalid")
    assert f"Not looked at: {BERT}" in result.data["msg"]
    told = ansible.info(bert.host.name, scope="all", only=["unit:it-web", "unit:none"])
    assert len(told.succeeded().data["workloads"]) == 3
    assert told.warns(f"{BERT}: state_invalid")
    assert told.warns("the pattern 'unit:none' matches no container")
    assert not told.warns("the pattern 'unit:it-web'")


def _only_root_may(ansible: Ansible, host: Host) -> None:
    options = ["--become", f"--become-user={ANNA}"]
    assert "run as root" in ansible.update(host.name, options=options, scope="all").failed().data["msg"]
    assert "add scope: user" in ansible.update(host.name, scope="all", user=ANNA).failed().data["msg"]
