# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts over six real hosts of both distributions, by the collection's own playbooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleet import Fleet
from lablib.host import Host
from lablib.images import ImageMaker, Kind
from lablib.units import deploy
from locations import SCRATCH
from pushing import Push, id_of
from sight import look


@pytest.fixture
def push(maker: ImageMaker) -> Push:
    return Push(maker, "fleet")


@pytest.fixture
def cut_off() -> Iterator[Callable[[Host], None]]:
    """Lets no connection live on a host, and none begin, until the test calls it again or ends."""
    cut: list[Host] = []

    def change(host: Host) -> None:
        if host in cut:
            cut.remove(host)
            host.run(["systemctl", "start", "ssh.service"])
        else:
            cut.append(host)
            host.run(["sh", "-c", "systemctl stop ssh.service ssh.socket; pkill sshd; true"])

    yield change
    for host in list(cut):
        change(host)


def _containers(fleet: Fleet) -> dict[str, str]:
    """Host → the ID of its container; another one after each restart."""
    return fleet.each(lambda host: look(host).containers["it-web"].id)


def test_a_tag_that_moves_and_a_host_that_is_lost(
    fleet: Fleet, push: Push, cut_off: Callable[[Host], None], tmp_path: Path
) -> None:
    old = push("moves")
    fleet.each(lambda host: deploy(host, "it-web", image=old.reference))
    planned = push("moves", version="2")
    first, second, lost, *others = fleet.names
    given = {"plan_file": str(tmp_path / "plan.json"), "rollout_waves": [1, 2, "100%"]}
    assert fleet.play("plan", given).rc == 0
    before = _containers(fleet)

    checked = fleet.play("rollout", given, "--check").succeeded()
    assert checked["waves"] == [[first], [second, lost], others]
    assert _containers(fleet) == before

    # Pulled beforehand, it moves nothing; a second time there is nothing to pull.
    ahead = {**given, "rollout_stage_only": True, "rollout_waves": "100%"}
    for waves in ([fleet.names], []):
        staged = fleet.play("rollout", ahead).succeeded()
        assert (staged["waves"], staged["summary"]) == (waves, {"staged": len(fleet.names)})
    assert _containers(fleet) == before

    running = fleet.start("rollout", {**given, "rollout_soak": 8})
    running.await_text("Wave 1 of 3")
    cut_off(fleet.hosts[2])
    running.await_text("TASK [See how they run]", times=2)
    later = push("moves", version="3")
    assert "Wave 2 of 3" not in running.output()
    report = running.ended().failed()

    assert (report["halted"], report["waves_done"]) == (None, 3)
    assert report["summary"] == {"converged": 5, "unreachable": 1}
    assert report["hosts"][lost]["verdict"] == "unreachable"
    assert fleet.images("it-web") == {**dict.fromkeys(fleet.names, id_of(planned)), lost: id_of(old)}

    cut_off(fleet.hosts[2])
    moved = _containers(fleet)
    report = fleet.play("rollout", given).succeeded()
    assert (report["waves"], report["summary"]) == ([[lost]], {"converged": 6})
    assert set(fleet.images("it-web").values()) == {id_of(planned)} != {id_of(later)}
    assert {**_containers(fleet), lost: ""} == {**moved, lost: ""}

    # And back, in waves as well.
    canary = fleet.names[-1]
    given = {"rollout_only": "unit:it-web", "rollout_waves": "2, 50%", "rollout_canary": canary}
    predicted = fleet.play("rollback", given, "--check").succeeded()
    assert (predicted["waves_done"], predicted["summary"]) == (0, {"waiting": 6})
    assert set(fleet.images("it-web").values()) == {id_of(planned)}
    done = fleet.play("rollback", given).succeeded()
    assert done["waves"] == predicted["waves"] == [[canary], fleet.names[:2], fleet.names[2:5]]
    assert (done["waves_done"], done["summary"]) == (3, {"rolled_back": 6})
    assert set(fleet.images("it-web").values()) == {id_of(old)}
    again = fleet.play("rollback", given).succeeded()
    assert (again["waves"], again["summary"]) == ([], {"rolled_back": 6})
    assert fleet.all_hold(planned)


