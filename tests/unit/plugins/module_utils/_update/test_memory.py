# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run remembers: images that failed stay away, people's holds hold, and the history says what happened."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import names
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.holds import ImageHold, UserHold
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import State, render_state
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    AMD64,
    APP,
    V1,
    V2,
    V3,
    Image,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, told

OTHER = "quay.io/team/other:1"


@pytest.fixture
def host() -> Host:
    """A host that runs version 1 in one unit, while the registry has version 2, on which the unit fails."""
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP), fails_on={V2.id})
    host.registry.publish(V2)
    return host


def _well(host: Host) -> None:
    host.services["app.service"].fails_on = set()


# Images that failed.


def test_what_failed_is_remembered_with_all_that_is_known(host: Host) -> None:
    host.update().run()
    (hold,) = host.memory.state.holds
    assert hold == ImageHold(APP, AMD64, V2.id, frozenset({V2.digest}), "app.service", "job_failed", host.memory.clock)


def test_every_digest_that_local_storage_knows_is_held(host: Host) -> None:
    """Where a manifest does not tell the image's ID, they are all that tells it before another pull."""
    anew = host.has(Image("2", "compressed anew"))
    host.update().run()
    (hold,) = host.memory.state.holds
    assert hold.digests == {V2.digest, anew.digest}  # type: ignore[union-attr]
    _well(host)
    host.registry.tells_ids = False
    host.registry.publish(anew)
    pulls = len(host.done("pull"))
    assert told(host.update().run()) == {"app": ("held", "bad_digest")}
    assert len(host.done("pull")) == pulls


def test_it_is_held_in_checks_and_runs_and_under_every_digest(host: Host) -> None:
    host.update().run()
    _well(host)
    log = list(host.log)
    assert told(host.update().check()) == told(host.update().run()) == {"app": ("held", "bad_digest")}
    host.registry.publish(Image("2", "compressed anew"))
    assert told(host.update().run()) == {"app": ("held", "bad_digest")}
    assert host.log == log


def test_where_only_a_pull_tells_the_image_it_is_held_after_it(host: Host) -> None:
    host.update().run()
    _well(host)
    host.registry.tells_ids = False
    anew = host.registry.publish(Image("2", "compressed anew"))
    restarts = len(host.done("restart"))
    assert told(host.update().run()) == {"app": ("held", "bad_digest")}
    assert len(host.done("restart")) == restarts
    assert f"quay.io/team/app@{anew.digest}" not in host.tags
    assert host.running("app") == host.tags[APP] == V1.id


def test_another_image_passes_and_the_one_that_failed_stays_held(host: Host) -> None:
    host.update().run()
    host.registry.publish(V3)
    assert told(host.update().run()) == {"app": ("updated", None)}
    host.registry.publish(V2)
    assert told(host.update().run()) == {"app": ("held", "bad_digest")}
    assert host.tags[names.rejected(APP, V2.id)] == V2.id


def test_lifting_lets_it_be_tried_again_and_forgets_it_when_it_works(host: Host) -> None:
    host.update().run()
    _well(host)
    checked = host.update(lift=True).check()
    assert told(checked) == {"app": ("pending", "check_mode")}
    assert checked.changed
    assert len(host.memory.state.holds) == 1
    assert told(host.update(lift=True).run()) == {"app": ("updated", None)}
    assert host.memory.state.holds == ()
    assert names.rejected(APP, V2.id) not in host.tags
    assert not host.update(lift=True).run().changed


def test_lifting_is_for_what_the_run_looks_at(host: Host) -> None:
    host.update().run()
    host.has(V1, OTHER)
    host.service("other.service", Recipe("other", OTHER))
    host.registry.publish(V1, OTHER)
    assert not host.update(only=["unit:other"], lift=True).run().changed
    assert len(host.memory.state.holds) == 1


def test_an_image_is_held_for_its_reference_only(host: Host) -> None:
    host.has(V1, OTHER)
    host.service("other.service", Recipe("other", OTHER))
    host.registry.publish(V2, OTHER)
    assert told(host.update().run()) == {"app": ("rolled_back", "job_failed"), "other": ("updated", None)}
    assert told(host.update().run()) == {"app": ("held", "bad_digest"), "other": ("current", None)}


