# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own timer: the user's manager runs it, over the user's containers, from files that only root writes."""

from __future__ import annotations

import json
from typing import Any

from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from pushing import Push, id_of
from users import USER, User, lingering

from roles import Play, play

_FOLDER = f"/etc/podfleet-autoupdate/users/{USER}"
_UNIT = "podfleet-autoupdate"
_PODMANS = ("podman-auto-update.timer", "podman-auto-update.service")


def _timer(ansible: Ansible, host: Host, *options: str, **variables: Any) -> Play:
    given = {f"container_units_timer_{key}": value for key, value in variables.items()}
    return play(ansible, host, {"container_units_user": USER, **given}, entry="timer", options=options)


def _settled(ansible: Ansible, host: Host, **variables: Any) -> None:
    """A check sees the change, a run makes it, and after it both see nothing to do."""
    assert _timer(ansible, host, "--check", **variables).succeeded().changed > 0
    _timer(ansible, host, **variables).succeeded()
    again = _timer(ansible, host, "--check", **variables).succeeded()
    assert again.changed == 0, again.output
    assert _timer(ansible, host, **variables).succeeded().changed == 0


def _shown(user: User, unit: str, *properties: str) -> list[str]:
    return [user.run("systemctl", "--user", "show", "--value", f"--property={one}", unit).strip() for one in properties]


def _run_now(user: User) -> int:
    user.run("systemctl", "--user", "start", f"{_UNIT}.service", check=False)
    return int(_shown(user, f"{_UNIT}.service", "ExecMainStatus")[0])


def test_a_users_run_that_a_power_cut_interrupted_is_repaired_when_the_users_manager_starts(
    host: Host, ansible: Ansible, push: Push
) -> None:
    old = push("cut", kind=Kind.STUBBORN)  # Its stop takes a second, in which the run can be interrupted.
    state, recovery = f"/home/{USER}/.local/state/podfleet-autoupdate/state.json", f"{_UNIT}-recovery.service"
    with lingering(host) as user:
        user.deploy("it-cut", old.reference)
        user.run("systemctl", "--user", "enable", "it-cut.service")
        _timer(ansible, host, settings={"settle": 0}, persistent=False).succeeded()
        new = push("cut", version="2")
        user.run("systemctl", "--user", "start", "--no-block", f"{_UNIT}.service")
        host.run(["sh", "-c", f"for i in $(seq 600); do grep -q it-cut {state} && exit; sleep 0.05; done; exit 1"])

        host.power_cut()

        said = f"journalctl --quiet --output=cat _UID={user.uid} USER_UNIT={recovery} + _UID={user.uid} _SYSTEMD_USER_UNIT={recovery}"
        ended = f"for i in $(seq 120); do {said} | grep -q '^Finished' && exit; sleep 0.5; done; exit 1"
        host.run(["sh", "-c", ended], timeout=90)
        assert _shown(user, recovery, "Result", "ExecMainStatus") == ["success", "0"]
        assert "An earlier run was interrupted (it-cut.service: " in host.run(["sh", "-c", said]).stdout
        assert json.loads(host.read(state))["intents"] == []
        assert user.runs("it-cut") in (id_of(old), id_of(new))
        assert user.id_of(old.reference) == user.runs("it-cut")


def test_a_users_containers_update_themselves(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("own")
    with lingering(host) as user:
        user.deploy("it-own", old.reference)
        user.run("systemctl", "--user", "enable", "--now", _PODMANS[0])

        _settled(ansible, host, settings={"settle": 0}, on_calendar="*-*-* 03:30:00")

        assert _shown(user, f"{_UNIT}.timer", "ActiveState", "UnitFileState") == ["active", "enabled"]
        assert "03:30:00" in _shown(user, f"{_UNIT}.timer", "TimersCalendar")[0]
        assert _shown(user, _PODMANS[0], "ActiveState", "UnitFileState") == ["inactive", "disabled"]
        assert host.run(["stat", "-c%U:%G:%a", f"{_FOLDER}/timer.json"]).stdout == f"root:{USER}:640\n"
        assert host.run(["systemctl", "cat", f"{_UNIT}.timer"], check=False).returncode != 0, "the system has none"
        new = push("own", version="2")
        assert _run_now(user) == 0, user.run("journalctl", "--user", "-q", "-n50", check=False)
        assert user.runs("it-own") == id_of(new)
        push("own", version="3", kind=Kind.NO_START)
        assert _run_now(user) == 1
        assert user.runs("it-own") == id_of(new)

        order = f"/etc/systemd/system/user@{user.uid}.service.d/podfleet-autoupdate.conf"
        other = f"/home/{USER}/.config/systemd/user/it-else.service"
        host.run(["test", "-e", order])
        marker = "# Managed by podfleet.autoupdate.container_units, group else. Changes are overwritten."
        host.write(other, f"{marker}\n[Service]\nExecStart=/bin/true\n")
        assert f"{_UNIT}.service" in user.run("systemctl", "--user", "--failed")
        host.run(["mkdir", "-p", "/etc/podfleet-autoupdate/users/it-other"])
        host.write("/etc/podfleet-autoupdate/users/it-other/timer.json", "{}")
        removed = play(ansible, host, {"container_units_user": USER}, entry="remove").succeeded()
        assert removed.changed > 0
        assert _UNIT not in user.run("systemctl", "--user", "--failed")
        host.run(["test", "-e", order])  # Another group of the user's has a unit.
        host.run(["rm", other])
        assert _shown(user, f"{_UNIT}.timer", "LoadState") == ["not-found"]
        assert _shown(user, _PODMANS[0], "ActiveState", "UnitFileState") == ["active", "enabled"]
        links = user.run("find", f"/home/{USER}/.config/systemd", "-name", "podfleet*")
        assert links == "", "no links stay"
        assert host.run(["test", "-e", _FOLDER], check=False).returncode == 1
        assert host.run(["test", "-e", "/usr/local/lib/podfleet-autoupdate/engine.pyz"]).returncode == 0, "it-other's"

        _timer(ansible, host, engine="podman", on_calendar="*-*-* 05:00:00", timeout=900).succeeded()
        calendar = _shown(user, _PODMANS[0], "TimersCalendar")[0]
        assert "05:00:00" in calendar
        assert calendar.count("OnCalendar=") == 1
        assert _shown(user, _PODMANS[1], "TimeoutStartUSec") == ["15min"]
        systems = host.run(["systemctl", "show", "--value", "--property=TimersCalendar", _PODMANS[0]]).stdout
        assert "05:00:00" not in systems, "the system's is as it was"

        play(ansible, host, {"container_units_user": USER}, entry="remove").succeeded()
        assert "05:00:00" not in _shown(user, _PODMANS[0], "TimersCalendar")[0]
        assert host.run(["test", "-e", order], check=False).returncode == 1
