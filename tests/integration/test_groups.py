# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restarts together is one member, each unit once; how many units a run may restart, and how many may fail."""

from __future__ import annotations

import pytest
from harness import Ansible, same_prediction
from lablib.host import Host
from lablib.images import Kind
from lablib.units import ContainerSpec, deploy, deploy_many
from pushing import Push, id_of
from sight import look, starts, unit

PARENT, CHILD = "it-parent", "it-child"


def _tie(host: Host, name: str, settings: str) -> None:
    host.write(f"/run/systemd/system/{name}.service.d/tie.conf", f"[Unit]\n{settings}\n")
    host.run(["systemctl", "daemon-reload"])


@pytest.fixture(params=["Requires", "BindsTo", "PartOf"])
def tied(request: pytest.FixtureRequest, host: Host, push: Push) -> str:
    """Parent and child with an image each; the child requires the parent in one of systemd's ways."""
    kind: str = request.param
    for name in (PARENT, CHILD):
        deploy(host, name, image=push(name).reference)
    _tie(host, CHILD, f"{kind}={PARENT}.service\nAfter={PARENT}.service")
    return kind


def test_parent_and_child_restart_once_each_and_run_afterwards(
    host: Host, ansible: Ansible, push: Push, tied: str
) -> None:
    new = {name: push(name, version="2") for name in (PARENT, CHILD)}
    before = {name: starts(host, f"{name}.service") for name in new}

    check = ansible.update(host.name, check=True).succeeded()
    run = ansible.update(host.name).succeeded()

    assert same_prediction(check, run), tied
    assert run.verdicts() == dict.fromkeys(new, ("updated", None))
    after = look(host)
    assert {name: after.runs(name) for name in new} == {name: id_of(image) for name, image in new.items()}
    assert [len(starts(host, f"{name}.service") - before[name]) for name in new] == [1, 1]
    assert {unit(host, f"{name}.service").active for name in new} == {"active"}
    assert not ansible.update(host.name).succeeded().changed


def test_a_child_of_two_changed_parents_restarts_once(host: Host, ansible: Ansible, push: Push) -> None:
    parents = (PARENT, f"{PARENT}-2")
    for name in (*parents, CHILD):
        deploy(host, name, image=push(name).reference)
    both = " ".join(f"{name}.service" for name in parents)
    _tie(host, CHILD, f"Requires={both}\nAfter={both}")
    new = {name: push(name, version="2") for name in (*parents, CHILD)}
    before = {name: starts(host, f"{name}.service") for name in new}

    run = ansible.update(host.name).succeeded()

    assert run.verdicts() == dict.fromkeys(new, ("updated", None))
    after = look(host)
    assert {name: after.runs(name) for name in new} == {name: id_of(image) for name, image in new.items()}
    assert {name: len(starts(host, f"{name}.service") - before[name]) for name in new} == dict.fromkeys(new, 1)


@pytest.mark.parametrize("broken", [PARENT, CHILD])
def test_if_either_fails_both_go_back(host: Host, ansible: Ansible, push: Push, broken: str) -> None:
    old = {name: push(name) for name in (PARENT, CHILD)}
    for name, image in old.items():
        deploy(host, name, image=image.reference)
    _tie(host, CHILD, f"Requires={PARENT}.service\nAfter={PARENT}.service")
    for name in old:
        push(name, version="2", kind=Kind.NO_START if name == broken else Kind.GOOD)

    run = ansible.update(host.name).failed()

    assert {status for status, _reason in run.verdicts().values()} == {"rolled_back"}, [
        row["error"] for row in run.rows
    ]
    after = look(host)
    assert {name: after.runs(name) for name in old} == {name: id_of(image) for name, image in old.items()}
    assert {name: after.names[image.reference] for name, image in old.items()} == {
        name: id_of(image) for name, image in old.items()
    }
    assert {unit(host, f"{name}.service").active for name in old} == {"active"}


