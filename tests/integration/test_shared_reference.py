# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that share a reference share its fate: the tag and what runs never part."""

from __future__ import annotations

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.units import deploy
from pushing import Push, id_of
from sight import look, starts

UNITS = ("it-first", "it-second")


@pytest.fixture
def old(host: Host, push: Push) -> Pushed:
    """What both units run."""
    image = push("shared")
    for name in UNITS:
        deploy(host, name, image=image.reference)
    return image


def test_a_broken_image_reaches_one_unit_only(host: Host, ansible: Ansible, push: Push, old: Pushed) -> None:
    """podman's own command reports the second one as updated, on the old image."""
    push("shared", version="2", kind=Kind.NO_START)
    before, second_starts = look(host), starts(host, "it-second.service")

    result = ansible.update(host.name).failed()

    assert result.verdicts() == {"it-first": ("rolled_back", "job_failed"), "it-second": ("failed", "group_failed")}
    assert not result.row("it-second")["changed"]
    after = look(host)
    assert {after.runs(name) for name in UNITS} == {id_of(old)} == {after.names[old.reference]}
    assert after.containers["it-second"] == before.containers["it-second"]
    assert starts(host, "it-second.service") == second_starts


def test_a_good_image_reaches_both(host: Host, ansible: Ansible, push: Push, old: Pushed) -> None:
    new = push("shared", version="2")
    before = {name: starts(host, f"{name}.service") for name in UNITS}

    result = ansible.update(host.name).succeeded()

    assert result.verdicts() == dict.fromkeys(UNITS, ("updated", None))
    after = look(host)
    assert {after.runs(name) for name in UNITS} == {id_of(new)} == {after.names[old.reference]}
    assert [len(starts(host, f"{name}.service") - before[name]) for name in UNITS] == [1, 1]
    assert set(after.slots.values()) == {id_of(old)}


def test_who_takes_no_part_is_named(host: Host, ansible: Ansible, old: Pushed) -> None:
    host.run(["podman", "create", "--name=it-idle", old.reference])

    result = ansible.update(host.name, check=True).succeeded()

    assert [row["shared_with"] for row in result.rows] == [["it-idle"], ["it-idle"]]
