# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Earlier images on a host: what is kept, what goes, and the way back to them."""

from __future__ import annotations

import json

import pytest
from harness import Ansible, same_prediction
from lablib.host import Host
from lablib.images import Kind
from lablib.lab import Lab
from lablib.units import deploy
from locations import DROP_INS
from pushing import Push, id_of
from sight import look, starts

STATE = "/var/lib/podfleet-autoupdate/state.json"
ONLY = ["unit:it-web"]


def test_the_quartet_back_and_forward_again(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    ansible.update(host.name).succeeded()
    mark, before = lab.registry.mark(), look(host)

    checked = ansible.update(host.name, check=True, state="rolled_back", only=ONLY).succeeded()
    assert look(host) == before
    done = ansible.update(host.name, state="rolled_back", only=ONLY).succeeded()
    assert checked.verdicts() == {"it-web": ("pending", "check_mode")}
    assert done.verdicts() == {"it-web": ("rolled_back", None)}
    assert same_prediction(checked, done)
    assert done.changed
    assert done.row("it-web")["after"] == {"id": id_of(old), "digest": old.digest}
    assert done.row("it-web")["podman_updated"] == "rolled back"
    after = look(host)
    assert after.runs("it-web") == id_of(old) == after.names[old.reference]
    assert list(after.rejected.values()) == [id_of(new)]
    count = len(starts(host, "it-web.service"))
    for check in (True, False):
        again = ansible.update(host.name, check=check, state="rolled_back", only=ONLY).succeeded()
        assert (again.verdicts(), again.changed) == ({"it-web": ("current", None)}, False)
    assert len(starts(host, "it-web.service")) == count
    asked = [one for one in lab.registry.requests(since=mark) if push.repository("web") in one.path]
    assert asked == []

    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("held", "bad_digest")}
    newer = push("web", version="3")
    assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("updated", None)}
    assert look(host).runs("it-web") == id_of(newer)
    assert list(look(host).slots.values()) == [id_of(old)]


@pytest.mark.parametrize("distro", ["trixie"])
def test_quadlet_units_and_pods_go_back(host: Host, ansible: Ansible, push: Push) -> None:
    web, pod = push("web"), push("pod")
    deploy(host, "it-web", image=web.reference, style="quadlet")
    deploy(host, "it-pod", image=pod.reference, style="pod")
    push("web", version="2"), push("pod", version="2")
    ansible.update(host.name).succeeded()
    result = ansible.update(host.name, state="rolled_back", only=["*"]).succeeded()
    assert {one for one, _reason in result.verdicts().values()} == {"rolled_back"}
    after = look(host)
    assert after.names[web.reference] == id_of(web)
    assert after.names[pod.reference] == id_of(pod)
    again = ansible.update(host.name, state="rolled_back", only=["*"]).succeeded()
    assert {one for one, _reason in again.verdicts().values()} == {"current"}


