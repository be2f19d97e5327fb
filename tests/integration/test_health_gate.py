# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart that systemd calls done is not believed: the unit must go on running, and be healthy."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from harness import Ansible, Run, same_prediction
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.units import deploy
from locations import DROP_INS, SCRATCH
from pushing import Push, id_of
from sight import look, unit

_BY_FILE = f"--volume={SCRATCH}:{SCRATCH}:ro"


def _healthcheck(command: str, *, interval: str = "1s", retries: int = 2) -> list[str]:
    return [f"--health-cmd={command}", f"--health-interval={interval}", f"--health-retries={retries}", _BY_FILE]


def _deployed(host: Host, push: Push, extra: Sequence[str] = (), *, kind: Kind = Kind.GOOD) -> tuple[Pushed, Pushed]:
    """A unit that runs version 1, and version 2 in the registry."""
    host.run(["mkdir", "-p", SCRATCH])
    old = push("web")
    deploy(host, "it-web", image=old.reference, extra_args=extra)
    return old, push("web", version="2", kind=kind)


def _is_back(host: Host, run: Run, old: Pushed, reason: str) -> None:
    assert run.failed().verdicts() == {"it-web": ("rolled_back", reason)}
    after = look(host)
    assert after.runs("it-web") == id_of(old) == after.names[old.reference]
    assert unit(host, "it-web.service").active == "active"


def test_what_ends_after_three_seconds_is_put_back(host: Host, ansible: Ansible, push: Push) -> None:
    old, _bad = _deployed(host, push, kind=Kind.DIES)
    run = ansible.update(host.name, settle=5)
    _is_back(host, run, old, "restarted_again")
    assert run.result.row("it-web")["job_result"] == "done"


def test_without_settling_it_is_believed(host: Host, ansible: Ansible, push: Push) -> None:
    _old, bad = _deployed(host, push, kind=Kind.DIES)
    assert ansible.update(host.name, settle=0).succeeded().verdicts() == {"it-web": ("updated", None)}
    assert look(host).names[bad.reference] == id_of(bad)


def test_what_podman_starts_again_and_again_is_put_back(host: Host, ansible: Ansible, push: Push) -> None:
    """podman's own restart policy: the container keeps its ID, and systemd sees nothing of it."""
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    file = "/etc/systemd/system/it-web.service"
    text = host.run(["cat", file]).stdout
    host.write(file, text.replace(" --rm ", " --restart=always "))
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "restart", "it-web"])
    push("web", version="2", kind=Kind.DIES)
    run = ansible.update(host.name, settle=5)
    assert run.failed().verdicts()["it-web"][0] == "rolled_back"
    assert run.result.row("it-web")["reason"] in ("restarted_again", "not_running")
    assert look(host).runs("it-web") == id_of(old)


def test_what_settles_is_updated_and_stays(host: Host, ansible: Ansible, push: Push) -> None:
    _old, new = _deployed(host, push)
    predicted = ansible.update(host.name, check=True, settle=3).succeeded()
    began = time.monotonic()
    done = ansible.update(host.name, settle=3).succeeded()
    assert time.monotonic() - began >= 3
    assert done.verdicts() == {"it-web": ("updated", None)}
    assert same_prediction(predicted, done)
    assert look(host).runs("it-web") == id_of(new)
    for check in (True, False):
        again = ansible.update(host.name, check=check, settle=3).succeeded()
        assert not again.changed
        assert again.verdicts() == {"it-web": ("current", None)}


# The container's own healthcheck.


def test_a_healthcheck_that_fails_puts_back_and_one_that_succeeds_does_not(
    host: Host, ansible: Ansible, push: Push
) -> None:
    """The check depends on the host, not on the image, so that the old image is healthy again."""
    sick = f"test ! -e {SCRATCH}/sick"
    old, new = _deployed(host, push, _healthcheck(sick))
    host.write(f"{SCRATCH}/sick", "")
    host.write(
        f"{DROP_INS.replace('*', 'web')}/well.conf",
        f"[Service]\nExecStopPost=/bin/sh -c 'test -e {SCRATCH}/seen && rm -f {SCRATCH}/sick; touch {SCRATCH}/seen'\n",
    )
    host.run(["systemctl", "daemon-reload"])

    _is_back(host, ansible.update(host.name), old, "unhealthy")
    assert ansible.update(host.name, lift_holds=True).succeeded().verdicts() == {"it-web": ("updated", None)}
    assert look(host).runs("it-web") == id_of(new)