def test_without_rollback_nothing_is_held(host: Host) -> None:
    host.update(rollback=False).run()
    assert host.memory.state.holds == ()


def test_every_unit_of_a_group_that_goes_back_holds_the_image_once(host: Host) -> None:
    host.service("two.service", Recipe("two", APP))
    assert {one for one, _reason in told(host.update().run()).values()} <= {"rolled_back", "failed"}
    assert [one.id for one in host.memory.state.holds if isinstance(one, ImageHold)] == [V2.id]
    assert told(host.update().run()) == {"app": ("held", "bad_digest"), "two": ("held", "bad_digest")}


# Holds of people.


def test_a_held_reference_stays_until_the_hold_ends(host: Host) -> None:
    _well(host)
    until = host.memory.clock + timedelta(days=1)
    hold = UserHold.parse(APP, reason="frozen", until=f"{until:%Y-%m-%dT%H:%M:%SZ}")
    report = host.update(holds=(hold,)).run()
    assert told(report) == {"app": ("held", "user_hold")}
    assert report.changed
    assert "frozen" in str(report.rows[0].finding.error)
    assert not host.update(holds=(hold,)).run().changed
    assert told(host.update().run()) == {"app": ("held", "user_hold")}
    host.memory.clock = until
    assert told(host.update().check()) == {"app": ("pending", "check_mode")}
    assert told(host.update().run()) == {"app": ("updated", None)}


def test_a_hold_that_has_ended_when_it_is_given_holds_nothing(host: Host) -> None:
    _well(host)
    over = UserHold.parse(APP, until="2026-11-21T12:00:00Z")
    unit = UserHold.parse(unit="ap*", until="2026-11-20", reason="the sale")
    holding = UserHold.parse(unit="db")
    said = tuple(
        f"holds: this one has ended already, so it holds nothing: {one}"
        for one in (f"{APP} until 2026-11-21T12:00:00Z", "everything in ap* until 2026-11-20T00:00:00Z: the sale")
    )
    holds = (over, unit, over, holding)
    checked = host.update(holds=holds).check()
    assert (told(checked), checked.warnings) == ({"app": ("pending", "check_mode")}, said)
    report = host.update(holds=holds).run()
    assert (told(report), report.warnings) == ({"app": ("updated", None)}, said)
    assert host.memory.state.holds == (holding,)
    again = host.update(holds=holds).run()
    assert (again.changed, again.warnings, host.memory.state.holds) == (False, said, (holding,))


def test_a_check_decides_by_the_holds_of_its_task_and_writes_nothing(host: Host) -> None:
    assert told(host.update(holds=(UserHold.parse(unit="app"),)).check()) == {"app": ("held", "user_hold")}
    assert (host.memory.writes, host.memory.state) == (0, State())


def test_the_list_is_the_whole_list(host: Host) -> None:
    _well(host)
    host.update(holds=(UserHold.parse(unit="app"),)).run()
    report = host.update(holds=(UserHold.parse(unit="other"),)).run()
    assert told(report) == {"app": ("updated", None)}
    assert host.memory.state.holds == (UserHold.parse(unit="other"),)
    host.update(holds=()).run()
    assert host.memory.state.holds == ()


def test_lifting_ends_a_persons_hold_unless_the_same_task_gives_it(host: Host) -> None:
    _well(host)
    hold = UserHold.parse(unit="app")
    host.update(holds=(hold,)).run()
    assert told(host.update(holds=(hold,), lift=True).run()) == {"app": ("held", "user_hold")}
    assert told(host.update(lift=True).run()) == {"app": ("updated", None)}


@pytest.mark.parametrize("unit", ["pod", "member.service", "memb*"])
def test_a_pods_member_is_held_by_the_pods_unit_or_its_own(unit: str) -> None:
    host = Host()
    host.has(V1, APP)
    host.service("pod.service", Recipe("member", APP), pod=True)
    host.service("two.service", Recipe("two", APP))
    host.registry.publish(V2)
    hold = UserHold.parse(unit=unit)
    assert told(host.update(holds=(hold,)).run()) == dict.fromkeys(("member", "two"), ("held", "user_hold"))
    assert told(host.update(only=["container:two"]).run()) == {"two": ("held", "user_hold")}
    assert told(host.update(lift=True).run()) == dict.fromkeys(("member", "two"), ("updated", None))
    assert host.memory.state.holds == ()


