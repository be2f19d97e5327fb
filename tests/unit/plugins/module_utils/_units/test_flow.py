# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow about unit files: what is written, started, stopped and told. Files are real; systemd is a small one in memory."""

from __future__ import annotations

import os
import pathlib
import time
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.container_definitions import State
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.service_facts import ServiceFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_styles import Style
from ansible_collections.podfleet.autoupdate.plugins.module_utils._units.flow import Row
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._units.hosts import Host, unit

_CLASSIC = Style.SERVICE


def _done(rows: t.Iterable[Row]) -> list[tuple[str, str, str, str]]:
    return [(row.name, row.definition, row.operation, row.enablement) for row in rows]


def test_a_new_unit_is_written_checked_and_started(host: Host) -> None:
    predicted = host.run(unit("web"), check=True)
    assert (host.files(), host.systemd.calls) == ({}, [])

    rows = host.run(unit("web"))

    assert _done(rows) == _done(predicted) == [("web", "created", "started", "unchanged")]
    assert host.files() == {"quadlet/web.container": unit("web").files[0].text}
    assert host.checker.asked == ["web.container"] * 2
    assert host.systemd.calls == ["reload", "reset-failed web.service", "start web.service"]
    assert rows[0].files == (f"{host.root}/quadlet/web.container",)
    assert (rows[0].changed, rows[0].error) == (True, None)


def test_a_second_run_does_nothing(host: Host) -> None:
    host.run(unit("web"), unit("db"))
    host.checker.asked = []

    for check in (True, False):
        rows = host.run(unit("web"), unit("db"), check=check)
        assert _done(rows) == [(name, "unchanged", "none", "unchanged") for name in ("web", "db")]
        assert not any(row.changed for row in rows)
        assert (host.systemd.calls, host.checker.asked) == ([], [])


def test_only_what_changed_is_started_anew(host: Host) -> None:
    host.run(unit("web"), unit("db"))

    rows = host.run(unit("web", "localhost/app:2"), unit("db"))

    assert _done(rows) == [("web", "changed", "restarted", "unchanged"), ("db", "unchanged", "none", "unchanged")]
    assert "restart web.service" in host.systemd.calls
    assert not any("db.service" in call for call in host.systemd.calls)


def test_what_runs_does_not_care_for_the_section_install(host: Host) -> None:
    """The file keeps its time too, so that no later run takes it for news."""
    host.run(unit("web"))
    path = host.root / "quadlet" / "web.container"
    os.utime(path, (1000, 1000))

    rows = host.run(unit("web", enabled=False))

    assert _done(rows) == [("web", "changed", "none", "unchanged")]
    assert host.systemd.calls == ["reload"]
    assert path.stat().st_mtime == 1000
    assert "[Install]" not in path.read_text(encoding="utf-8")


def test_a_run_that_was_cut_off_before_the_restart_is_made_good(host: Host) -> None:
    host.run(unit("web"))
    later = time.time() + 10
    os.utime(host.root / "quadlet" / "web.container", (later, later))
    assert _done(host.run(unit("web"))) == [("web", "unchanged", "restarted", "unchanged")]


def test_a_newer_file_that_the_unit_reads_asks_for_a_restart(host: Host, tmp_path: pathlib.Path) -> None:
    read = tmp_path / "shop.yml"
    reads = str(read)
    host.run(unit("web", reads=reads))
    assert _done(host.run(unit("web", reads=reads))) == [("web", "unchanged", "none", "unchanged")], "it is not there"
    read.touch()
    os.utime(read, (time.time() + 10,) * 2)
    assert _done(host.run(unit("web", reads=reads))) == [("web", "unchanged", "restarted", "unchanged")]


def test_a_unit_that_does_not_run_is_started_without_a_new_file(host: Host) -> None:
    host.run(unit("web"))
    host.systemd.control("stop", ["web.service"])
    assert _done(host.run(unit("web"))) == [("web", "unchanged", "started", "unchanged")]


def test_a_unit_that_is_to_be_stopped_is(host: Host) -> None:
    host.run(unit("web"))
    assert _done(host.run(unit("web", state=State.STOPPED))) == [("web", "unchanged", "stopped", "unchanged")]
    assert host.systemd.calls == ["stop web.service"]
    assert _done(host.run(unit("web", state=State.STOPPED))) == [("web", "unchanged", "none", "unchanged")]


def test_a_unit_that_does_not_start_is_told_with_systemds_words(host: Host) -> None:
    host.systemd.breaks = {"web.service"}
    web, db = host.run(unit("web"), unit("db"))
    assert web.error == "web.service did not start: Job for web.service failed."
    assert (db.error, host.systemd.units["db.service"].active_state) == (None, "active")


def test_a_reload_that_fails_is_every_units_failure_and_starts_nothing(host: Host) -> None:
    host.systemd.refuses = "Access denied"
    rows = host.run(unit("web"), unit("db"))
    assert [row.error for row in rows] == ["Access denied"] * 2
    assert host.systemd.calls == ["reload"]


