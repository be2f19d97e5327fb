# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's timer: a host that updates itself, with this collection's engine or with the distribution's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind
from lablib.units import deploy
from locations import SCRATCH
from pushing import Push, id_of
from sight import look

from roles import Play, play

_ENGINE = "/usr/local/lib/podfleet-autoupdate/engine.pyz"
_SETTINGS = "/etc/podfleet-autoupdate/timer.json"
_UNIT = "podfleet-autoupdate"
_STATE = "/var/lib/podfleet-autoupdate/state.json"
_QUICK = {"exclude": ["it-other"], "settle": 0}
_UNITS = [f"{_UNIT}.service", f"{_UNIT}-recovery.service", f"{_UNIT}.timer"]
_FILES = [_ENGINE, _SETTINGS, *(f"/etc/systemd/system/{name}" for name in _UNITS)]


def _timer(ansible: Ansible, host: Host, *options: str, **variables: Any) -> Play:
    given = {f"container_units_timer_{key}": value for key, value in variables.items()}
    return play(ansible, host, given, entry="timer", options=options)


def _enabled(host: Host, *units: str) -> list[str]:
    return host.run(["systemctl", "is-enabled", *units], check=False).stdout.split()


def _there(host: Host) -> list[str]:
    return [path for path in _FILES if host.run(["test", "-e", path], check=False).returncode == 0]


