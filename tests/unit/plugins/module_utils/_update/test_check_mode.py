# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode says what a run would do, and does none of it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import MissingLibraryError, RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Image,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told

_OTHER = "quay.io/team/other:1"


@pytest.fixture
def host() -> Host:
    """A host that runs version 1 of two images in two units, while the registry has version 2 and 3."""
    host = Host()
    host.has(V1, APP, _OTHER)
    host.service("app.service", Recipe("app", APP))
    host.service("other.service", Recipe("other", _OTHER))
    host.registry.publish(V2)
    host.registry.publish(V3, _OTHER)
    return host


def test_nothing_is_touched(host: Host) -> None:
    before = host.state()
    host.update().check()
    assert host.log == []
    assert host.state() == before


def test_what_is_predicted_is_what_happens(host: Host) -> None:
    predicted, done = host.update().check(), host.update().run()
    assert told(predicted) == dict.fromkeys(("app", "other"), ("pending", "check_mode"))
    assert set(told(done).values()) == {("updated", None)}
    for name in ("app", "other"):
        assert row(predicted, name).before == row(done, name).before
        assert row(predicted, name).after == row(done, name).after
    assert (predicted.changed, predicted.check_mode, done.changed, done.check_mode) == (True, True, True, False)


def test_an_image_id_that_only_a_pull_tells_is_left_open(host: Host) -> None:
    host.registry.tells_ids = False
    assert row(host.update().check(), "app").after == (None, V2.digest)


def test_without_dbus_it_warns_and_predicts_all_the_same(host: Host) -> None:
    host.no_dbus = True
    report = host.update().check()
    assert set(told(report).values()) == {("pending", "check_mode")}
    assert [warning for warning in report.warnings if warning.startswith("units_not_checked: ")]


def test_without_its_library_check_mode_warns_and_a_run_says_what_to_install(host: Host) -> None:
    host.no_library = True
    report = host.update().check()
    assert told(report)["app"] == ("pending", "check_mode")
    assert "units_not_checked: the Python library dbus is missing" in report.warnings
    with pytest.raises(MissingLibraryError):
        host.update().run()
    assert host.log == []


def test_without_dbus_a_run_changes_nothing_and_fails(host: Host) -> None:
    host.no_dbus = True
    report = host.update().run()
    assert set(told(report).values()) == {("failed", "units_not_checked")}
    assert not report.changed
    assert host.log == []


class Objection(t.NamedTuple):
    """What is the matter with a unit, and what its row says in check mode and in a run."""

    why: str
    unit: dict[str, t.Any]
    status: str
    reason: str


_OBJECTIONS = [
    Objection("a job runs", {"job_running": True}, "pending", "job_running"),
    Objection("a oneshot still starts", {"active_state": "activating"}, "pending", "job_running"),
    Objection("it reloads", {"active_state": "reloading"}, "pending", "job_running"),
    Objection("it stops", {"active_state": "deactivating"}, "pending", "job_running"),
    Objection("it has failed", {"active_state": "failed"}, "failed", "not_running"),
    Objection("it was stopped", {"active_state": "inactive"}, "failed", "not_running"),
    Objection("its file is gone", {"load_state": "not-found"}, "failed", "unit_not_loaded"),
    Objection("its file is bad", {"load_state": "bad-setting"}, "failed", "unit_not_loaded"),
    Objection("it is masked", {"load_state": "masked"}, "failed", "unit_not_loaded"),
]


@pytest.mark.parametrize("case", _OBJECTIONS, ids=lambda case: case.why)
def test_a_unit_that_cannot_be_restarted_now_is_left_alone_in_both(host: Host, case: Objection) -> None:
    for name, value in case.unit.items():
        setattr(host.services["app.service"], name, value)
    checked, done = host.update().check(), host.update().run()
    assert told(checked)["app"] == told(done)["app"] == (case.status, case.reason)
    assert row(checked, "app").after == row(done, "app").after == (V1.id, V1.digest)
    assert not row(checked, "app").changed
    assert not row(done, "app").changed
    assert host.done("restart") == [("other.service",)]


def test_a_unit_that_systemd_does_not_know_is_left_alone(host: Host) -> None:
    del host.services["app.service"]
    assert told(host.update().check())["app"] == ("failed", "unit_not_loaded")


def test_a_unit_that_systemd_says_is_not_the_owner_is_left_alone(host: Host) -> None:
    host.disowned = {host.container("app").pid}
    assert told(host.update().run()) == {"app": ("failed", "unit_mismatch"), "other": ("updated", None)}
    assert host.running("app") == V1.id


def test_a_process_that_ended_meanwhile_is_no_reason_to_leave_others_alone(host: Host) -> None:
    """systemd answers with an error for a PID that it does not know; that is about this one container only."""
    host.unowned = {host.container("app").pid}
    report = host.update().run()
    assert told(report)["other"] == ("updated", None)
    assert told(report)["app"][0] == "failed"
    assert host.running("app") == V1.id


@pytest.mark.parametrize(
    "reason", [Reason.REGISTRY_UNREACHABLE, Reason.AUTH_REQUIRED, Reason.RATE_LIMITED, Reason.TLS, Reason.BLOCKED]
)
def test_what_the_registry_does_not_say_is_unknown_and_a_warning(host: Host, reason: Reason) -> None:
    host.registry.answers[APP] = RegistryError("quay.io said no", reason)
    for report in (host.update().check(), host.update().run()):
        assert told(report)["app"] == ("unknown", reason.value)
        assert row(report, "app").finding.error == "quay.io said no"
        assert not row(report, "app").changed
        assert f"{APP}: unknown: {reason.value}: quay.io said no" in report.warnings
    assert told(host.update().run())["other"] == ("current", None)
    assert host.running("app") == V1.id


def test_a_container_that_could_not_be_checked_shares_the_restart_of_its_unit(host: Host) -> None:
    """A31: one container of the unit has an update, the other one is not known."""
    host.service("two.service", Recipe("known", _OTHER), Recipe("unknown", APP))
    host.registry.answers[APP] = RegistryError("quay.io said no", Reason.NOT_FOUND)
    report = host.update(only=["two"]).run()
    assert told(report) == {"known": ("updated", None), "unknown": ("unknown", "not_found")}
    assert host.done("restart") == [("two.service",)]


def test_an_anonymous_volume_is_warned_of_where_a_restart_would_destroy_it(host: Host) -> None:
    host.services.clear()
    host.containers_.clear()
    host.service("db.service", Recipe("db", APP, anonymous_volume=True))
    warning = [one for one in host.update().check().warnings if "anonymous_volume" in one]
    assert warning
    assert warning[0].startswith("db.service: ")
    assert warning[0] in host.update().run().warnings
    assert not [one for one in host.update().check().warnings if "anonymous_volume" in one], "nothing is pending now"


def test_equal_warnings_are_told_once(host: Host) -> None:
    host.registry.answers[APP] = RegistryError("quay.io said no", Reason.NOT_FOUND)
    host.service("again.service", Recipe("again", APP))
    report = host.update().check()
    assert len(report.warnings) == len(set(report.warnings)) == 1


def test_a_recompressed_image_predicts_no_change(host: Host) -> None:
    host.registry.publish(Image("1", compression="zstd"))
    assert told(host.update().check())["app"] == ("current", "same_content")
