# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups: units that share a reference share its fate."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import Target, Workload
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import Policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import UnitLinks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.groups import Change, form_groups
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

_OTHER = "quay.io/team/other:1"


@pytest.fixture
def host() -> Host:
    """A host that runs version 1 in three units, while the registry has version 2."""
    host = Host()
    host.has(V1, APP)
    for name in ("a", "b", "c"):
        host.service(f"{name}.service", Recipe(name, APP))
    host.registry.publish(V2)
    return host


def test_all_members_are_moved(host: Host) -> None:
    assert set(told(host.update().run()).values()) == {("updated", None)}
    assert {host.running(name) for name in "abc"} == {host.tags[APP]} == {V2.id}
    assert len(host.registry.questions) == 1
    assert [host.tags[names.slot(f"{name}.service", APP)] for name in "abc"] == [V1.id] * 3


def test_the_first_member_is_judged_before_the_others_are_started(host: Host) -> None:
    """A30: podman reports the second unit as updated, on the old image."""
    host.services["a.service"].fails_on = {V2.id}
    report = host.update().run()
    assert told(report) == {
        "a": ("rolled_back", "job_failed"),
        "b": ("failed", "group_failed"),
        "c": ("failed", "group_failed"),
    }
    assert set(host.done("restart")) == {("a.service",)}
    assert {host.running(name) for name in "abc"} == {host.tags[APP]} == {V1.id}
    assert [row(report, name).changed for name in "abc"] == [True, False, False]
    assert "a.service failed first" in str(row(report, "b").finding.error)


def test_the_rest_is_started_side_by_side_and_all_go_back_if_one_fails(host: Host) -> None:
    host.services["c.service"].fails_on = {V2.id}
    report = host.update().run()
    assert told(report) == {
        "a": ("rolled_back", "group_failed"),
        "b": ("rolled_back", "group_failed"),
        "c": ("rolled_back", "job_failed"),
    }
    assert {host.running(name) for name in "abc"} == {host.tags[APP]} == {V1.id}
    assert host.done("restart")[:3] == [("a.service",), ("b.service",), ("c.service",)]
    assert "c.service failed" in str(row(report, "a").finding.error)


def test_without_rollback_each_member_has_its_own_end(host: Host) -> None:
    host.services["c.service"].fails_on = {V2.id}
    report = host.update(rollback=False).run()
    assert told(report) == {"a": ("updated", None), "b": ("updated", None), "c": ("failed", "job_failed")}
    assert host.tags[APP] == V2.id


@pytest.mark.parametrize("rollback", [True, False])
def test_a_member_whose_tags_cannot_be_moved_does_not_part_the_others_from_their_tag(
    host: Host, rollback: bool
) -> None:
    host.broken_names = {names.slot("b.service", APP)}
    report = host.update(rollback=rollback).run()
    assert told(report)["b"] == ("failed", "store_failed")
    assert ("b.service",) not in host.done("restart")
    assert {host.running("a"), host.running("c")} == {host.tags[APP]} == {V1.id if rollback else V2.id}


def test_other_references_are_not_touched_by_a_failure(host: Host) -> None:
    host.has(V1, _OTHER)
    host.service("x.service", Recipe("x", _OTHER))
    host.registry.publish(V3, _OTHER)
    host.services["a.service"].fails_on = {V2.id}
    report = host.update().run()
    assert told(report)["x"] == ("updated", None)
    assert told(report)["a"] == ("rolled_back", "job_failed")


def test_a_unit_with_two_references_links_their_groups(host: Host) -> None:
    host.has(V1, _OTHER)
    host.registry.publish(V3, _OTHER)
    host.service("b2.service", Recipe("b2", APP), Recipe("b2-other", _OTHER))
    host.service("z.service", Recipe("z", _OTHER))
    host.services["z.service"].fails_on = {V3.id}
    report = host.update().run()
    assert told(report)["z"] == ("rolled_back", "job_failed")
    assert {told(report)[name] for name in ("a", "b", "c", "b2", "b2-other")} == {("rolled_back", "group_failed")}
    assert (host.tags[APP], host.tags[_OTHER]) == (V1.id, V1.id)


def test_members_that_ran_different_images_are_put_back_each_on_its_own(host: Host) -> None:
    host.has(V3, APP)
    host.service("d.service", Recipe("d", APP))
    host.services["d.service"].fails_on = {V2.id}
    assert {status for status, _reason in told(host.update().run()).values()} == {"rolled_back"}
    assert [host.running(name) for name in "abcd"] == [V1.id, V1.id, V1.id, V3.id]


