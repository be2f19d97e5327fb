# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds on any host: a run does what check mode says, nothing is left between two images, and it comes to rest."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason, Status
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.report import Report, Row
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import Image, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row

_IMAGES = [Image(label) for label in "1234"]
_REFERENCES = [f"quay.io/team/{name}:1" for name in ("x", "y", "z")]


@dataclass(frozen=True)
class Unit:
    """One unit: which references it runs, when it was started, and with which images its job fails."""

    references: tuple[int, ...]
    started_with: int
    fails_on: frozenset[int]
    reuses: bool


@dataclass(frozen=True)
class Plan:
    """A random host; policies, what the registry answers and tags are by reference, images are numbers."""

    policies: tuple[str, ...]
    remote: tuple[int | Reason, ...]
    tags: tuple[int, ...]
    units: tuple[Unit, ...]
    broken_pulls: frozenset[int]
    #: Whether the tags of the registry policy were moved by somebody else too.
    pulled_by_hand: bool = True

    def build(self, *, healthy: bool = False) -> Host:
        """The host. Units start one after another, each from the tags of its time."""
        host = Host()
        for number, unit in enumerate(self.units):
            for reference in unit.references:
                host.has(_IMAGES[unit.started_with], _REFERENCES[reference])
            recipes = [
                Recipe(f"u{number}c{place}", _REFERENCES[reference], self.policies[reference])
                for place, reference in enumerate(unit.references)
            ]
            service = host.service(f"u{number}.service", *recipes)
            if not healthy:
                service.fails_on = {_IMAGES[image].id for image in unit.fails_on}
                service.reuses = unit.reuses
        for reference, (image, answer) in enumerate(zip(self.tags, self.remote)):
            if self.pulled_by_hand or self.policies[reference] == "local":
                host.has(_IMAGES[image], _REFERENCES[reference])
            if isinstance(answer, Reason):
                host.registry.answers[_REFERENCES[reference]] = RegistryError("no", answer)
            else:
                host.registry.publish(_IMAGES[answer], _REFERENCES[reference])
        if not healthy:
            host.broken_pulls = {
                f"{reference[:-2]}@{_IMAGES[image].digest}" for reference in _REFERENCES for image in self.broken_pulls
            }
        return host


_numbers = st.integers(0, len(_IMAGES) - 1)
_few = st.frozensets(_numbers, max_size=2)
_units = st.builds(
    Unit,
    references=st.tuples(st.integers(0, 2)),
    started_with=_numbers,
    fails_on=_few,
    reuses=st.sampled_from([False, False, False, True]),
)
#: Units of up to three containers, all started from the same image.
_wide_units = st.builds(
    Unit,
    references=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True).map(tuple),
    started_with=st.just(0),
    fails_on=st.just(frozenset[int]()),
    reuses=st.just(False),
)
_policies = st.tuples(*[st.sampled_from(["registry", "registry", "local"])] * 3)
_answers = st.tuples(*[_numbers | st.sampled_from([Reason.NOT_FOUND, Reason.TLS])] * 3)
_plans = st.builds(
    Plan,
    policies=_policies,
    remote=_answers,
    tags=st.tuples(*[_numbers] * 3),
    units=st.lists(_units, min_size=1, max_size=5).map(tuple),
    broken_pulls=st.sampled_from([frozenset(), frozenset(), frozenset({1}), frozenset({0, 3})]),
)
_wide_plans = st.builds(
    Plan,
    policies=_policies,
    remote=_answers,
    tags=st.tuples(*[_numbers] * 3),
    units=st.lists(_wide_units, min_size=1, max_size=4).map(tuple),
    broken_pulls=st.just(frozenset[int]()),
    pulled_by_hand=st.just(False),
)


def _checked_and_run(host: Host) -> tuple[Report, Report]:
    before = host.state()
    checked = host.update().check()
    assert host.state() == before, "check mode touched the host"
    assert host.log == []
    return checked, host.update().run()


