# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout can be told: what is refused, when it may begin, who takes part, and who could not note a hold."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from fleet import Fleet
from lablib.images import ImageMaker, Kind
from lablib.units import deploy
from pushing import Push, id_of
from secrecy import know
from sight import look
from users import lingering

_SECRET = "not-even-in-an-error-4712"
_TIMER = "/etc/podfleet-autoupdate/timer.json"
_STATE = "/var/lib/podfleet-autoupdate/state.json"


@pytest.fixture
def push(maker: ImageMaker) -> Push:
    return Push(maker, "fleet-settings")


class Clock:
    """A time zone of the controller's in which it is as late as a test wants."""

    name = "Podfleet/Lab"

    def __init__(self, folder: Path) -> None:
        self._file = folder / self.name
        self._file.parent.mkdir(parents=True)

    def set(self, hour: int) -> datetime:
        """Let that hour begin there now, and tell when that is (RFC 8536, version 1: one local time and no transition)."""
        now = datetime.now(timezone.utc).replace(microsecond=0)
        offset = hour * 3600 - (now.hour * 60 + now.minute) * 60 - now.second
        header = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
        new = self._file.with_suffix(".new")
        new.write_bytes(header + struct.pack(">lBB", offset, 0, 0) + b"LAB\0")
        new.replace(self._file)
        return now


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path / "zones"))
    return Clock(tmp_path / "zones")


def test_what_cannot_be_meant_ends_it_before_a_host_is_asked(fleet: Fleet) -> None:
    know(_SECRET)
    wrong = {
        "rollout_settle": "soon",
        "rollout_timeout": [1],
        "rollout_scope": "everybody",
        "rollout_validate_certs": "perhaps",
        "rollout_waves": "1, all",
        "rollout_windw": "sat",
        "rollout_canary": "nobody",
        "rollout_credentials": [{"registry": "registry.example.com", "password": _SECRET}],
        "plan_file": "x",
    }
    said = fleet.play("rollout", {**wrong, "plan": {"x": 1}}).refused()
    for name in wrong:
        assert f"{name}: " in said
    assert "rollout_hosts: " in fleet.play("rollout", {"rollout_hosts": "no-such-group", "plan_file": "x"}).refused()
    # A way back says of what; an empty answer of a survey is none.
    back = {"rollout_only": "", "rollout_report": "", "rollout_waves": "", "rollout_settle": "", "rollout_scope": ""}
    said += fleet.play("rollback", back).refused()
    assert "rollout_only: it is not given" in said
    assert "Look at the hosts" not in said
    assert "Ask what would change" not in said


def test_windows_and_hosts_that_follow_the_registry_by_themselves(fleet: Fleet, push: Push, clock: Clock) -> None:
    old = push("web")
    fleet.each(lambda host: deploy(host, "it-web", image=old.reference))
    new = push("web", version="2")
    first, follower, *_others = fleet.hosts
    given = {"rollout_window": f"06:00-12:00 {clock.name}", "rollout_waves": "1, 100%"}

    # Closed: nothing begins, and somebody is told when it opens.
    opens = clock.set(14) + timedelta(hours=16)
    report = fleet.play("rollout", given).failed()
    assert (report["halted"], report["waves_done"], report["summary"]) == ("window_closed", 0, {"waiting": 6})
    assert f"{opens:%Y-%m-%dT%H:%M:%SZ}" in report["halt"]
    assert set(fleet.images("it-web").values()) == {id_of(old)}

    # It closes while the first wave runs: that is judged as any other, and no further host begins.
    clock.set(11)
    running = fleet.start("rollout", {**given, "rollout_soak": 4})
    running.await_text("TASK [See how they run]")
    clock.set(12)
    report = running.ended().failed()
    assert (report["halted"], report["waves_done"]) == ("window_closed", 1)
    assert report["summary"] == {"converged": 1, "waiting": 5}
    assert fleet.images("it-web") == {**dict.fromkeys(fleet.names, id_of(old)), first.name: id_of(new)}

    # Open. Who follows the registry on its own takes no part, unless that is meant.
    clock.set(6)
    follower.write(_TIMER, "{}")
    try:
        report = fleet.play("rollout", {**given, "rollout_waves": "100%"}).failed()
        refused = report["hosts"][follower.name]
        assert (refused["verdict"], refused["wave"], report["halted"]) == ("failed", None, None)
        assert "timer follows the registry" in refused["error"]
        assert fleet.images("it-web") == {**dict.fromkeys(fleet.names, id_of(new)), follower.name: id_of(old)}
        report = fleet.play("rollout", {**given, "rollout_allow_follower": "yes"}).succeeded()
        assert (report["waves"], report["summary"]) == ([[follower.name]], {"converged": 1})
        assert look(follower).runs("it-web") == id_of(new)
    finally:
        follower.run(["rm", "-rf", _TIMER.rpartition("/")[0]])

    # A host that cannot write down what to hold is named; the next rollout tells it again.
    bad = push("web", version="3", kind=Kind.NO_START)
    canary, deaf = fleet.hosts[0], fleet.hosts[-1]
    kept = deaf.read(_STATE)
    running = fleet.start("rollout", {"rollout_canary": canary.name})
    running.await_text("TASK [Change the hosts of this wave]")
    deaf.write(_STATE, '{"schema": 99}')
    report = running.ended().failed()
    assert (report["halted"], report["summary"]) == ("failures", {"failed": 1, "waiting": 5})
    assert list(report["not_held"]) == [deaf.name]
    assert "schema" in report["not_held"][deaf.name]
    deaf.write(_STATE, kept)
    report = fleet.play("rollout", {}).succeeded()
    assert (report["waves"], report["summary"], report["not_held"]) == ([], {"held": 6}, {})
    assert fleet.all_hold(bad)


def test_containers_of_users_go_forward_and_back_by_name(fleet: Fleet, push: Push) -> None:
    """A unit of root's and one of a user's have one name and one reference, and are not taken for each other."""
    old = push("shared")
    one, other = fleet.hosts[:2]
    with lingering(one) as user:
        fleet.each(lambda host: deploy(host, "it-web", image=old.reference), [one, other])
        user.deploy("it-web", old.reference)
        new = push("shared", version="2")
        given = {"rollout_hosts": f"{one.name},{other.name}", "rollout_scope": "all"}
        theirs = f"unit@{user.name}:it-web"

        said = fleet.play("rollout", {**given, "rollout_scope": "", "rollout_only": theirs}).refused()
        assert "rollout_only: " in said
        report = fleet.play("rollout", {**given, "rollout_only": theirs}).succeeded()
        assert (report["summary"], report["moved"]) == ({"converged": 1}, {one.name: [f"{user.name}/it-web.service"]})
        assert user.runs("it-web") == id_of(new)
        assert {look(host).runs("it-web") for host in (one, other)} == {id_of(old)}

        # What that rollout moved goes back, and is held for the user alone.
        back = {**given, "rollout_report": report}
        assert "rollout_scope: " in fleet.play("rollback", {**back, "rollout_scope": ""}).refused()
        assert fleet.play("rollback", back).succeeded()["summary"] == {"rolled_back": 1}
        assert user.runs("it-web") == id_of(old)

        # All of them, after the hold was lifted.
        report = fleet.play("rollout", {**given, "rollout_lift_holds": True}).succeeded()
        assert report["moved"] == {
            one.name: sorted(["it-web.service", f"{user.name}/it-web.service"]),
            other.name: ["it-web.service"],
        }
        assert {user.runs("it-web"), *(look(host).runs("it-web") for host in (one, other))} == {id_of(new)}