def test_only_the_child_is_restarted_where_only_it_changes(host: Host, ansible: Ansible, push: Push) -> None:
    for name in (PARENT, CHILD):
        deploy(host, name, image=push(name).reference)
    _tie(host, CHILD, f"Requires={PARENT}.service\nAfter={PARENT}.service")
    push(CHILD, version="2")
    before = starts(host, f"{PARENT}.service")

    assert ansible.update(host.name).succeeded().verdicts() == {PARENT: ("current", None), CHILD: ("updated", None)}

    assert starts(host, f"{PARENT}.service") == before


def test_a_limit_leaves_the_others_and_their_tags_alone(host: Host, ansible: Ansible, push: Push) -> None:
    names = ("it-one", "it-three", "it-two")
    old = {name: push(name) for name in names}
    for name, image in old.items():
        deploy(host, name, image=image.reference)
        push(name, version="2")

    check = ansible.update(host.name, check=True, limit=2).succeeded()
    run = ansible.update(host.name, limit=2).succeeded()

    assert check.verdicts()["it-two"] == run.verdicts()["it-two"] == ("pending", "limit_reached")
    assert same_prediction(check, run)
    assert [run.row(name)["status"] for name in names[:2]] == ["updated", "updated"]
    after = look(host)
    assert after.runs("it-two") == id_of(old["it-two"]) == after.names[old["it-two"].reference]
    assert ansible.update(host.name, limit=2).succeeded().row("it-two")["status"] == "updated"


def test_units_that_share_a_tag_are_begun_together_or_not_at_all(host: Host, ansible: Ansible, push: Push) -> None:
    shared, own = push("shared"), push("own")
    for name, image in (("it-one", shared), ("it-two", shared), ("it-zero", own)):
        deploy(host, name, image=image.reference)
    push("shared", version="2")
    push("own", version="2")

    run = ansible.update(host.name, limit=1).succeeded()

    assert run.verdicts() == {
        "it-one": ("pending", "limit_reached"),
        "it-two": ("pending", "limit_reached"),
        "it-zero": ("updated", None),
    }
    assert "2 units are updated together" in run.row("it-one")["error"]
    assert look(host).names[shared.reference] == id_of(shared)


def test_after_so_many_failures_nothing_more_is_begun(host: Host, ansible: Ansible, push: Push) -> None:
    names = ("it-one", "it-three", "it-two")
    old = {name: push(name) for name in names}
    for name, image in old.items():
        deploy(host, name, image=image.reference)
        push(name, version="2", kind=Kind.NO_START if name == "it-one" else Kind.GOOD)
    before = {name: starts(host, f"{name}.service") for name in names[1:]}

    run = ansible.update(host.name, max_failures=1, parallel=1).failed()

    assert run.row("it-one")["status"] == "rolled_back"
    assert {name: run.verdicts()[name] for name in names[1:]} == dict.fromkeys(names[1:], ("pending", "max_failures"))
    after = look(host)
    assert {name: after.runs(name) for name in names} == {name: id_of(image) for name, image in old.items()}
    assert {name: starts(host, f"{name}.service") for name in names[1:]} == before
    assert {after.names[old[name].reference] for name in names[1:]} == {id_of(old[name]) for name in names[1:]}


def test_a_trusted_label_counts_where_the_unit_does_not_own_the_processes(
    host: Host, ansible: Ansible, push: Push
) -> None:
    """A container that was started by hand for a unit, whose start then replaces it."""
    image = push("app")
    deploy_many(host, "it-many", [ContainerSpec("it-app", image.reference)])
    label = "--label=io.containers.autoupdate=registry"
    made = ["run", "-d", "--name=it-app", "--replace", label, image.reference]
    host.run(["podman", *made], env={"PODMAN_SYSTEMD_UNIT": "it-many.service"})
    new = push("app", version="2")

    assert ansible.update(host.name).failed().verdicts() == {"it-app": ("failed", "unit_mismatch")}
    run = ansible.update(host.name, trust_labels=True).succeeded()

    assert run.verdicts() == {"it-app": ("updated", None)}
    assert look(host).runs("it-app") == id_of(new)
