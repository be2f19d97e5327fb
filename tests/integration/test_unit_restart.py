# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""unit_restart: what is stale, and only that; what hangs, fails or cannot be restarted."""

from __future__ import annotations

from typing import Any

from harness import Ansible, Run
from lablib import units
from lablib.host import Host
from lablib.images import Kind
from pushing import Push, id_of
from sight import look, unit
from users import USER, lingering


def _restart(ansible: Ansible, host: Host, *names: str, check: bool = False, **arguments: Any) -> Run:
    options = ["--check", "--diff"] if check else ["--diff"]
    given = {"name": list(names), "settle": 0, **arguments}
    return ansible.run(host.name, "podfleet.autoupdate.unit_restart", given, options=options)


def _rows(run: Run) -> dict[str, tuple[bool, str | None]]:
    """Unit → whether it was restarted, and the reason."""
    return {row["unit"]: (row["restarted"], row["reason"]) for row in run.result.data["units"]}


def test_only_what_is_stale_is_restarted(host: Host, ansible: Ansible, push: Push) -> None:
    old, other = push("web"), push("other")
    units.deploy(host, "it-web", image=old.reference, policy=None)
    units.deploy(host, "it-other", image=other.reference)
    new = push("web", version="2")
    host.run(["podman", "pull", "--quiet", new.reference])
    kept = unit(host, "it-other.service")

    predicted = _restart(ansible, host, "it-web", "it-other.service", check=True)
    assert predicted.succeeded().changed
    assert _rows(predicted) == {"it-web.service": (True, "check_mode"), "it-other.service": (False, None)}
    assert look(host).runs("it-web") == id_of(old)
    assert id_of(new)[:19] in predicted.stdout, "the diff names the image to come"
    real = _restart(ansible, host, "it-web", "it-other.service")

    assert real.succeeded().changed
    assert _rows(real) == {"it-web.service": (True, None), "it-other.service": (False, None)}
    row = real.result.data["units"][0]
    assert (row["job_result"], row["active_state"], row["sub_state"]) == ("done", "active", "running")
    assert (row["stale"], row["n_restarts"], row["scope"], row["user"]) == (True, 0, "system", None)
    assert row["main_pid"] == int(host.run(["systemctl", "show", "-PMainPID", "it-web"]).stdout)
    assert look(host).runs("it-web") == id_of(new)
    assert unit(host, "it-other.service") == kept
    for check in (True, False):
        again = _restart(ansible, host, "it-web", "it-other", check=check)
        assert not again.succeeded().changed
        assert _rows(again) == {"it-web.service": (False, None), "it-other.service": (False, None)}

    before = look(host).containers["it-other"].id
    assert _rows(_restart(ansible, host, "it-other", condition="always")) == {"it-other.service": (True, None)}
    assert look(host).containers["it-other"].id != before


def test_what_cannot_be_restarted(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("web").reference
    units.deploy(host, "it-web", image=image)
    units.deploy(host, "it-down", image=image)
    host.run(["systemctl", "stop", "it-down"])
    host.run(["ln", "-s", "/dev/null", "/run/systemd/system/it-masked.service"])
    sleeping = "[Service]\nExecStart=/bin/sleep infinity\n"
    host.write("/run/systemd/system/it-plain@.service", sleeping)
    host.write("/run/systemd/system/it-along.service", f"[Unit]\nPartOf=it-web.service\n{sleeping}")
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "it-plain@one.service", "it-along.service"])
    try:
        for condition in ("stale", "always"):
            run = _restart(
                ansible, host, "it-web", "it-down", "it-masked", "it-gone", "it-plain@one", condition=condition
            )
            always = condition == "always"
            assert _rows(run) == {
                "it-web.service": (always, None),
                "it-down.service": (False, "not_running"),
                "it-masked.service": (False, "unit_not_loaded"),
                "it-gone.service": (False, "unit_not_loaded"),
                "it-plain@one.service": (always, None if always else "no_unit_label"),
            }
            assert "it-masked.service: unit_not_loaded" in run.failed().data["msg"]
            assert run.result.changed is always
            along = {row["unit"]: row["dependents"] for row in run.result.data["units"] if row["dependents"]}
            assert along == ({"it-web.service": ["it-along.service"]} if always else {})
        assert unit(host, "it-down.service").active == "inactive"
        for name in ("../it", "it web", "it.timer/x", ""):
            assert "not the name of a service" in _restart(ansible, host, name).failed().data["msg"]
    finally:
        host.run(["systemctl", "stop", "it-plain@one.service", "it-along.service"])
        host.run(["sh", "-c", "cd /run/systemd/system && rm it-masked.service it-plain@.service it-along.service"])


