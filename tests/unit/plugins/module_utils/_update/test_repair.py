# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed before and after each call of an edge: one more run leaves nothing between two images."""

from __future__ import annotations

import contextlib
import functools
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError, UnitError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.intents import FINISHED, NOTHING, UNDONE
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import ImageHold
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import UnitLinks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update import repair
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.report import Report
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Image,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, told

_CALLS = (
    "containers", "images", "host", "details", "healthchecks", "run_healthcheck", "pull", "tag", "untag", "remove_name",
    "facts", "restart", "start", "links", "reset_failed", "owns", "owner",
)  # fmt: skip
_MEMORY_CALLS = ("read", "change", "add")
WEB = "quay.io/team/web:1"


class KilledError(BaseException):
    """As if the process were gone: nothing catches it, and no edge answers any more."""


class Killer:
    """Kills a run at one of its steps: even numbers before a call of an edge, odd ones after it."""

    def __init__(self, host: Host, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._step, self.count, self.dead = step, 0, False
        for name in _CALLS:
            monkeypatch.setattr(host, name, functools.partial(self._call, getattr(host, name)))
        for name in _MEMORY_CALLS:
            monkeypatch.setattr(host.memory, name, functools.partial(self._call, getattr(host.memory, name)))

    def _call(self, call: t.Callable[..., t.Any], *given: t.Any) -> t.Any:
        self._reach()
        said = call(*given)
        self._reach()
        return said

    def _reach(self) -> None:
        self.dead = self.dead or self.count == self._step
        if self.dead:
            raise KilledError
        self.count += 1


def one_unit() -> Host:
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    return host


def one_broken() -> Host:
    host = one_unit()
    host.services["app.service"].fails_on = {V2.id}
    return host


def told_by_the_pull() -> Host:
    host = one_unit()
    host.registry.tells_ids = False
    return host


def second_update() -> Host:
    host = one_unit()
    host.update(keep=2).run()
    host.registry.publish(V3)
    host.memory.history.clear()
    return host


def a_group() -> Host:
    host = Host()
    host.has(V1, APP)
    for name in ("a1", "b1", "c1"):
        host.service(f"{name}.service", Recipe(name, APP))
    host.registry.publish(V2)
    return host


def a_group_that_fails_late() -> Host:
    host = a_group()
    host.services["c1.service"].fails_on = {V2.id}
    return host


def groups_with_dependents() -> Host:
    host = one_unit()
    host.has(Image("w1"), WEB)
    host.service("web.service", Recipe("web", WEB))
    host.service("log.service", Recipe("log", "quay.io/team/log:1", policy=None)) if host.has(
        Image("log"), "quay.io/team/log:1"
    ) else None
    host.registry.publish(Image("w2"), WEB)
    host.tied["web.service"] = UnitLinks(frozenset(), frozenset({"log.service"}))
    return host


def built_here() -> Host:
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP, policy="local"))
    host.has(V2, APP)
    return host


def back() -> Host:
    host = one_unit()
    host.update().run()
    host.memory.history.clear()
    return host


_SCENES: dict[str, tuple[t.Callable[[], Host], dict[str, t.Any]]] = {
    "one unit": (one_unit, {}),
    "one that cannot start": (one_broken, {}),
    "an image that only the pull tells": (told_by_the_pull, {}),
    "a second update, with slots": (second_update, {"keep": 2}),
    "a second update, keeping one": (second_update, {}),
    "no slots": (one_unit, {"keep": 0}),
    "three on one reference": (a_group, {}),
    "three of which the last fails": (a_group_that_fails_late, {}),
    "two groups, and a dependent": (groups_with_dependents, {"parallel": 1}),
    "two groups side by side": (groups_with_dependents, {"parallel": 2}),
    "built here": (built_here, {}),
    "the way back": (back, {"back": True, "only": ["*"]}),
    "without rollback": (one_unit, {"rollback": False}),
}