def test_a_held_unit_holds_the_tag_for_whoever_shares_it(host: Host) -> None:
    """The tag would move, and the held unit would meet the new image at its next start."""
    _well(host)
    host.service("two.service", Recipe("two", APP))
    hold = (UserHold.parse(unit="two"),)
    assert told(host.update(holds=hold).run()) == {"app": ("held", "user_hold"), "two": ("held", "user_hold")}
    assert told(host.update(only=["unit:app"]).run()) == {"app": ("held", "user_hold")}
    assert host.tags[APP] == V1.id


def test_who_follows_a_held_tag_locally_stays_on_it(host: Host) -> None:
    _well(host)
    host.service("local.service", Recipe("local", APP, policy="local"))
    report = host.update(holds=(UserHold.parse(APP),)).run()
    assert told(report) == {"app": ("held", "user_hold"), "local": ("current", None)}


def test_what_is_current_is_not_called_held(host: Host) -> None:
    host.registry.publish(V1)
    assert told(host.update(holds=(UserHold.parse(APP),)).run()) == {"app": ("current", None)}


# The file.


def test_nothing_is_decided_where_holds_cannot_be_read(host: Host) -> None:
    host.memory.body = render_state(State())[:-4]
    for run in (host.update().check, host.update().run):
        with pytest.raises(StateError, match="cannot be used"):
            run()
    assert host.log == []
    assert host.registry.questions == []


def test_nothing_is_moved_where_it_cannot_be_said_before(host: Host) -> None:
    host.memory.broken = True
    with pytest.raises(StateError, match="No space left"):
        host.update().run()
    assert host.log == []


def test_what_cannot_be_written_later_is_a_warning_because_the_units_are_what_they_are(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart = host.restart

    def full(units: t.Collection[str]) -> dict[str, JobOutcome]:
        host.memory.broken = True
        return restart(units)

    monkeypatch.setattr(host, "restart", full)
    report = host.update().run()
    assert told(report) == {"app": ("rolled_back", "job_failed")}
    assert [one for one in report.warnings if one.startswith("state_invalid: ")]


def test_nothing_to_do_writes_nothing(host: Host) -> None:
    host.registry.publish(V1)
    host.update().run()
    assert (host.memory.writes, host.memory.history) == (0, [])


def test_holds_of_another_platform_do_not_count(host: Host) -> None:
    arm = ImageHold(APP, Platform("linux", "arm64"), V2.id, frozenset({V2.digest}))
    host.memory.body = render_state(State((arm,)))
    _well(host)
    assert told(host.update().run()) == {"app": ("updated", None)}


# History.


def test_each_changed_or_failed_unit_is_one_event(host: Host) -> None:
    host.has(V1, OTHER)
    host.service("two.service", Recipe("one", OTHER), Recipe("other", OTHER))
    host.registry.publish(V2, OTHER)
    host.has(V3, "quay.io/team/quiet:1")
    host.registry.publish(V3, "quay.io/team/quiet:1")
    host.service("quiet.service", Recipe("quiet", "quay.io/team/quiet:1"))
    host.update().check()
    assert host.memory.history == []

    host.update().run()

    events = {one.unit: one for one in host.memory.history}
    assert sorted(events) == ["app.service", "two.service"]
    assert len(host.memory.history) == 2
    app, two = events["app.service"], events["two.service"]
    assert (app.verdict, app.reason, app.job_result) == ("rolled_back", "job_failed", "failed")
    assert (two.verdict, two.reason, two.job_result) == ("updated", None, "done")
    assert [(one.container, one.image, one.before[0], one.after[0]) for one in two.passages] == [
        ("one", OTHER, V1.id, V2.id),
        ("other", OTHER, V1.id, V2.id),
    ]
    assert app.passages[0].before == app.passages[0].after == (V1.id, V1.digest)
    assert app.run == two.run
    assert (app.time, app.who.user, app.who.sudo_user) == (host.memory.clock, "root", "anna")
    assert app.seconds is not None

    host.update().run()
    assert len(host.memory.history) == 2
