# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts over six real hosts of both distributions, by the collection's own playbooks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import clean
from fleet import Fleet, inventory_of
from harness import Ansible
from lablib.hostimage import DISTROS
from lablib.images import ImageMaker
from lablib.lab import Lab
from lablib.units import deploy
from pushing import Push, id_of
from secrecy import Watch

#: Which hosts of each distribution are used: «PODFLEET_FLEET=3,4,5».
NUMBERS = os.environ.get("PODFLEET_FLEET", "3,4,5").split(",")


@pytest.fixture
def fleet(lab: Lab, watch: Watch, tmp_path: Path) -> Iterator[Fleet]:
    """Six hosts with nothing on them, in turn of one distribution and the other."""
    hosts = tuple(lab.host(f"{distro}-{number}") for number in NUMBERS for distro in DISTROS)
    found = Fleet(hosts, inventory_of(hosts, lab.inventory, tmp_path / "inventory"), tmp_path)
    found.each(clean)
    found.each(watch.begin)
    yield found
    found.each(watch.end)
    found.each(clean)
    found.each(watch.leave)


@pytest.fixture
def push(maker: ImageMaker) -> Push:
    return Push(maker, "fleet")


def test_all_go_back_in_waves(fleet: Fleet, push: Push) -> None:
    old = push("back")
    fleet.each(lambda host: deploy(host, "it-web", image=old.reference))
    new = push("back", version="2")
    assert Ansible(fleet.inventory).update("fleet").rc == 0
    assert set(fleet.images("it-web").values()) == {id_of(new)}
    canary = fleet.names[-1]
    given = {"rollout_only": "unit:it-web", "rollout_waves": "2, 50%", "rollout_canary": canary, "rollout_soak": 1}

    predicted = fleet.play("rollback", given, "--check").succeeded()
    assert (predicted["waves_done"], predicted["summary"]) == (0, {"waiting": 6})
    assert set(fleet.images("it-web").values()) == {id_of(new)}

    done = fleet.play("rollback", given).succeeded()
    assert done["waves"] == predicted["waves"] == [[canary], fleet.names[:2], fleet.names[2:5]]
    assert (done["waves_done"], done["summary"]) == (3, {"rolled_back": 6})
    assert set(fleet.images("it-web").values()) == {id_of(old)}

    again = fleet.play("rollback", given).succeeded()
    assert (again["waves"], again["summary"]) == ([], {"rolled_back": 6})
    # What was left is held on each host: an update does not go there again.
    held = Ansible(fleet.inventory).update("fleet")
    assert {name: one.verdicts()["it-web"] for name, one in held.results.items()} == dict.fromkeys(
        fleet.names, ("held", "bad_digest")
    )