def _sound(
    host: Host, killed: list[tuple[str | None, dict[str, str | None]]], newer: t.Collection[str] = (), keep: int = 3
) -> None:
    """What holds after one more run; C(newer) are images that were built here, and that no unit need have come to."""
    for service in host.services.values():
        assert service.active_state == "active", service.unit
        for recipe in service.recipes:
            assert recipe.name is not None
            named = host.tags[recipe.resolved_name]
            assert host.running(recipe.name) == named or named in newer, recipe.name
    assert [name for name in host.tags if "@" in name] == []
    state = host.memory.state
    assert state.intents == ()
    kept = {(one.name, one.id) for one in state.slots}
    assert {(name, image) for name, image in host.tags.items() if "/slot:" in name} == kept
    held = {names.rejected(one.reference, one.id) for one in state.holds if isinstance(one, ImageHold)}
    assert {name for name in host.tags if "/rejected:" in name} <= held
    assert len(kept) <= keep * len(host.services)
    lines = [(one.run, one.unit) for one in host.memory.history]
    assert len(lines) == len(set(lines)), "a line stands twice in the history"
    last = {one.unit: one for one in host.memory.history}
    for unit, (_before, running) in zip(host.services, killed):
        for name, image_id in running.items():
            now = host.running(name)
            if now != image_id:
                told_ = [each for each in last[unit].passages if each.container == name]
                assert [each.after[0] for each in told_] == [now], "the history does not tell what runs"


def _running(host: Host) -> list[tuple[str | None, dict[str, str | None]]]:
    return [
        (unit, {one.name: host.running(one.name) for one in service.recipes if one.name})
        for unit, service in host.services.items()
    ]


def _kill(host: Host, step: int, run: t.Callable[[], object]) -> bool:
    """Whether the run came to the step."""
    with pytest.MonkeyPatch.context() as patch:
        killer = Killer(host, step, patch)
        with contextlib.suppress(KilledError):
            run()
        return killer.dead


def _steps(make: t.Callable[[], Host], options: dict[str, t.Any]) -> int:
    """How many steps a run has; a kill at the last of them comes after everything."""
    host = make()
    with pytest.MonkeyPatch.context() as patch:
        killer = Killer(host, -1, patch)
        host.update(**options).run()
        return killer.count


@pytest.mark.parametrize("scene", _SCENES)
def test_one_more_run_after_a_kill_at_any_step(scene: str) -> None:
    make, options = _SCENES[scene]
    steps = _steps(make, options)
    assert steps >= 30
    seen = set()
    for step in range(steps):
        host = make()
        before = _running(host)
        tags = dict(host.tags)
        _kill(host, step, host.update(**options).run)
        checked = host.state(), host.memory.body, list(host.memory.history)
        foreseen = host.update(**options).check()
        assert (host.state(), host.memory.body, list(host.memory.history)) == checked, "check mode repairs nothing"
        repaired = host.update(**options).repair()
        assert _dids(foreseen) == _dids(repaired), f"step {step}"
        dids = {did for _unit, did in _dids(repaired)}
        seen |= dids
        try:
            _sound(
                host,
                before,
                set(tags.values()) - {one for _unit, names_ in before for one in names_.values()},
                options.get("keep", 1),
            )
            if FINISHED not in dids and host.memory.history == []:
                assert host.tags == tags
            state, log = host.state(), list(host.log)
            assert host.update(**options).repair().repaired == ()
            assert (host.state(), host.log) == (state, log)
            host.update(**options).run()
            _sound(host, before)
        except AssertionError as error:
            raise AssertionError(f"step {step} of {steps}: {error}") from error
    assert seen >= {UNDONE, NOTHING}


def _dids(report: Report) -> list[tuple[str, str]]:
    return [(one.unit, one.did) for one in report.repaired]


@pytest.mark.parametrize("scene", ["one unit", "one that cannot start", "three of which the last fails"])
def test_a_repair_that_is_killed_itself_is_repaired(scene: str) -> None:
    make, options = _SCENES[scene]
    for step in range(0, _steps(make, options), 3):
        for second in range(2, 60, 7):
            host = make()
            before = _running(host)
            _kill(host, step, host.update(**options).run)
            if not _kill(host, second, host.update(**options).run):
                break
            host.update(**options).run()
            _sound(host, before)