def test_what_the_checker_refuses_changes_nothing(host: Host) -> None:
    host.run(unit("web"))
    before = host.files()
    for check in (True, False):
        with pytest.raises(InputError, match="Quadlet refuses it"):
            host.run(unit("web", "localhost/refused:1"), unit("db"), check=check)
    assert (host.files(), host.systemd.calls) == (before, [])


def test_a_unit_that_is_no_longer_defined_is_stopped_by_its_old_definition_and_goes(host: Host) -> None:
    host.run(unit("web"), unit("db"))
    predicted = host.run(unit("web"), check=True)

    rows = host.run(unit("web"))

    assert _done(rows) == _done(predicted)
    assert _done(rows)[1] == ("db", "removed", "stopped", "unchanged")
    assert rows[1].files == (f"{host.root}/quadlet/db.container",)
    assert list(host.files()) == ["quadlet/web.container"]
    assert host.systemd.calls == ["stop db.service", "reload"]


def test_a_unit_that_failed_is_forgotten_once_it_is_gone(host: Host) -> None:
    host.systemd.breaks = {"db.service"}
    host.run(unit("web"), unit("db"), unit("cache"))
    assert host.systemd.units["db.service"].active_state == "failed"

    host.run(unit("web"), check=True)
    assert host.systemd.calls == []
    host.run(unit("web"))

    assert host.systemd.calls == ["stop cache.service db.service", "reload", "reset-failed db.service"]
    assert host.systemd.units["db.service"].active_state == "inactive"
    host.run(unit("web"))
    assert host.systemd.calls == []


def test_a_classic_unit_is_enabled_by_a_link_and_disabled_before_it_goes(host: Host) -> None:
    assert _done(host.run(unit("web", style=_CLASSIC))) == [("web", "created", "started", "enabled")]
    assert "enable web.service" in host.systemd.calls
    rows = host.run(unit("web", style=_CLASSIC, enabled=False))
    assert _done(rows) == [("web", "unchanged", "none", "disabled")]
    assert host.systemd.calls == ["disable web.service"]
    host.run(unit("web", style=_CLASSIC))
    host.run()
    assert host.systemd.calls == ["stop web.service", "disable web.service", "reload"]
    assert host.files() == {}


def test_a_unit_changes_its_style(host: Host) -> None:
    """The old file goes before the new one counts, and that is a change, not a new unit."""
    host.run(unit("web", style=_CLASSIC))
    rows = host.run(unit("web"))
    assert _done(rows) == [("web", "changed", "restarted", "unchanged")]
    assert list(host.files()) == ["quadlet/web.container"]
    assert host.systemd.calls[:2] == ["stop web.service", "disable web.service"]
    assert host.systemd.units["web.service"].active


def test_groups_leave_each_other_alone(host: Host) -> None:
    host.run(unit("web"))
    host.run(unit("db", group="other"), group="other")
    assert list(host.files()) == ["quadlet/db.container", "quadlet/web.container"]
    with pytest.raises(InputError, match=r"web\.container is there already and belongs to the group shop"):
        host.run(unit("web", group="other"), group="other")
    host.run(group="other")
    assert list(host.files()) == ["quadlet/web.container"]


@pytest.mark.parametrize("body", ["[Container]\nImage=mine\n", "", "\x00"])
def test_a_file_of_somebody_elses_is_left_alone(host: Host, body: str) -> None:
    path = host.root / "quadlet" / "web.container"
    path.parent.mkdir(parents=True)
    path.write_text(body, encoding="utf-8")
    for check in (True, False):
        with pytest.raises(InputError, match="was not made by this collection; it is left alone"):
            host.run(unit("db"), unit("web"), check=check)
    assert host.files() == {"quadlet/web.container": body}


def test_without_a_systemd_that_answers_files_are_written_and_units_are_not_running(host: Host) -> None:
    host.systemd.answers = False
    (row,) = host.run(unit("web"))
    assert (row.definition, row.operation) == ("created", "started")
    assert row.error == "web.service did not start: see its journal"


def test_systemd_is_told_of_files_that_it_has_not_read_yet(host: Host) -> None:
    host.run(unit("web"))
    known = host.systemd.units["web.service"]
    for stale in (replace(known, needs_reload=True), replace(known, load_state="not-found")):
        host.systemd.units["web.service"] = stale
        host.run(unit("web"))
        assert host.systemd.calls == ["reload"]


def test_a_unit_is_up_while_it_reloads_and_not_while_it_still_starts(host: Host) -> None:
    host.run(unit("web"))
    for state, operation in (("reloading", "none"), ("activating", "started"), ("failed", "started")):
        host.systemd.units["web.service"] = ServiceFacts("loaded", state, "", needs_reload=False, left_inactive=None)
        assert host.run(unit("web"), check=True)[0].operation == operation
    for state, operation in (("activating", "stopped"), ("failed", "none"), ("inactive", "none")):
        host.systemd.units["web.service"] = ServiceFacts("loaded", state, "", needs_reload=False, left_inactive=None)
        assert host.run(unit("web", state=State.STOPPED), check=True)[0].operation == operation
