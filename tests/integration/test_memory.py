# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers from one run to the next: images that failed, people's holds, and what happened."""

from __future__ import annotations

import json
from typing import Any

from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from lablib.units import deploy
from pushing import Push, id_of
from sight import look

FOLDER = "/var/lib/podfleet-autoupdate"


def state(host: Host) -> Any:
    """The state file, as it is on the host."""
    return json.loads(host.read(f"{FOLDER}/state.json"))


def history(host: Host) -> list[Any]:
    """The history, as it is on the host."""
    return [json.loads(line) for line in host.read(f"{FOLDER}/history.jsonl").splitlines()]


def test_an_image_that_failed_is_held_and_a_newer_one_passes(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    bad = push("web", version="2", kind=Kind.NO_START)
    ansible.update(host.name).failed()

    (hold,) = state(host)["holds"]
    assert (hold["by"], hold["reference"], hold["unit"]) == ("image", old.reference, "it-web.service")
    assert (hold["id"], hold["platform"]) == (id_of(bad), "linux/amd64")
    assert bad.digest in hold["digests"]

    before = look(host)
    for check in (True, False, True, False):
        result = ansible.update(host.name, check=check).succeeded()
        assert result.verdicts() == {"it-web": ("held", "bad_digest")}
        assert not result.changed
    assert look(host) == before
    push("web", version="2", kind=Kind.NO_START, recompress=True)
    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("held", "bad_digest")}
    assert list(look(host).rejected.values()) == [id_of(bad)]

    better = push("web", version="3")
    checked = ansible.update(host.name, check=True).succeeded()
    assert checked.verdicts() == {"it-web": ("pending", "check_mode")}
    done = ansible.update(host.name).succeeded()
    assert done.verdicts() == {"it-web": ("updated", None)}
    assert look(host).runs("it-web") == id_of(better)
    assert state(host)["holds"] == [hold] or set(hold["digests"]) < set(state(host)["holds"][0]["digests"])

    told = [(one["unit"], one["verdict"], one["reason"]) for one in history(host)]
    assert told == [("it-web.service", "rolled_back", "job_failed"), ("it-web.service", "updated", None)]
    event = history(host)[1]
    assert (event["uid"], event["user"], event["job_result"]) == (0, "root", "done")
    assert event["changes"][0]["before"]["id"] == id_of(old)
    assert event["changes"][0]["after"] == {"id": id_of(better), "digest": better.digest}
    modes = host.run(["stat", "-c", "%a", FOLDER, f"{FOLDER}/state.json", f"{FOLDER}/history.jsonl"]).stdout.split()
    assert modes == ["700", "600", "600"]


def test_a_hold_is_lifted(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    bad = push("web", version="2")
    host.write("/run/systemd/system/it-web.service.d/guard.conf", "[Service]\nExecStartPre=/usr/bin/false\n")
    host.run(["systemctl", "daemon-reload"])
    assert ansible.update(host.name).failed().verdicts() == {"it-web": ("failed", "unit_down")}
    assert [one["id"] for one in state(host)["holds"]] == [id_of(bad)]
    host.run(["sh", "-c", "rm -r /run/systemd/system/it-web.service.d; systemctl daemon-reload"])
    host.run(["sh", "-c", "systemctl reset-failed it-web; systemctl restart it-web"])
    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("held", "bad_digest")}

    checked = ansible.update(host.name, check=True, lift_holds=True).succeeded()
    assert (checked.verdicts(), checked.changed) == ({"it-web": ("pending", "check_mode")}, True)
    assert [one["id"] for one in state(host)["holds"]] == [id_of(bad)]
    result = ansible.update(host.name, lift_holds=True).succeeded()
    assert result.verdicts() == {"it-web": ("updated", None)}
    assert state(host)["holds"] == []
    assert list(look(host).rejected.values()) == []


def test_people_hold_units_and_references_for_a_time(host: Host, ansible: Ansible, push: Push) -> None:
    web, db = push("web"), push("db")
    deploy(host, "it-web", image=web.reference)
    deploy(host, "it-db", image=db.reference)
    new_web, new_db = push("web", version="2"), push("db", version="2")
    holds = [
        {"unit": "it-w*", "reason": "frozen", "until": "2999-01-01"},
        {"reference": db.reference, "until": "2999-01-01"},
    ]
    held = {"it-web": ("held", "user_hold"), "it-db": ("held", "user_hold")}
    checked = ansible.update(host.name, check=True, holds=holds).succeeded()
    assert (checked.verdicts(), checked.changed) == (held, True)
    assert host.run(["sh", "-c", f"ls {FOLDER} || true"]).stdout == ""
    done = ansible.update(host.name, holds=holds)
    assert (done.succeeded().verdicts(), done.result.changed) == (held, True)
    assert done.warns("frozen")
    for again in (ansible.update(host.name, holds=holds), ansible.update(host.name)):
        assert (again.succeeded().verdicts(), again.result.changed) == (held, False)

    holds = [{"unit": "it-w*", "until": "2026-01-01"}, {"unit": "it-db", "until": "2999-01-01T00:00:00+01:00"}]
    done = ansible.update(host.name, holds=holds)
    assert done.succeeded().verdicts() == {"it-web": ("updated", None), "it-db": ("held", "user_hold")}
    assert done.warns("has ended already, so it holds nothing: everything in it-w* until 2026-01-01T00:00:00Z")
    assert look(host).runs("it-web") == id_of(new_web)
    assert ansible.update(host.name, holds=[]).succeeded().verdicts()["it-db"] == ("updated", None)
    assert look(host).runs("it-db") == id_of(new_db)

    for wrong in ({"unit": "it-web", "until": "soon"}, {"reason": "because"}, {"reference": "short"}):
        ansible.update(host.name, holds=[wrong]).failed()


def test_a_damaged_file_stops_the_run_before_anything_is_touched(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-web", image=push("web").reference)
    push("web", version="2")
    host.run(["mkdir", "-p", FOLDER])
    host.write(f"{FOLDER}/state.json", '{"schema": 99}')
    before = look(host)
    for check in (True, False):
        result = ansible.update(host.name, check=check).failed()
        assert result.data["reason"] == "state_invalid"
    assert look(host) == before
    assert state(host) == {"schema": 99}