def _interrupted(host: Host, after: str, **options: t.Any) -> Host:
    """A host whose run was killed right after the first call of this name."""
    call = getattr(host, after)

    def killed(*given: t.Any) -> t.Any:
        call(*given)
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, after, killed)
        with contextlib.suppress(KilledError):
            host.update(**options).run()
    assert host.memory.state.intents != ()
    return host


def _boot(host: Host) -> None:
    """Everything is started anew from the tags of now, as after a power cut."""
    host.containers_ = []
    for service in host.services.values():
        service.active_state = "active" if host._start(service) == "done" else "failed"
        service.failures = 0 if service.active_state == "active" else 1


def test_a_host_that_boots_on_an_image_that_cannot_start_goes_back() -> None:
    host = _interrupted(one_broken(), "restart")
    _boot(host)
    assert host.services["app.service"].active_state == "failed"
    report = host.update().repair()
    assert [(one.unit, one.did, one.error) for one in report.repaired] == [("app.service", UNDONE, None)]
    assert (report.changed, report.broken) == (True, False)
    assert host.running("app") == host.tags[APP] == V1.id
    (line,) = host.memory.history
    assert (line.verdict, line.reason, line.passages[0].after[0]) == ("rolled_back", "interrupted", V1.id)


def test_a_host_that_boots_on_the_new_image_stays_on_it() -> None:
    host = _interrupted(one_unit(), "restart")
    _boot(host)
    report = host.update().run()
    assert [(one.unit, one.did) for one in report.repaired] == [("app.service", FINISHED)]
    assert told(report) == {"app": ("current", None)}
    assert report.changed
    assert "An earlier run was interrupted (app.service: finished). 1 container: 1 current." in report.sentence()
    assert host.tags == {APP: V2.id, names.slot("app.service", APP): V1.id}


def test_a_new_image_that_does_not_settle_is_left_and_held() -> None:
    host = _interrupted(one_unit(), "restart")
    host.health[f"app {V2.id}"] = ["unhealthy"]
    report = host.update().run()
    assert _dids(report) == [("app.service", UNDONE)]
    assert told(report) == {"app": ("held", "bad_digest")}
    assert host.running("app") == host.tags[APP] == V1.id
    assert host.tags[names.rejected(APP, V2.id)] == V2.id
    assert [(one.verdict, one.reason) for one in host.memory.history] == [("rolled_back", "unhealthy")]


def test_where_the_old_image_is_gone_the_unit_is_started_on_the_new_one() -> None:
    host = _interrupted(one_unit(), "restart")
    host.services["app.service"].active_state = "failed"
    host.containers_ = []
    host.drop(V1)
    report = host.update().repair()
    assert [(one.did, one.error) for one in report.repaired] == [(FINISHED, None)]
    assert host.running("app") == host.tags[APP] == V2.id


def test_what_comes_up_on_neither_image_is_a_failure_that_is_told_once() -> None:
    host = _interrupted(one_broken(), "restart")
    host.services["app.service"].fails_on = {V1.id, V2.id}
    report = host.update().repair()
    assert report.broken
    assert report.to_result([])["failed"] is True
    assert [(one.verdict, one.reason) for one in host.memory.history] == [("failed", "unit_down")]
    assert host.tags[APP] == V1.id
    assert host.update().repair().repaired == ()


def test_without_rollback_the_interrupted_update_is_finished() -> None:
    host = _interrupted(one_unit(), "restart", rollback=False)
    host.containers_ = []
    host.services["app.service"].active_state = "inactive"
    report = host.update(rollback=False).repair()
    assert [(one.did, one.error) for one in report.repaired] == [(FINISHED, None)]
    assert host.running("app") == host.tags[APP] == V2.id


def test_without_rollback_an_update_that_cannot_be_finished_is_a_failure() -> None:
    host = _interrupted(one_broken(), "restart", rollback=False)
    report = host.update(rollback=False).repair()
    assert [(one.did, bool(one.error)) for one in report.repaired] == [(FINISHED, True)]
    assert host.tags[APP] == V2.id


