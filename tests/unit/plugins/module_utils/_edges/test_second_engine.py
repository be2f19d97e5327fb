# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman's own updates, looked for among real processes and real links."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import second_engine
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.second_engine import (
    SecondEngine,
    enabled,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import BusyError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.second_engines import enabling_links


@pytest.fixture
def auto_update(tmp_path: Path) -> t.Iterator[subprocess.Popen[bytes]]:
    """A process that is called as podman is; what it runs is a script of the name of podman's command."""
    script = "import sys, time; sys.stdout.write('.'); sys.stdout.flush(); time.sleep(60)"
    (tmp_path / "auto-update").write_text(script)
    command = ["/usr/bin/podman", "auto-update", "--format=json"]
    with subprocess.Popen(command, executable=sys.executable, cwd=tmp_path, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(1) == b"."
        yield child
        child.kill()


def test_a_process_is_found_and_gone_when_it_ended(auto_update: subprocess.Popen[bytes]) -> None:
    assert SecondEngine(0).running() == auto_update.pid
    auto_update.kill()
    auto_update.wait()
    assert SecondEngine(0).running() is None
    SecondEngine(0).wait()


def test_another_users_process_is_not_waited_for(
    auto_update: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    del auto_update
    monkeypatch.setattr(second_engine.os, "geteuid", lambda: 4711)
    assert SecondEngine(0).running() is None


def test_it_is_waited_for_and_refused_when_it_takes_too_long(auto_update: subprocess.Popen[bytes]) -> None:
    with pytest.raises(BusyError, match=rf"process {auto_update.pid}\).*waited 0 s") as caught:
        SecondEngine(0).wait()
    assert caught.value.reason is Reason.SECOND_ENGINE
    started = time.monotonic()
    # Reaped while it is waited for: a process that ended and that nobody asked after has no command line either.
    threading.Timer(0.3, auto_update.kill).start()
    SecondEngine(30).wait()
    assert 0.2 < time.monotonic() - started < 20


def test_a_users_links_are_found_where_the_user_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_engine, "enabling_links", _own_links_only)
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert enabled(user=True) == []
    wants = tmp_path / ".config/systemd/user/timers.target.wants"
    wants.mkdir(parents=True)
    # systemd follows such a link only to read the unit; it counts whether it leads anywhere or not.
    (wants / "podman-auto-update.timer").symlink_to("/nowhere/podman-auto-update.timer")
    assert enabled(user=True) == ["podman-auto-update.timer"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert enabled(user=True) == []


def _own_links_only(home_config: str | None) -> list[str]:
    return [one for one in enabling_links(home_config) if home_config and one.startswith(home_config)]
