# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd's manager by systemctl. A script on PATH stands in for it."""

from __future__ import annotations

import pathlib
import time

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import unit_manager
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.unit_manager import UnitManager


class Systemctl:
    """The stand-in: C(does) is what it does in a shell; C(calls) tells what it was called with."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def does(self, script: str) -> None:
        program = self._folder / "systemctl"
        # The file is a new one: a program that still runs cannot be written to.
        program.unlink(missing_ok=True)
        program.write_text(f'#!/bin/sh\necho "$*" >> "{self._folder}/calls"\n{script}\n', encoding="utf-8")
        program.chmod(0o755)

    def calls(self) -> list[str]:
        path = self._folder / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def systemctl(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(unit_manager, "_POLL_SECONDS", 0.01)
    return Systemctl(tmp_path)


def _manager(*, user: bool = False) -> UnitManager:
    return UnitManager(user=user, timeout=5)


def _shown(state: str, *, reload: str = "no", left: str = "0", file: str = "enabled") -> str:
    return (
        f"Id=x\nLoadState=loaded\nActiveState={state}\nUnitFileState={file}\nNeedDaemonReload={reload}\n"
        f"InactiveExitTimestampMonotonic={left}\n"
    )


def _prints(text: str) -> str:
    return f"cat <<'EOF'\n{text}EOF"


def test_the_states_of_units_come_in_the_order_asked(systemctl: Systemctl) -> None:
    began = int((time.clock_gettime(time.CLOCK_MONOTONIC) - 5) * 1e6)
    systemctl.does(_prints(f"{_shown('active', left=str(began))}\n{_shown('failed', reload='yes', file='')}"))
    facts = _manager().facts(["web.service", "db.service"])
    web, db = facts["web.service"], facts["db.service"]
    assert (web.active, web.unit_file_state, web.needs_reload) == (True, "enabled", False)
    assert web.left_inactive is not None
    assert abs(time.time() - 5 - web.left_inactive) < 4
    assert (db.active, db.unit_file_state, db.needs_reload, db.left_inactive) == (False, "", True, None)
    (call,) = systemctl.calls()
    assert call.endswith("-- web.service db.service")


def test_a_user_is_asked_by_their_own_manager_and_nobody_is_asked_for_nothing(systemctl: Systemctl) -> None:
    systemctl.does("exit 0")
    manager = _manager(user=True)
    assert (manager.facts([]), manager.control("start", [])) == ({}, None)
    assert systemctl.calls() == []
    assert manager.reload() is None
    assert systemctl.calls() == ["--user --no-pager --no-ask-password daemon-reload"]


def test_a_systemd_that_does_not_answer_has_no_facts(systemctl: Systemctl) -> None:
    systemctl.does("echo 'Failed to connect to bus' >&2; exit 1")
    assert _manager().facts(["web.service"]) == {}
    assert _manager().settled(["web.service"]) == {}
    assert _manager().ready(wait=False) is False
    assert len(systemctl.calls()) == 3


def test_what_could_not_be_done_is_told_in_systemds_words(systemctl: Systemctl) -> None:
    systemctl.does("printf 'Job for web.service failed.\\n  See \\033[31m journalctl\\n' >&2; exit 1")
    said = _manager().control("restart", ["web.service"])
    assert said is not None
    assert said.startswith("Job for web.service failed. See ")
    assert said.isprintable()
    systemctl.does("exit 4")
    assert _manager().control("stop", ["web.service"]) == "exit code 4"
    systemctl.does("exit 0")
    assert _manager().control("stop", ["-web.service"]) is None
    assert systemctl.calls()[-1] == "--no-pager --no-ask-password stop -- -web.service"


def test_a_command_that_takes_too_long_is_ended_and_one_that_is_missing_is_said_so(
    systemctl: Systemctl, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    systemctl.does("exec sleep 60")
    started = time.monotonic()
    assert (
        UnitManager(user=False, timeout=0.2).control("start", ["web.service"])
        == "systemctl start did not end within 0 s"
    )
    assert time.monotonic() - started < 10
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert _manager().reload() == "systemctl cannot be run: No such file or directory"


def test_a_unit_that_still_moves_is_waited_for(systemctl: Systemctl, tmp_path: pathlib.Path) -> None:
    moving, still = tmp_path / "moving", tmp_path / "still"
    moving.write_text(_shown("activating"), encoding="utf-8")
    still.write_text(_shown("active"), encoding="utf-8")
    systemctl.does(f'if test $(wc -l < "{tmp_path}/calls") -lt 3; then cat "{moving}"; else cat "{still}"; fi')
    assert _manager().settled(["web.service"])["web.service"].active
    assert len(systemctl.calls()) == 3


def test_a_unit_that_never_comes_to_an_end_is_not_waited_for_for_ever(
    systemctl: Systemctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_manager, "_SETTLE_SECONDS", 0.1)
    systemctl.does(_prints(_shown("deactivating")))
    assert _manager().settled(["web.service"])["web.service"].active_state == "deactivating"


def test_a_manager_that_just_starts_is_given_some_time(
    systemctl: Systemctl, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    systemctl.does(f'test $(wc -l < "{tmp_path}/calls") -ge 3')
    assert _manager().ready(wait=True)
    assert len(systemctl.calls()) == 3
    monkeypatch.setattr(unit_manager, "_READY_SECONDS", 0.1)
    systemctl.does("exit 1")
    assert not _manager().ready(wait=True)
