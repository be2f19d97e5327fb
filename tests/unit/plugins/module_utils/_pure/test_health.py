# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a unit acceptable after a restart, and what does not."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.health import (
    Expected,
    ExpectedContainer,
    Failure,
    Healthcheck,
    health_objection,
    healthchecks,
    is_healthy,
    placed,
    steady,
    unit_objection,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import UNIT_LABEL, ListedContainer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import UnitFacts

_ID = "a" * 64
_OLD, _NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def _listed(name: str = "app", *, image_id: str = _NEW, state: str = "running", **more: t.Any) -> ListedContainer:
    given_: dict[str, t.Any] = {
        "id": _ID,
        "image_name": "quay.io/team/app:1",
        "labels": {UNIT_LABEL: "app.service"},
        "pod": None,
        "is_infra": False,
        **more,
    }
    return ListedContainer(name=name, image_id=image_id, state=state, **given_)


def _expected(**more: t.Any) -> Expected:
    return Expected("app.service", (ExpectedContainer("app", "quay.io/team/app:1", _NEW, "b" * 64, **more),))


def _reason(found: object) -> Reason:
    assert isinstance(found, Failure)
    return found.reason


# Containers.


def test_a_container_that_runs_the_target_is_placed() -> None:
    assert placed(_expected(), [_listed("other"), _listed()]) == (_listed(),)


@pytest.mark.parametrize("state", ["created", "exited", "paused", "stopping", "stopped", "initialized", ""])
def test_only_running_counts_also_on_the_right_image(state: str) -> None:
    found = placed(_expected(), [_listed(state=state)])
    assert _reason(found) is Reason.NOT_RUNNING
    assert isinstance(found, Failure)
    assert found.error.endswith(f": {state}")


def test_a_container_that_is_gone_does_not_run() -> None:
    assert _reason(placed(_expected(), [])) is Reason.NOT_RUNNING


def test_the_old_container_on_the_old_image_is_reuse_and_a_new_one_is_not() -> None:
    assert _reason(placed(_expected(), [_listed(id="b" * 64, image_id=_OLD)])) is Reason.UNIT_REUSES_CONTAINER
    assert _reason(placed(_expected(), [_listed(image_id=_OLD)])) is Reason.NOT_RUNNING


def test_without_a_wanted_image_any_will_do() -> None:
    wanted = Expected("app.service", (ExpectedContainer("app", "quay.io/team/app:1"),))
    assert placed(wanted, [_listed(image_id=_OLD)]) == (_listed(image_id=_OLD),)


def test_a_container_with_a_name_of_its_own_each_time_is_found_by_label_and_image() -> None:
    assert placed(_expected(), [_listed("clever_name")]) == (_listed("clever_name"),)
    other_unit = _listed("clever_name", labels={UNIT_LABEL: "other.service"})
    assert _reason(placed(_expected(), [other_unit])) is Reason.NOT_RUNNING
    assert placed(_expected(unit="other.service"), [other_unit]) == (other_unit,)


def test_every_container_of_a_unit_must_run() -> None:
    both = Expected("app.service", (*_expected().containers, ExpectedContainer("beside", "quay.io/team/beside:1")))
    assert _reason(placed(both, [_listed()])) is Reason.NOT_RUNNING
    assert placed(both, [_listed("beside"), _listed()]) == (_listed(), _listed("beside"))


def test_of_two_that_get_new_names_each_needs_one_of_its_own() -> None:
    two = Expected("app.service", (*_expected().containers, ExpectedContainer("second", "quay.io/team/app:1", _NEW)))
    first, second = _listed("clever_name"), _listed("bold_name", id="c" * 64)
    assert placed(two, [first, second]) == (first, second)
    assert _reason(placed(two, [first])) is Reason.NOT_RUNNING
    assert _reason(placed(two, [first, _listed("bold_name", id="c" * 64, state="exited")])) is Reason.NOT_RUNNING


def test_the_same_containers_are_steady_and_others_or_restarted_ones_are_not() -> None:
    first = _listed(started_at=100)
    assert steady([first], [first]) is None
    assert _reason(steady([first], [_listed(started_at=101)])) is Reason.RESTARTED_AGAIN
    assert _reason(steady([first], [_listed(id="c" * 64, started_at=100)])) is Reason.RESTARTED_AGAIN


# Units.


def _facts(active: str = "active", sub: str = "running", **more: t.Any) -> UnitFacts:
    return UnitFacts("loaded", active, sub, job_running=False, **more)


@pytest.mark.parametrize("active", ["active", "reloading", "refreshing"])
def test_an_active_unit_is_fine(active: str) -> None:
    assert unit_objection("app.service", _facts(active)) is None