def test_a_name_that_somebody_moved_meanwhile_stays_where_it_is() -> None:
    host = _interrupted(one_unit(), "tag")
    host.has(V3, APP)
    assert _dids(host.update().repair()) == [("app.service", UNDONE)]
    assert host.tags == {APP: V3.id}
    assert host.running("app") == V1.id


def test_it_does_so_too_where_the_unit_has_to_come_up_on_its_old_image() -> None:
    host = _interrupted(one_unit(), "restart")
    host.containers_ = []
    host.services["app.service"].active_state = "failed"
    host.has(V3, APP)
    assert _dids(host.update().repair()) == [("app.service", UNDONE)]
    assert host.running("app") == V1.id
    assert host.tags == {APP: V3.id}


@pytest.mark.parametrize("after", ["tag", "restart"])
def test_a_unit_that_somebody_has_put_on_a_third_image_since_stays_there(after: str) -> None:
    host = _interrupted(one_unit(), after)
    host.has(V3, APP)
    host.restart(["app.service"])
    restarts = len(host.done("restart"))
    assert _dids(host.update().check()) == [("app.service", NOTHING)]
    assert _dids(host.update().repair()) == [("app.service", NOTHING)]
    assert (host.running("app"), host.tags) == (V3.id, {APP: V3.id})
    assert (len(host.done("restart")), host.memory.history, host.memory.state.intents) == (restarts, [], ())


def test_it_does_not_take_the_others_of_its_group_back() -> None:
    host = _interrupted(a_group(), "restart")
    host.restart(["b1.service", "c1.service"])  # As a boot would: the tag has moved.
    host.has(V3, APP)
    host.restart(["a1.service"])
    assert _dids(host.update().repair()) == [
        ("a1.service", NOTHING),
        ("b1.service", FINISHED),
        ("c1.service", FINISHED),
    ]
    assert [host.running(name) for name in ("a1", "b1", "c1")] == [V3.id, V2.id, V2.id]
    assert host.tags[APP] == V3.id


def test_a_unit_that_is_gone_is_not_started() -> None:
    host = _interrupted(one_unit(), "restart")
    del host.services["app.service"]
    host.containers_ = []
    report = host.update().repair()
    assert [(one.did, one.error) for one in report.repaired] == [(UNDONE, None)]
    assert host.tags == {APP: V1.id}
    assert len(host.done("restart")) == 1


def test_a_unit_that_is_gone_and_has_no_way_back_is_not_started_either() -> None:
    host = _interrupted(one_unit(), "restart", rollback=False)
    del host.services["app.service"]
    host.containers_ = []
    assert _dids(host.update(rollback=False).check()) == [("app.service", NOTHING)]
    report = host.update(rollback=False).repair()
    assert [(one.did, one.error) for one in report.repaired] == [(NOTHING, None)]
    assert (report.broken, host.memory.history, host.memory.state.intents) == (False, [], ())
    assert len(host.done("restart")) == 1


def test_what_had_run_an_image_that_the_tag_no_longer_named_comes_up_on_just_that() -> None:
    host = one_unit()
    host.has(V3, APP)  # Pulled by hand; the unit went on with version 1.
    _interrupted(host, "restart")
    host.containers_ = []
    host.services["app.service"].active_state = "failed"
    assert _dids(host.update().repair()) == [("app.service", UNDONE)]
    assert (host.running("app"), host.tags[APP]) == (V1.id, V3.id)


def test_dependents_that_were_active_are_started_again() -> None:
    host = _interrupted(groups_with_dependents(), "restart", parallel=1, only=["unit:web"])
    host.services["log.service"].active_state = "inactive"
    assert _dids(host.update().repair()) == [("web.service", FINISHED)]
    assert host.services["log.service"].active_state == "active"


def test_a_pull_that_outlived_its_run_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    host = _interrupted(one_unit(), "pull")
    monkeypatch.setattr(repair, "_LOOK_AGAIN_SECONDS", 0.0)
    host.orphans = [False, True, True]
    assert _dids(host.update().repair()) == [("app.service", NOTHING)]
    assert (host.orphans, host.tags, host.memory.history) == ([], {APP: V1.id}, [])


