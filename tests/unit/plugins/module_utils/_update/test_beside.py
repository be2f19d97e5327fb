# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Others at work: what they did meanwhile is seen before anything is moved, and no unit is restarted twice."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import BusyError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    APP,
    V1,
    V2,
    V3,
    Recipe,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host, row, told


def _updated_by_podman(host: Host, to: str, *units: str) -> None:
    host.tag(to, APP)
    host.restart(units)


def test_what_podman_updated_meanwhile_is_not_restarted_again(host: Host) -> None:
    host.second_engine = lambda: _updated_by_podman(host, V2.id, "app.service")
    report = host.update().run()
    found = row(report, "app")
    assert told(report) == {"app": ("current", "second_engine")}
    assert (found.before, found.after, found.changed) == ((V1.id, V1.digest), (V2.id, V2.digest), False)
    assert [entry for entry in host.log if entry[0] == "restart"] == [("restart", "app.service")]
    assert host.running("app") == host.tags[APP] == V2.id


def test_what_it_put_on_a_third_image_is_left_to_it(host: Host) -> None:
    host.has(V3)
    host.second_engine = lambda: _updated_by_podman(host, V3.id, "app.service")
    report = host.update().run()
    assert told(report) == {"app": ("pending", "second_engine")}
    assert row(report, "app").after == (V3.id, None)
    assert host.running("app") == host.tags[APP] == V3.id


def test_a_restart_on_the_old_image_changes_nothing_of_what_was_decided(host: Host) -> None:
    host.second_engine = lambda: _updated_by_podman(host, V1.id, "app.service")
    assert told(host.update().run()) == {"app": ("updated", None)}
    assert host.running("app") == V2.id


def test_others_of_the_group_go_on(host: Host) -> None:
    host.service("beta.service", Recipe("beta", APP))
    host.second_engine = lambda: _updated_by_podman(host, V2.id, "app.service")
    assert told(host.update().run()) == {"app": ("current", "second_engine"), "beta": ("updated", None)}
    assert host.running("app") == host.running("beta") == host.tags[APP] == V2.id


def test_who_does_not_end_keeps_everything_as_it_is(host: Host) -> None:
    def stays() -> None:
        raise BusyError("podman auto-update (process 5) works on the same containers", Reason.SECOND_ENGINE)

    host.second_engine = stays
    report = host.update().run()
    assert told(report) == {"app": ("failed", "second_engine")}
    assert row(report, "app").after == (V1.id, V1.digest)
    assert host.running("app") == host.tags[APP] == V1.id
    assert not host.done("restart")


def test_where_podman_does_not_tell_what_they_did_that_is_the_reason(host: Host) -> None:
    def restarts() -> None:
        _updated_by_podman(host, V1.id, "app.service")
        host.blind_looks = 1

    host.second_engine = restarts
    report = host.update().run()
    assert told(report) == {"app": ("failed", "store_failed")}
    assert row(report, "app").finding.error == "podman ps: the database is locked"
    assert host.running("app") == host.tags[APP] == V1.id


@pytest.mark.parametrize("check", [True, False])
def test_who_changes_nothing_waits_for_nobody(host: Host, *, check: bool) -> None:
    def never() -> None:
        raise AssertionError

    host.second_engine = never
    if not check:
        host.registry.publish(V1)
    update = host.update()
    report = update.check() if check else update.run()
    assert told(report) == {"app": ("pending", "check_mode") if check else ("current", None)}