def test_a_pull_that_fails_for_the_group_starts_nothing(host: Host) -> None:
    host.broken_pulls.add(f"quay.io/team/app@{V2.digest}")
    assert set(told(host.update().run()).values()) == {("failed", "pull_failed")}
    assert host.done("restart") == []
    assert host.tags == {APP: V1.id}


@pytest.mark.usefixtures("impatient")
def test_one_tag_has_one_image_whatever_policies_follow_it(host: Host) -> None:
    """Local storage names a third image: the tag cannot be both, and the registry's is the one that it will have."""
    host.service("local.service", Recipe("local", APP, policy="local"))
    host.has(V3, APP)
    report = host.update().run()
    assert set(told(report).values()) == {("updated", None)}
    assert {host.running(name) for name in ("a", "b", "c", "local")} == {host.tags[APP]} == {V2.id}


def test_a_tag_that_will_not_move_moves_nobody_who_follows_it_locally(host: Host) -> None:
    """All that follow the registry are busy: the local one stays where local storage has it."""
    host.service("local.service", Recipe("local", APP, policy="local"))
    for name in "abc":
        host.services[f"{name}.service"].job_running = True
    for report in (host.update().check(), host.update().run()):
        assert told(report)["local"] == ("current", None)
    assert host.done("pull") == host.done("restart") == []


def test_containers_that_take_no_part_are_told_beside_those_that_do(host: Host) -> None:
    host.service("manual.service", Recipe("manual", APP, policy=None))
    host.service("stopped.service", Recipe("stopped", APP, policy=None), crashes_on={V1.id})
    host.has(V1, _OTHER)
    host.service("elsewhere.service", Recipe("elsewhere", _OTHER, policy=None))
    report = host.update(only=["unit:a", "unit:b"]).check()
    assert {one.workload.shared_with for one in report.rows} == {("c", "manual", "stopped")}


def test_what_is_refused_shares_its_reference_with_others_but_not_with_itself(host: Host) -> None:
    host.service("odd.service", Recipe("odd", APP, policy="fake_xyz"))
    report = host.update(only=["unit:odd", "unit:a"]).check()
    assert {one.workload.container_name: one.workload.shared_with for one in report.rows} == {
        "a": ("b", "c", "odd"),
        "odd": ("b", "c"),
    }


# How groups are formed.


def _change(unit: str, name: str) -> Change:
    workload = Workload(f"{unit} {name}", name, unit, name, Policy.LOCAL, None, name, None, None, frozenset(), 1)
    return Change(workload, Target(None, None, name))


def _formed(*pairs: tuple[str, str]) -> list[list[str]]:
    return [[member.unit for member in group] for group in form_groups([_change(*pair) for pair in pairs])]


class Formed(t.NamedTuple):
    """Pairs of unit and reference, and the groups of units."""

    pairs: tuple[tuple[str, str], ...]
    expected: list[list[str]]


@pytest.mark.parametrize(
    "case",
    [
        Formed((), []),
        Formed((("u", "x"),), [["u"]]),
        Formed((("u", "x"), ("u", "y")), [["u"]]),
        Formed((("v", "x"), ("u", "x")), [["u", "v"]]),
        Formed((("v", "x"), ("u", "y")), [["u"], ["v"]]),
        Formed((("a", "x"), ("b", "y"), ("c", "x"), ("c", "y")), [["a", "b", "c"]]),
        Formed((("d", "w"), ("a", "x"), ("c", "y"), ("b", "x"), ("b", "y")), [["a", "b", "c"], ["d"]]),
    ],
    ids=str,
)
def test_units_are_grouped_by_shared_references(case: Formed) -> None:
    assert _formed(*case.pairs) == case.expected


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), unique=True, max_size=12))
def test_groups_part_the_units_and_never_a_reference(pairs: list[tuple[str, str]]) -> None:
    groups = form_groups([_change(*pair) for pair in pairs])
    units = [member.unit for group in groups for member in group]
    assert sorted(units) == sorted({unit for unit, _name in pairs})
    names_of = [{change.target.name for member in group for change in member.changes} for group in groups]
    assert sum(map(len, names_of)) == len({name for _unit, name in pairs}), "no reference is in two groups"
    assert sorted(
        (member.unit, change.target.name) for group in groups for member in group for change in member.changes
    ) == sorted(pairs)
    # Nor is more put together than has to be: a group falls apart if any reference is taken out of its sharing.
    for group in groups:
        if len(group) > 1:
            assert all(
                any(change.target.name in shared for change in member.changes)
                for member in group
                for shared in [
                    {change.target.name for other in group if other.unit != member.unit for change in other.changes}
                ]
            )


# What one restart takes along.