def test_in_check_mode_what_a_run_is_at_work_on_is_nothing_to_repair() -> None:
    host = _interrupted(one_unit(), "restart")
    assert _dids(host.update().check()) == [("app.service", FINISHED)]
    host.at_work = "image_autoupdate, process 4711"
    report = host.update().check()
    assert (report.repaired, report.broken) == ((), False)
    assert [one for one in report.warnings if one.startswith("lock_busy: ") and "process 4711" in one]


def test_in_check_mode_a_host_without_systemd_says_so() -> None:
    host = _interrupted(one_unit(), "restart")
    host.no_dbus = True
    report = host.update().check()
    assert report.repaired == ()
    assert any(one.startswith("units_not_checked") for one in report.warnings)
    with pytest.raises(UnitError):
        host.update().run()
    assert host.memory.state.intents != ()


def test_a_history_that_cannot_be_read_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    host = _interrupted(one_unit(), "restart")

    def unreadable() -> t.NoReturn:
        raise StateError("history.jsonl cannot be read: Is a directory")

    monkeypatch.setattr(host.memory, "events", unreadable)
    report = host.update().repair()
    assert _dids(report) == [("app.service", FINISHED)]
    assert "state_invalid: history.jsonl cannot be read: Is a directory" in report.warnings
    assert host.memory.state.intents == ()


def test_many_groups_share_the_writings() -> None:
    host = Host()
    for number in range(20):
        name = f"quay.io/team/n{number}:1"
        host.has(Image(f"{number}-1"), name)
        host.service(f"n{number}.service", Recipe(f"n{number}", name))
        host.registry.publish(Image(f"{number}-2"), name)
    assert set(told(host.update(parallel=20).run()).values()) == {("updated", None)}
    assert host.memory.writes <= 22
    assert host.memory.state.intents == ()


def test_a_staging_that_is_killed_leaves_no_name_of_a_pull() -> None:
    options: dict[str, t.Any] = {"stage": True}
    steps = _steps(one_unit, options)
    left = 0
    for step in range(steps):
        host = one_unit()
        _kill(host, step, host.update(**options).run)
        left += any("@" in name for name in host.tags)
        host.registry.publish(V3)  # Nobody asks for what was pulled before.
        host.update().repair()
        assert [name for name in host.tags if "@" in name] == [], f"step {step}"
        assert (host.running("app"), host.tags[APP]) == (V1.id, V1.id)
        assert host.memory.history == []
    assert left > 0


def test_a_signed_staging_that_is_killed_puts_the_tag_back_and_tells_no_story_of_a_unit() -> None:
    def signed() -> Host:
        host = one_unit()
        host.signed = {APP}
        return host

    options: dict[str, t.Any] = {"stage": True}
    seen = set()
    for step in range(_steps(signed, options)):
        host = signed()
        _kill(host, step, host.update(**options).run)
        report = host.update(**options).repair()
        seen |= {did for _unit, did in _dids(report)}
        assert host.tags[APP] == host.running("app") == V1.id, f"step {step}"
        assert (host.memory.history, host.memory.state.intents, _counts(host)) == ([], (), []), f"step {step}"
    assert seen == {UNDONE, NOTHING}


def test_a_staging_that_is_killed_starts_nothing_that_somebody_stopped_since() -> None:
    host = _interrupted(one_unit(), "pull", stage=True)
    host.containers_ = []
    host.services["app.service"].active_state = "inactive"
    assert _dids(host.update().check()) == [("app.service", NOTHING)]
    assert _dids(host.update().repair()) == [("app.service", NOTHING)]
    assert (host.services["app.service"].active_state, host.tags) == ("inactive", {APP: V1.id})
    assert host.memory.state.intents == ()


def _counts(host: Host) -> list[tuple[str, int]]:
    return [(one.id, one.times) for one in host.memory.state.interruptions]