@pytest.mark.parametrize("active", ["inactive", "failed", "deactivating", "activating", "maintenance", ""])
def test_any_other_state_is_not(active: str) -> None:
    assert _reason(unit_objection("app.service", _facts(active, "dead"))) is Reason.NOT_RUNNING


def test_what_systemd_restarted_by_itself_is_told_from_what_it_had_restarted_before() -> None:
    assert _reason(unit_objection("app.service", _facts(n_restarts=1))) is Reason.RESTARTED_AGAIN
    assert unit_objection("app.service", _facts(n_restarts=4), restarts=4) is None
    assert _reason(unit_objection("app.service", _facts("activating", "auto-restart"))) is Reason.RESTARTED_AGAIN


def test_a_unit_that_is_gone_is_not_fine() -> None:
    assert _reason(unit_objection("app.service", None)) is Reason.NOT_RUNNING
    gone = UnitFacts("not-found", "active", "running", job_running=False)
    assert _reason(unit_objection("app.service", gone)) is Reason.NOT_RUNNING


def test_how_a_unit_ended_is_told() -> None:
    found = unit_objection("app.service", _facts("failed", "failed", result="exit-code"))
    assert isinstance(found, Failure)
    assert "result exit-code" in found.error


# Healthchecks.


def _entry(check: object, status: object = None, startup: object = None) -> dict[str, t.Any]:
    config = {"Healthcheck": check, "StartupHealthCheck": startup}
    return {"Id": _ID, "Config": config, "State": {"Health": {"Status": status}}}


_SECOND = 10**9


def test_a_healthcheck_is_read_with_how_long_it_may_take() -> None:
    check = {
        "Test": ["CMD", "/bin/true"],
        "StartPeriod": 5 * _SECOND,
        "Interval": 2 * _SECOND,
        "Timeout": 3 * _SECOND,
        "Retries": 3,
    }
    # Start period, and interval and timeout for each retry and once more, and half a minute.
    assert healthchecks([_entry(check, "healthy")]) == {_ID: Healthcheck("healthy", 5 + 4 * 5 + 30, has_timer=True)}
    startup = {"Test": ["CMD", "/bin/true"], "Interval": _SECOND, "Timeout": _SECOND, "Retries": 9}
    assert healthchecks([_entry(check, "starting", startup)])[_ID].bound == 5 + 4 * 5 + 10 * 2 + 30


@pytest.mark.parametrize("check", [None, {}, {"Test": None}, {"Test": []}, {"Test": ["NONE"]}, "words", [1]])
def test_no_healthcheck_is_none(check: object) -> None:
    assert healthchecks([_entry(check, "")]) == {}


def test_without_an_interval_there_is_no_timer() -> None:
    """What podman 4.3 and 5.4 record for --health-interval=disable."""
    found = healthchecks([_entry({"Test": ["CMD-SHELL", "x"], "Timeout": 30 * _SECOND, "Retries": 2}, "starting")])
    assert found == {_ID: Healthcheck("starting", 3 * 30 + 30, has_timer=False)}


def test_before_the_first_check_the_state_is_starting() -> None:
    assert healthchecks([_entry({"Test": ["CMD", "x"], "Interval": 1}, "")])[_ID].status == "starting"


def test_settings_from_an_image_bind_nobody_for_ever() -> None:
    check = {"Test": ["CMD", "x"], "Interval": 2**62, "Retries": 2**31, "StartPeriod": -(2**62)}
    assert healthchecks([_entry(check)])[_ID].bound == 3600 + 30


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "Id",
                        "Config",
                        "State",
                        "Health",
                        "Healthcheck",
                        "Test",
                        "Retries",
                        "Interval",
                        "Timeout",
                        "Status",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_whatever_podman_prints_is_read_or_left(document: object) -> None:
    for found in (healthchecks(document), healthchecks([document])):
        assert all(30 <= one.bound <= 3630 for one in found.values())


def test_unhealthy_is_final_and_starting_has_its_time() -> None:
    assert health_objection("app", None, 1e9) is None
    assert health_objection("app", Healthcheck("healthy", 40, True), 1e9) is None
    assert health_objection("app", Healthcheck("starting", 40, True), 39) is None
    assert _reason(health_objection("app", Healthcheck("starting", 40, True), 40)) is Reason.UNHEALTHY
    assert _reason(health_objection("app", Healthcheck("unhealthy", 40, True), 0)) is Reason.UNHEALTHY


def test_only_healthy_needs_no_more_waiting() -> None:
    assert is_healthy(None)
    assert is_healthy(Healthcheck("healthy", 40, True))
    assert not is_healthy(Healthcheck("starting", 40, True))
    assert not is_healthy(Healthcheck("unhealthy", 40, True))