def test_without_wait_healthy_it_is_not_asked(host: Host, ansible: Ansible, push: Push) -> None:
    _deployed(host, push, _healthcheck("false"))
    done = ansible.update(host.name, wait_healthy=False, settle=1).succeeded()
    assert done.verdicts() == {"it-web": ("updated", None)}


def test_a_healthcheck_that_flaps_is_seen_while_the_unit_settles(host: Host, ansible: Ansible, push: Push) -> None:
    """Healthy at first, then not any more."""
    flap = f"test ! -e {SCRATCH}/on || test ! -e /tmp/healthy && touch /tmp/healthy"
    old, _new = _deployed(host, push, [*_healthcheck(flap, retries=1), "--tmpfs=/tmp"])
    host.write(f"{SCRATCH}/on", "")
    host.write(
        f"{DROP_INS.replace('*', 'web')}/well.conf",
        f"[Service]\nExecStopPost=/bin/sh -c 'test -e {SCRATCH}/seen && rm -f {SCRATCH}/on; touch {SCRATCH}/seen'\n",
    )
    host.run(["systemctl", "daemon-reload"])
    _is_back(host, ansible.update(host.name, settle=8), old, "unhealthy")


@pytest.mark.parametrize(("command", "verdict"), [("true", "updated"), ("false", "failed")])
def test_a_healthcheck_without_a_timer_is_run_by_us(
    host: Host, ansible: Ansible, push: Push, command: str, verdict: str
) -> None:
    _deployed(host, push, _healthcheck(command, interval="disable"))
    run = ansible.update(host.name)
    assert run.result.row("it-web")["status"] == verdict
    if verdict == "failed":
        # The old image has the same check and is not healthy either.
        assert run.failed().verdicts() == {"it-web": ("failed", "unit_down")}
        assert "healthcheck" in run.result.row("it-web")["error"]


# More than one container, more than one unit.


def test_a_pod_whose_member_ends_is_put_back(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    deploy(host, "it-web", image=old.reference, style="pod")
    push("web", version="2", kind=Kind.DIES)
    run = ansible.update(host.name, settle=6)
    assert run.failed().verdicts()["it-web"][0] == "rolled_back"
    assert run.result.row("it-web")["reason"] in ("restarted_again", "not_running")
    after = look(host)
    assert after.runs("it-web") == id_of(old) == after.names[old.reference]


def test_dependents_that_were_active_are_active_afterwards(host: Host, ansible: Ansible, push: Push) -> None:
    """Requires= stops them with the unit, and a unit that fails to start leaves them down."""
    old = push("web")
    deploy(host, "it-web", image=old.reference)
    host.write(
        "/etc/systemd/system/it-child.service",
        "[Unit]\nRequires=it-web.service\nAfter=it-web.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    )
    try:
        host.run(["systemctl", "daemon-reload"])
        host.run(["systemctl", "start", "it-child.service"])
        push("web", version="2", kind=Kind.NO_START)
        _is_back(host, ansible.update(host.name), old, "job_failed")
        assert unit(host, "it-child.service").active == "active"
        new = push("web", version="3")
        assert ansible.update(host.name).succeeded().verdicts() == {"it-web": ("updated", None)}
        assert look(host).runs("it-web") == id_of(new)
        assert unit(host, "it-child.service").active == "active"
    finally:
        host.run(["systemctl", "stop", "it-child.service"], check=False)
        host.run(["rm", "-f", "/etc/systemd/system/it-child.service"])
        host.run(["systemctl", "daemon-reload"])


# The operator's command.


def test_health_command_decides_and_is_told_the_unit(host: Host, ansible: Ansible, push: Push) -> None:
    old, new = _deployed(host, push)
    script = (
        f'echo "$UNIT" >> {SCRATCH}/asked; test $(wc -l < {SCRATCH}/asked) -ne 1 || {{ echo no good >&2; exit 3; }}'
    )
    command = ["/bin/sh", "-c", script]
    run = ansible.update(host.name, health_command=command)
    _is_back(host, run, old, "unhealthy")
    assert "ended with 3 for it-web.service: no good" in run.result.row("it-web")["error"]
    assert host.run(["cat", f"{SCRATCH}/asked"]).stdout.split() == ["it-web.service"] * 2
    again = ansible.update(host.name, health_command=command, lift_holds=True).succeeded()
    assert again.verdicts() == {"it-web": ("updated", None)}
    assert look(host).runs("it-web") == id_of(new)


def test_settings_that_cannot_be_meant_are_refused(host: Host, ansible: Ansible) -> None:
    assert "settle" in ansible.update(host.name, settle=-1).failed().data["msg"]
    assert "absolute path" in ansible.update(host.name, health_command=["curl"]).failed().data["msg"]