def test_one_power_cut_holds_nothing_and_is_told() -> None:
    host = _interrupted(one_broken(), "restart")
    _boot(host)
    report = host.update().repair()
    assert (_dids(report), _counts(host)) == ([("app.service", UNDONE)], [(V2.id, 1)])
    (said,) = [one for one in report.warnings if one.startswith("interrupted: ")]
    assert V2.id in said
    assert "app.service" in said
    assert host.memory.state.holds == ()
    host.services["app.service"].fails_on = set()
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert _counts(host) == []


def test_an_image_that_takes_its_host_down_twice_is_left_and_held() -> None:
    host = one_unit()
    for expected in (1, 2):
        _interrupted(host, "restart")  # The repair puts the unit back, and the run tries again.
        host.containers_ = []
        host.services["app.service"].active_state = "inactive"  # Not enabled: a boot does not start it.
        foreseen = host.update().check()
        report = host.update().repair()
        assert _dids(foreseen) == _dids(report) == [("app.service", UNDONE)]
        assert (host.running("app"), host.tags[APP]) == (V1.id, V1.id)
        assert _counts(host) == ([(V2.id, 1)] if expected == 1 else [])
    (hold,) = host.memory.state.holds
    assert isinstance(hold, ImageHold)
    assert (hold.id, hold.reason) == (V2.id, "interrupted")
    assert host.tags[names.rejected(APP, V2.id)] == V2.id
    line = host.memory.history[-1]
    assert (line.verdict, line.reason) == ("rolled_back", "interrupted")
    assert line.error is not None
    assert "2 runs in a row" in line.error
    assert told(host.update().run()) == {"app": ("held", "bad_digest")}
    assert told(host.update(lift=True).run()) == {"app": ("updated", None)}


def test_an_image_that_takes_its_host_down_while_a_repair_looks_is_left_at_the_second_boot() -> None:
    host = _interrupted(one_unit(), "restart")
    _boot(host)
    _kill(host, _steps_to_judge(host), host.update().repair)
    assert (host.running("app"), _counts(host)) == (V2.id, [(V2.id, 1)])
    _boot(host)
    restarts = len(host.done("restart"))
    foreseen = host.update().check()
    report = host.update().run()
    assert _dids(foreseen) == _dids(report) == [("app.service", UNDONE)]
    assert told(report) == {"app": ("held", "bad_digest")}
    assert (host.running("app"), host.tags[APP], len(host.done("restart")) - restarts) == (V1.id, V1.id, 1)


def _steps_to_judge(host: Host) -> int:
    """How many steps a repair has until it has counted; it is killed right after."""
    before = host.memory.body, host.state()
    for step in range(100):
        copy = _interrupted(one_unit(), "restart")
        _boot(copy)
        _kill(copy, step, copy.update().repair)
        if _counts(copy):
            assert (host.memory.body, host.state()) == before
            return step
    raise AssertionError("a repair counts nothing")


def test_a_repair_that_is_interrupted_on_the_way_back_counts_nothing_more() -> None:
    for step in range(60):
        host = _interrupted(one_broken(), "restart")
        _boot(host)
        ended = not _kill(host, step, host.update().repair)
        host.update().repair()
        assert (host.memory.state.holds, _counts(host)) == ((), [(V2.id, 1)]), f"step {step}"
        if ended:
            break
    assert step > 20


def test_an_interruption_before_the_restart_does_not_count() -> None:
    for _time in range(3):
        host = _interrupted(one_unit(), "tag")
        assert _dids(host.update().repair()) == [("app.service", UNDONE)]
        assert (host.memory.state.holds, _counts(host)) == ((), [])


def test_without_rollback_or_an_old_image_it_stays_on_the_image() -> None:
    host = _interrupted(one_unit(), "restart", rollback=False)
    for _time in range(2):
        _boot(host)
        _kill(host, _steps_to_judge(host), host.update(rollback=False).repair)
    assert _counts(host) == [(V2.id, 2)]
    assert _dids(host.update(rollback=False).repair()) == [("app.service", FINISHED)]
    assert (host.running("app"), host.memory.state.holds, _counts(host)) == (V2.id, (), [])