def test_what_fails_or_hangs(host: Host, ansible: Ansible, push: Push) -> None:
    """A cancelled restart leaves a unit down: it is started again on what it had, and names stay as they were."""
    bad, stuck = push("bad"), push("stuck")
    units.deploy(host, "it-bad", image=bad.reference)
    units.deploy(host, "it-stuck", image=stuck.reference)
    push("bad", version="2", kind=Kind.NO_START)
    hang = push("stuck", version="2")
    # The unit hangs in its start for as long as the name points to the new image.
    asks = f"podman image inspect --format {{{{.Id}}}} {stuck.reference}"
    host.write(
        "/run/systemd/system/it-stuck.service.d/hang.conf",
        "[Service]\nTimeoutStartSec=infinity\n"
        f"ExecStartPre=/bin/sh -c '! {asks} | grep -q {id_of(hang)[7:]} || sleep infinity'\n",
    )
    host.run(["podman", "pull", "--quiet", bad.reference])
    host.run(["podman", "pull", "--quiet", stuck.reference])
    host.run(["systemctl", "daemon-reload"])

    run = _restart(ansible, host, "it-bad", "it-stuck", timeout=6)

    assert "it-stuck" in run.failed().data["msg"]
    rows = {row["unit"]: row for row in run.result.data["units"]}
    assert (rows["it-bad.service"]["reason"], rows["it-bad.service"]["job_result"]) == ("job_failed", "failed")
    assert (rows["it-stuck.service"]["reason"], rows["it-stuck.service"]["job_result"]) == ("job_timeout", "timeout")
    assert rows["it-stuck.service"]["active_state"] == "active"
    after = look(host)
    assert after.runs("it-stuck") == id_of(stuck)
    assert after.names[stuck.reference] == id_of(hang)
    assert after.rejected == {}


def test_a_stop_that_hangs(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("web")
    units.deploy(host, "it-web", image=old.reference)
    new = push("web", version="2")
    host.run(["podman", "pull", "--quiet", new.reference])
    host.write(
        "/run/systemd/system/it-web.service.d/hang.conf",
        "[Service]\nTimeoutStopSec=infinity\nExecStop=/bin/sleep 10\n",
    )
    host.run(["systemctl", "daemon-reload"])

    run = _restart(ansible, host, "it-web", timeout=4)

    run.failed()
    (row,) = run.result.data["units"]
    assert (row["reason"], row["job_result"], row["active_state"]) == ("job_timeout", "timeout", "active")
    after = look(host)
    assert after.runs("it-web") == id_of(old)
    assert after.names[old.reference] == id_of(new)


def test_a_users_unit(host: Host, ansible: Ansible, push: Push) -> None:
    with lingering(host) as user:
        old = push("mine")
        user.deploy("it-mine", old.reference)
        new = push("mine", version="2")
        user.run("podman", "pull", "--quiet", new.reference)
        options: dict[str, Any] = {"scope": "user", "user": USER}
        assert _rows(_restart(ansible, host, "it-mine", check=True, **options)) == {
            "it-mine.service": (True, "check_mode")
        }
        run = _restart(ansible, host, "it-mine", **options)
        assert _rows(run) == {"it-mine.service": (True, None)}
        assert (run.result.data["units"][0]["user"], run.result.data["units"][0]["scope"]) == (USER, "user")
        assert user.runs("it-mine") == id_of(new)
        assert not _restart(ansible, host, "it-mine", **options).succeeded().changed