def test_a_broken_canary_and_a_controller_that_is_lost(fleet: Fleet, push: Push) -> None:
    old = push("canary")
    fleet.each(lambda host: deploy(host, "it-web", image=old.reference))
    bad = push("canary", version="2", kind=Kind.NO_START)
    canary = fleet.names[0]
    given = {"rollout_canary": canary, "rollout_waves": "2, 100%"}
    before = _containers(fleet)

    report = fleet.play("rollout", given).failed()

    assert (report["halted"], report["waves_done"], report["waves"][0]) == ("failures", 1, [canary])
    assert report["summary"] == {"failed": 1, "waiting": 5}
    after = _containers(fleet)
    assert [name for name in fleet.names if after[name] != before[name]] == [canary]
    assert set(fleet.images("it-web").values()) == {id_of(old)}
    assert fleet.all_hold(bad)

    # The same image is held everywhere now, so the next run begins nothing.
    report = fleet.play("rollout", given).succeeded()
    assert (report["waves"], report["summary"]) == ([], {"held": 6})
    assert _containers(fleet) == after

    # Another image passes. The controller is lost after the canary, with all its files.
    good = push("canary", version="3")
    running = fleet.start("rollout", {**given, "rollout_soak": 2})
    # Not later: what a second wave had begun would go on by itself on its hosts.
    running.await_text("TASK [Judge the wave]")
    running.kill()
    running.log.unlink()
    moved = _containers(fleet)
    assert fleet.images("it-web")[canary] == id_of(good)
    report = fleet.play("rollout", given).succeeded()
    assert canary not in {name for wave in report["waves"] for name in wave}
    assert report["summary"] == {"converged": len(report["hosts"])}
    assert set(fleet.images("it-web").values()) == {id_of(good)}
    assert _containers(fleet)[canary] == moved[canary]


def test_what_dies_in_the_soak_goes_back_and_after_a_halt_all_can(fleet: Fleet, push: Push) -> None:
    """The host's own gate is told to believe at once; the look after the soak does not."""
    old = push("soak")
    fleet.each(lambda host: deploy(host, "it-web", image=old.reference))
    bad = push("soak", version="2", kind=Kind.DIES)

    report = fleet.play("rollout", {"rollout_soak": 6, "rollout_waves": [2]}).failed()

    assert (report["halted"], report["waves_done"]) == ("failures", 1)
    assert [report["hosts"][name]["verdict"] for name in fleet.names[:2]] == ["failed", "failed"]
    assert all(
        "after the soak" in str(one["error"]) or "during the soak" in str(one["error"])
        for one in report["hosts"].values()
        if one["wave"] == 1
    )
    assert set(fleet.images("it-web").values()) == {id_of(old)}
    assert fleet.all_hold(bad)

    # Another image: it does well on the first host, and not on the second.
    worse = push("soak", version="3")
    well, sick, *_others = fleet.hosts
    sick.write(f"{SCRATCH}/sick", "")
    given = {
        "rollout_waves": [1],
        "rollout_on_halt": "rollback_all",
        "rollout_health_command": ["/usr/bin/test", "!", "-e", f"{SCRATCH}/sick"],
    }

    report = fleet.play("rollout", given).failed()

    assert (report["halted"], report["waves_done"]) == ("failures", 2)
    assert {name: one["verdict"] for name, one in report["hosts"].items() if one["verdict"] != "waiting"} == {
        well.name: "rolled_back",
        sick.name: "failed",
    }
    assert set(fleet.images("it-web").values()) == {id_of(old)}
    assert fleet.all_hold(bad, worse)
