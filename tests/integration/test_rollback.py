# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broken image is put back: the old one runs again, the tag says so, and the task fails."""

from __future__ import annotations

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from lablib.units import deploy
from locations import DROP_INS, SCRATCH
from pushing import Push, id_of
from sight import look, unit


def test_the_old_image_runs_again_and_others_move_on(host: Host, ansible: Ansible, push: Push) -> None:
    old, old_db = push("web"), push("db")
    deploy(host, "it-web", image=old.reference)
    deploy(host, "it-db", image=old_db.reference)
    bad, new_db = push("web", version="2", kind=Kind.NO_START), push("db", version="2")
    before = look(host)

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-web": ("rolled_back", "job_failed"), "it-db": ("updated", None)}
    row = result.row("it-web")
    assert row["before"] == row["after"] == {"id": id_of(old), "digest": old.digest}
    assert (row["changed"], row["job_result"], row["podman_updated"]) == (True, "failed", "rolled back")
    assert "it-web.service" in row["error"]
    host.run(["podman", "image", "prune", "--force"])
    after = look(host)
    assert after.runs("it-web") == id_of(old) == after.names[old.reference]
    assert after.containers["it-web"].id != before.containers["it-web"].id
    assert after.runs("it-db") == id_of(new_db)
    assert list(after.rejected.values()) == [id_of(bad)]
    assert list(after.slots.values()) == [id_of(old_db)]
    assert after.names_by_digest == []
    assert unit(host, "it-web.service").active == "active"

    better = push("web", version="3")
    assert ansible.update(host.name).succeeded().verdicts()["it-web"] == ("updated", None)
    assert look(host).runs("it-web") == id_of(better)


@pytest.mark.parametrize("distro", ["trixie"])
def test_a_quadlet_unit_comes_back(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference, style="quadlet")
    push("web", version="2", kind=Kind.NO_START)

    assert ansible.update(host.name).failed().verdicts() == {"it-web": ("rolled_back", "job_failed")}

    after = look(host)
    assert after.runs("it-web") == id_of(old) == after.names[old.reference]


def test_a_pod_comes_back_though_its_own_job_is_done(host: Host, ansible: Ansible, push: Push) -> None:
    """systemd waits for the infra container only: that a member fails must be seen by looking."""
    old = push("web")
    deploy(host, "it-web", image=old.reference, style="pod")
    push("web", version="2", kind=Kind.NO_START)

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-web": ("rolled_back", "not_running")}
    assert result.row("it-web")["job_result"] == "done"
    after = look(host)
    assert after.runs("it-web") == id_of(old) == after.names[old.reference]


def test_without_rollback_the_failure_stays(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    bad = push("web", version="2", kind=Kind.NO_START)

    result = ansible.update(host.name, rollback=False).failed()

    assert result.verdicts() == {"it-web": ("failed", "job_failed")}
    assert result.row("it-web")["after"] == {"id": None, "digest": None}
    after = look(host)
    assert after.names[old.reference] == id_of(bad)
    assert list(after.slots.values()) == [id_of(old)]
    assert [one for one in after.containers.values() if one.state == "running"] == []


def test_a_unit_that_will_not_start_on_either_image_is_down(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    push("web", version="2", kind=Kind.NO_START)
    once = f"[Service]\nExecStartPre=/usr/bin/test ! -e {SCRATCH}/enough\n"
    host.write(f"{DROP_INS.replace('*', 'web')}/once.conf", once)
    host.write(f"{SCRATCH}/enough", "")
    host.run(["systemctl", "daemon-reload"])

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-web": ("failed", "unit_down")}
    after = look(host)
    assert after.names[old.reference] == id_of(old)
    assert "it-web" not in after.containers


def test_failing_may_be_left_to_the_caller(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    push("web", version="2", kind=Kind.NO_START)

    result = ansible.update(host.name, fail_on=[]).succeeded()

    assert result.verdicts() == {"it-web": ("rolled_back", "job_failed")}
    assert look(host).runs("it-web") == id_of(old)