def _pairs(checked: Report, done: Report) -> list[tuple[Row, Row]]:
    found = [(one, row(done, one.workload.container_name)) for one in checked.rows]
    assert len(found) == len(done.rows)
    return found


@given(_plans)
def test_a_run_does_what_check_mode_said_or_says_why_not(plan: Plan) -> None:
    for predicted, done in _pairs(*_checked_and_run(plan.build())):
        assert predicted.before == done.before
        if predicted.finding.status is not Status.PENDING:
            assert (done.finding, done.after, done.changed) == (predicted.finding, predicted.after, False)
        elif done.finding.status is Status.UPDATED:
            assert done.after == predicted.after
            assert done.changed
        else:
            assert done.finding.reason is not None


@given(_plans)
def test_every_container_runs_its_old_or_its_new_image(plan: Plan) -> None:
    host = plan.build()
    checked, report = _checked_and_run(host)
    down = {one.workload.unit for one in report.rows if one.finding.reason is Reason.UNIT_DOWN}
    for predicted, done in _pairs(checked, report):
        runs = host.running(done.workload.container_name)
        if done.workload.unit in down:
            assert runs is None
        elif done.finding.status is Status.UPDATED:
            assert runs == predicted.after[0]
        else:
            assert runs == predicted.before[0] == done.after[0]


@given(_plans)
def test_a_moved_tag_names_what_runs(plan: Plan) -> None:
    host = plan.build()
    before = dict(host.tags)
    _checked, done = _checked_and_run(host)
    for name in _REFERENCES:
        moved = [one for one in done.rows if one.workload.image == name and one.changed]
        updated = {one.after[0] for one in moved if one.finding.status is Status.UPDATED}
        back = {one.before[0] for one in moved if one.finding.status is not Status.UPDATED}
        if updated:
            assert not back, "a group parted"
            assert updated == {host.tags[name]}
        elif back:
            others = {one.before[0] for one in done.rows if one.workload.image == name and not one.changed}
            assert host.tags[name] in back | (others & {before.get(name)})


@given(_plans)
def test_no_name_is_left_that_nobody_gave(plan: Plan) -> None:
    host = plan.build()
    _checked, done = _checked_and_run(host)
    assert {name for name in host.tags if not name.startswith("localhost/podfleet-autoupdate/")} <= set(_REFERENCES)
    for one in done.rows:
        kept = host.tags.get(names.slot(str(one.workload.unit), one.workload.resolved_name))
        assert kept == (one.before[0] if one.finding.status is Status.UPDATED else None)


@given(_plans)
def test_a_unit_is_restarted_once_or_once_more_to_put_it_back(plan: Plan) -> None:
    host = plan.build()
    _checked, done = _checked_and_run(host)
    restarts = [unit for (unit,) in host.done("restart")]
    for one in done.rows:
        times = restarts.count(str(one.workload.unit))
        assert times == {Status.UPDATED: 1, Status.ROLLED_BACK: 2}.get(one.finding.status, times)
        assert (times > 0) is any(other.changed for other in done.rows if other.workload.unit == one.workload.unit)
        assert times <= 2


@given(_plans | _wide_plans)
def test_where_nothing_fails_the_second_run_changes_nothing(plan: Plan) -> None:
    host = plan.build(healthy=True)
    _checked_and_run(host)
    state, log = host.state(), list(host.log)
    again = host.update().run()
    assert not again.changed
    assert {one.finding.status for one in again.rows} <= {Status.CURRENT, Status.UNKNOWN}
    assert (host.state(), host.log) == (state, log)


@given(_wide_plans)
def test_units_of_several_containers_do_all_of_it_with_one_restart(plan: Plan) -> None:
    host = plan.build()
    checked, report = _checked_and_run(host)
    for predicted, done in _pairs(checked, report):
        assert (done.before, done.after) == (predicted.before, predicted.after)
        assert host.running(done.workload.container_name) == predicted.after[0]
    restarts = [unit for (unit,) in host.done("restart")]
    assert sorted(restarts) == sorted({str(one.workload.unit) for one in report.rows if one.changed})
