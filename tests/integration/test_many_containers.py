# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several containers in one unit: decided one by one, restarted once."""

from __future__ import annotations

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.units import ContainerSpec, deploy_many
from pushing import Push, id_of
from sight import look, starts

UNIT = "it-pair.service"


@pytest.fixture
def old(host: Host, push: Push) -> tuple[Pushed, Pushed]:
    """What the containers it-one and it-two run."""
    one, two = push("one"), push("two")
    deploy_many(host, UNIT, [ContainerSpec("it-one", one.reference), ContainerSpec("it-two", two.reference)])
    return one, two


def test_two_new_images_are_one_restart(host: Host, ansible: Ansible, push: Push, old: tuple[Pushed, Pushed]) -> None:
    new = push("one", version="2"), push("two", version="2")
    before = starts(host, UNIT)

    result = ansible.update(host.name).succeeded()

    assert result.verdicts() == {"it-one": ("updated", None), "it-two": ("updated", None)}
    assert {row["unit"] for row in result.rows} == {UNIT}
    assert len(starts(host, UNIT) - before) == 1
    after = look(host)
    assert (after.runs("it-one"), after.runs("it-two")) == tuple(map(id_of, new))
    assert sorted(after.slots.values()) == sorted(map(id_of, old))


def test_the_other_row_stays_current(host: Host, ansible: Ansible, push: Push, old: tuple[Pushed, Pushed]) -> None:
    new = push("one", version="2")
    before = starts(host, UNIT)

    result = ansible.update(host.name).succeeded()

    assert result.verdicts() == {"it-one": ("updated", None), "it-two": ("current", None)}
    assert not result.row("it-two")["changed"]
    assert len(starts(host, UNIT) - before) == 1
    after = look(host)
    assert (after.runs("it-one"), after.runs("it-two")) == (id_of(new), id_of(old[1]))


def test_one_broken_image_takes_both_back(host: Host, ansible: Ansible, push: Push, old: tuple[Pushed, Pushed]) -> None:
    push("one", version="2")
    push("two", version="2", kind=Kind.NO_START)

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-one": ("rolled_back", "job_failed"), "it-two": ("rolled_back", "job_failed")}
    after = look(host)
    assert (after.runs("it-one"), after.runs("it-two")) == tuple(map(id_of, old))
    assert [after.names[one.reference] for one in old] == list(map(id_of, old))