def _linked(links: t.Mapping[str, str], *pairs: tuple[str, str]) -> list[list[tuple[str, str]]]:
    known = {unit: UnitLinks(dependents=frozenset(dependents)) for unit, dependents in links.items()}
    groups = form_groups([_change(*pair) for pair in pairs], links=known)
    return [[(one.unit, "".join(sorted(one.changed_units))) for one in group] for group in groups]


class Linked(t.NamedTuple):
    """Dependents of each unit, units with a change and its reference, and the members of each group: root and units."""

    links: dict[str, str]
    pairs: tuple[tuple[str, str], ...]
    expected: list[list[tuple[str, str]]]


@pytest.mark.parametrize(
    "case",
    [
        Linked({"p": "c"}, (("p", "x"), ("c", "y")), [[("p", "cp")]]),
        Linked({"p": "c"}, (("c", "y"),), [[("c", "c")]]),
        Linked({"p": "cd", "c": "d"}, (("p", "x"), ("c", "y"), ("d", "z")), [[("p", "cdp")]]),
        Linked({"p": "cd"}, (("p", "x"), ("d", "z")), [[("p", "dp")]]),
        Linked({"n": "ab"}, (("a", "x"), ("b", "y")), [[("a", "a")], [("b", "b")]]),
        Linked({"a": "b", "b": "a"}, (("b", "x"), ("a", "y")), [[("a", "ab")]]),
        Linked({"a": "c", "b": "c"}, (("a", "x"), ("b", "y"), ("c", "z")), [[("a", "abc")]]),
        Linked(
            {"a": "d", "b": "d", "c": "e"},
            (("a", "x"), ("b", "y"), ("c", "z")),
            [[("a", "a")], [("b", "b")], [("c", "c")]],
        ),
        Linked({"p": "c"}, (("p", "x"), ("c", "y"), ("o", "y")), [[("o", "o"), ("p", "cp")]]),
        Linked({"p": "pc"}, (("p", "x"), ("c", "x")), [[("p", "cp")]]),
    ],
    ids=str,
)
def test_what_one_restart_takes_along_is_one_member(case: Linked) -> None:
    assert _linked(case.links, *case.pairs) == case.expected


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.text("abcdef", max_size=4)),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvw")), unique=True, max_size=8),
)
def test_every_change_is_in_one_member_whatever_the_links(links: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    closed = {unit: _reach(unit, links) for unit in links}
    known = {unit: UnitLinks(dependents=frozenset(dependents)) for unit, dependents in closed.items()}
    groups = form_groups([_change(*pair) for pair in pairs], links=known)
    members = [member for group in groups for member in group]
    assert sorted((change.workload.unit, change.target.name) for one in members for change in one.changes) == sorted(
        pairs
    )
    for one in members:
        assert one.unit in one.changed_units
        assert one.changed_units <= set(one.units)
        assert not any(one.changed_units & set(other.units) for other in members if other is not one)
        assert set(one.roots) <= one.changed_units


def _reach(unit: str, links: t.Mapping[str, str]) -> set[str]:
    reached: set[str] = set()
    new = set(links[unit])
    while new:
        reached |= new
        new = {other for one in new for other in links.get(one, "")} - reached
    return reached


def test_what_two_changed_units_take_along_is_restarted_once(host: Host) -> None:
    host.services.clear()
    host.containers_.clear()
    for name in "abc":
        reference = f"quay.io/team/{name}:1"
        host.has(V1, reference)
        host.registry.publish(V2, reference)
        host.service(f"{name}.service", Recipe(name, reference))
    for name in "ab":
        host.tied[f"{name}.service"] = UnitLinks(dependents=frozenset({"c.service"}))
    host.takes_along["b.service"] = "c.service"
    assert told(host.update().run()) == dict.fromkeys("abc", ("updated", None))
    assert host.done("restart") == [("a.service",), ("b.service",), ("c.service",)]


# What is begun at all.


def test_a_limit_takes_groups_as_a_whole(host: Host) -> None:
    host.has(V1, _OTHER)
    host.registry.publish(V2, _OTHER)
    host.service("z.service", Recipe("z", _OTHER))
    for report in (host.update(admission={"limit": 2}).check(), host.update(admission={"limit": 2}).run()):
        assert {name for name, (_status, reason) in told(report).items() if reason == "limit_reached"} == {
            "a",
            "b",
            "c",
        }
    assert host.tags[APP] == V1.id


def test_failures_stop_what_has_not_begun(host: Host) -> None:
    host.has(V1, _OTHER)
    host.registry.publish(V2, _OTHER)
    host.services["a.service"].fails_on.add(V2.id)
    host.service("z.service", Recipe("z", _OTHER))
    report = host.update(admission={"max_failures": 1}, parallel=1).run()
    assert told(report)["z"] == ("pending", "max_failures")
    assert host.tags[_OTHER] == V1.id