def test_an_old_image_that_does_not_start_any_more_leaves_the_new_one(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web", kind=Kind.GOOD)
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    ansible.update(host.name).succeeded()
    refuse = f"podman image inspect --format {{{{.Id}}}} {old.reference} | grep -v {id_of(old)[7:]}"
    host.write("/run/systemd/system/it-web.service.d/no.conf", f"[Service]\nExecStartPre=/bin/sh -c '{refuse}'\n")
    host.run(["systemctl", "daemon-reload"])
    before = look(host)
    result = ansible.update(host.name, state="rolled_back", only=ONLY).failed()
    assert result.verdicts() == {"it-web": ("failed", "job_failed")}
    assert result.row("it-web")["after"]["id"] == id_of(new)
    after = look(host)
    assert (after.names, after.images) == (before.names, before.images)
    assert after.runs("it-web") == id_of(new)


def test_what_image_prune_takes_and_what_it_leaves(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    ansible.update(host.name).succeeded()
    host.run(["podman", "image", "prune", "--force"])
    assert list(look(host).slots.values()) == [id_of(old)]
    host.run(["podman", "image", "prune", "--all", "--force"])
    assert look(host).slots == {}
    for check in (True, False):
        result = ansible.update(host.name, check=check, state="rolled_back", only=ONLY).failed()
        assert result.verdicts() == {"it-web": ("failed", "slot_missing")}
        assert id_of(old) in result.row("it-web")["error"]
    assert look(host).runs("it-web") == id_of(new)


def test_the_way_back_asks_for_names_and_knows_the_tags_without_the_file(
    host: Host, ansible: Ansible, push: Push
) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    push("web", version="2")
    assert "only is empty" in ansible.update(host.name, state="rolled_back").failed().data["msg"]
    ansible.update(host.name).succeeded()
    (slot,) = json.loads(host.read(STATE))["slots"]
    assert (slot["unit"], slot["reference"], slot["number"]) == ("it-web.service", old.reference, 1)
    assert look(host).slots == {slot["name"]: id_of(old)}
    assert old.digest in slot["digests"]
    host.run(["rm", STATE])
    result = ansible.update(host.name, state="rolled_back", only=ONLY).succeeded()
    assert result.verdicts() == {"it-web": ("rolled_back", None)}
    assert look(host).runs("it-web") == id_of(old)


@pytest.mark.parametrize("keep", [1, 2])
def test_ten_updates_leave_no_leak(host: Host, ansible: Ansible, push: Push, keep: int) -> None:
    first = push("web")
    deploy(host, "it-web", image=first.reference)
    # systemd allows five starts in ten seconds, and a quick machine makes more updates than that.
    host.write(f"{DROP_INS.replace('*', 'web')}/limit.conf", "[Unit]\nStartLimitIntervalSec=0\n")
    host.run(["systemctl", "daemon-reload"])
    clean = look(host)
    pushed = [first]
    for number in range(2, 12):
        pushed.append(push("web", version=str(number)))
        result = ansible.update(host.name, keep=keep).succeeded()
        assert result.verdicts() == {"it-web": ("updated", None)}
    after = look(host)
    kept = [id_of(one) for one in pushed[-1 - keep : -1]]
    assert sorted(after.slots.values()) == sorted(kept)
    assert after.names_by_digest == []
    assert set(after.names) - set(after.slots) == set(clean.names)
    assert after.images == {*(clean.images - {id_of(first)}), id_of(pushed[-1]), *kept}
    assert len(json.loads(host.read(STATE))["slots"]) == keep


def test_pruning_takes_nothing_that_is_not_ours(host: Host, ansible: Ansible, push: Push) -> None:
    """Named by somebody else, used by a stopped container; and that another unit fails stops nothing."""
    first, db = push("web"), push("db")
    deploy(host, "it-web", image=first.reference)
    deploy(host, "it-db", image=db.reference)
    host.run(["podman", "tag", first.reference, "localhost/it-mine:1"])
    push("db", version="2", kind=Kind.NO_START)
    second = push("web", version="2")
    assert ansible.update(host.name).failed().verdicts()["it-web"] == ("updated", None)
    host.run(["podman", "create", "--name", "it-user", id_of(second)[7:]])
    third = push("web", version="3")
    assert ansible.update(host.name).succeeded().verdicts()["it-web"] == ("updated", None)
    fourth = push("web", version="4")
    assert ansible.update(host.name).succeeded().verdicts()["it-web"] == ("updated", None)
    after = look(host)
    assert after.names["localhost/it-mine:1"] == id_of(first)
    assert {id_of(first), id_of(second), id_of(third), id_of(fourth)} <= after.images
    assert "it-user" in after.containers
    host.run(["podman", "rm", "it-user"])
    fifth = push("web", version="5")
    ansible.update(host.name).succeeded()
    after = look(host)
    assert list(after.slots.values()) == [id_of(fourth)]
    assert {id_of(second), id_of(third)}.isdisjoint(after.images)
    assert {id_of(first), id_of(fourth), id_of(fifth)} <= after.images


def test_without_pruning_only_names_go(host: Host, ansible: Ansible, push: Push) -> None:
    images = [push("web")]
    deploy(host, "it-web", image=images[0].reference)
    for number in (2, 3):
        images.append(push("web", version=str(number)))
        ansible.update(host.name, prune="none").succeeded()
    after = look(host)
    assert {id_of(one) for one in images} <= after.images
    assert list(after.slots.values()) == [id_of(images[1])]
    host.run(["podman", "image", "prune", "--force"])
    assert id_of(images[0]) not in look(host).images