def test_the_host_updates_itself_and_comes_back_from_a_broken_image(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("self")
    deploy(host, "it-self", image=old.reference)
    other = push("other")
    deploy(host, "it-other", image=other.reference)

    assert _timer(ansible, host, "--check", settings=_QUICK).succeeded().changed > 0
    assert _there(host) == []
    _timer(ansible, host, settings=_QUICK).succeeded()
    again = _timer(ansible, host, "--check", settings=_QUICK).succeeded()
    assert again.changed == 0, again.output
    assert _timer(ansible, host, settings=_QUICK).succeeded().changed == 0
    assert _enabled(host, f"{_UNIT}.timer") == ["enabled"]
    assert host.run(["systemctl", "is-active", f"{_UNIT}.timer"]).stdout.strip() == "active"

    new = push("self", version="2")
    push("other", version="2")
    host.run(["systemctl", "start", f"{_UNIT}.service"], timeout=180)
    assert look(host).runs("it-self") == id_of(new)
    assert look(host).runs("it-other") == id_of(other)
    said = host.run(["journalctl", "--quiet", "--output=cat", f"--unit={_UNIT}.service"]).stdout
    assert "1 container: 1 updated." in said

    push("self", version="3", kind=Kind.NO_START)
    assert host.run(["systemctl", "start", f"{_UNIT}.service"], check=False, timeout=180).returncode != 0
    assert look(host).runs("it-self") == id_of(new)
    state = host.run(["systemctl", "show", "--property=ExecMainStatus", f"{_UNIT}.service"]).stdout.strip()
    assert state == "ExecMainStatus=1"
    said = host.run(["journalctl", "--quiet", "--output=cat", f"--unit={_UNIT}.service"]).stdout
    assert "1 rolled_back (it-self.service:" in said


def test_a_run_that_a_reboot_interrupted_is_finished_or_undone_at_boot(
    host: Host, ansible: Ansible, push: Push
) -> None:
    old = push("cut", kind=Kind.STUBBORN)  # Its stop takes ten seconds, in which the run can be interrupted.
    deploy(host, "it-cut", image=old.reference)
    host.run(["systemctl", "enable", "it-cut.service"])
    _timer(ansible, host, settings={"settle": 0}, persistent=False).succeeded()
    new = push("cut", version="2", kind=Kind.STUBBORN)
    host.run(["systemctl", "start", "--no-block", f"{_UNIT}.service"])
    host.run(["sh", "-c", f"for i in $(seq 600); do grep -q it-cut.service {_STATE} && exit; sleep 0.05; done; exit 1"])

    host.restart()

    recovery = f"{_UNIT}-recovery.service"
    wait = f"for i in $(seq 240); do test $(systemctl show -P ActiveState {recovery}) = inactive && exit; sleep 0.5; done; exit 1"
    host.run(["sh", "-c", wait], timeout=150)
    shown = host.run(["systemctl", "show", "--property=Result,ExecMainStatus,ConditionResult", recovery]).stdout
    assert sorted(shown.split()) == ["ConditionResult=yes", "ExecMainStatus=0", "Result=success"]
    said = host.run(["journalctl", "--quiet", "--output=cat", f"--unit={recovery}"]).stdout
    assert "An earlier run was interrupted (it-cut.service: " in said
    assert json.loads(host.read(_STATE))["intents"] == []
    runs = look(host).runs("it-cut")
    assert runs in (id_of(old), id_of(new))
    assert host.run(["podman", "image", "inspect", "--format={{.Id}}", new.reference]).stdout.strip() == runs[7:]
    order = host.run(["systemctl", "show", "--value", "--property=Before", recovery]).stdout.split()
    assert f"{_UNIT}.service" in order


def test_a_changed_schedule_restarts_no_container(host: Host, ansible: Ansible, push: Push) -> None:
    deploy(host, "it-kept", image=push("kept").reference)
    _timer(ansible, host).succeeded()
    before = look(host)
    engine = host.run(["sha256sum", _ENGINE]).stdout

    changed = _timer(
        ansible,
        host,
        on_calendar="*-*-* 03:30:00",
        time_zone="Europe/Berlin",
        environment={"https_proxy": 'a "b" 5%'},
        scope="all",
    ).succeeded()

    assert changed.changed > 0
    assert look(host) == before
    assert host.run(["sha256sum", _ENGINE]).stdout == engine
    shown = host.run(["systemctl", "show", "--property=TimersCalendar", f"{_UNIT}.timer"]).stdout
    assert "OnCalendar=*-*-* 03:30:00 Europe/Berlin" in shown
    for unit in (f"{_UNIT}.service", f"{_UNIT}-recovery.service"):
        assert "--scope=all /etc/" in host.run(["systemctl", "show", "--property=ExecStart", unit]).stdout
    assert (
        'https_proxy=a "b" 5%'
        in host.run(["sh", "-c", f"systemctl show -p Environment {_UNIT}.service | sed 's/\\\\//g'"]).stdout
    )


def test_two_engines_do_not_meet_and_removal_puts_the_other_one_back(host: Host, ansible: Ansible) -> None:
    host.run(["systemctl", "enable", "podman-auto-update.timer", "podman-auto-update.service"])
    try:
        _timer(ansible, host).succeeded()
        assert _enabled(host, "podman-auto-update.timer", "podman-auto-update.service") == ["disabled", "disabled"]
        assert _timer(ansible, host).succeeded().changed == 0

        play(ansible, host, {}, entry="remove").succeeded()
        assert _enabled(host, "podman-auto-update.timer", "podman-auto-update.service") == ["enabled", "enabled"]
        assert _there(host) == []
        assert play(ansible, host, {}, entry="remove").succeeded().changed == 0
    finally:
        host.run(["systemctl", "disable", "--now", "podman-auto-update.timer", "podman-auto-update.service"])


def test_the_distributions_own_timer(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("theirs")
    deploy(host, "it-theirs", image=old.reference)
    _timer(ansible, host).succeeded()

    _timer(ansible, host, engine="podman", on_calendar="*-*-* 05:00:00", timeout=900).succeeded()
    try:
        assert _there(host) == []
        again = _timer(ansible, host, engine="podman", on_calendar="*-*-* 05:00:00", timeout=900).succeeded()
        assert again.changed == 0, again.output
        assert _enabled(host, "podman-auto-update.timer") == ["enabled"]
        shown = host.run(["systemctl", "show", "--property=TimersCalendar", "podman-auto-update.timer"]).stdout
        assert "05:00:00" in shown
        assert "daily" not in shown
        assert "00:00:00 ;" not in shown.replace("05:00:00 ;", "")
        span = host.run(["systemctl", "show", "--property=TimeoutStartUSec", "podman-auto-update.service"]).stdout
        assert span.strip() == "TimeoutStartUSec=15min"
        new = push("theirs", version="2")
        host.run(["systemctl", "start", "podman-auto-update.service"], timeout=120)
        assert look(host).runs("it-theirs") == id_of(new)
    finally:
        host.run(["systemctl", "disable", "--now", "podman-auto-update.timer"])


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"on_calendar": "whenever"}, "whenever"),
        ({"randomized_delay": "long"}, "long"),
        ({"on_calendar": "daily\nExecStart=/bin/true"}, "line breaks"),
        ({"settings": {"onyl": []}}, "there is no setting 'onyl'"),
        ({"settings": {"parallel": "many"}}, "parallel must be a whole number"),
        ({"engine": "watchtower"}, "engine"),
        ({"engine": "podman", "scope": "all"}, "container_units_timer_scope all is for the engine collection"),
    ],
)
@pytest.mark.parametrize("distro", ["trixie"])
def test_what_cannot_be_meant_is_refused(host: Host, ansible: Ansible, variables: dict[str, Any], told: str) -> None:
    assert told in _timer(ansible, host, **variables).failed()
    assert _enabled(host, f"{_UNIT}.timer") in (["not-found"], [])


def test_a_hosts_settings_are_checked_before_they_replace_others(host: Host, ansible: Ansible) -> None:
    """What no host could use is refused before anything is changed, and what this one cannot, before the settings are."""
    assert "parallel must be between 1 and 100, not 0" in _timer(ansible, host, settings={"parallel": 0}).failed()
    assert _there(host) == []
    _timer(ansible, host, settings={"parallel": 2}).succeeded()
    missing = f"{SCRATCH}/no-ca.crt"
    assert f"ca_path: {missing} is not there" in _timer(ansible, host, settings={"ca_path": missing}).failed()
    assert json.loads(host.read(_SETTINGS)) == {"follow": "registry", "parallel": 2}
