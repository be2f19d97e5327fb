# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own units: looked at, updated and put back by root for the user, and by the user alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from harness import Ansible, same_prediction
from lablib.host import Host
from lablib.images import Kind
from pushing import Push, id_of
from sight import unit
from users import USER, User, lingering

#: Root names the user, or Ansible becomes the user: the options and parameters of each way.
_WAYS = {
    "root": ([], {"scope": "user", "user": USER}),
    "become_user": (["--become", f"--become-user={USER}"], {"scope": "user"}),
}
#: podman 4.3 leaves these hosts' control groups (see users.py) where it finds the bus to do so.
_NO_BUS = "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent"
#: No acl(5) on the lab's hosts; how else files get to an unprivileged user is Ansible's own matter.
_Way = tuple[Sequence[str], Mapping[str, Any]]


@pytest.fixture
def user(host: Host) -> Iterator[User]:
    with lingering(host) as one:
        yield one


@pytest.fixture(params=sorted(_WAYS))
def way(request: pytest.FixtureRequest) -> _Way:
    return _WAYS[request.param]


def test_a_users_unit_is_updated(user: User, ansible: Ansible, push: Push, way: _Way) -> None:
    host, (options, arguments) = user.host, way
    old = push("mine")
    unit = user.deploy("it-mine", old.reference)
    new = push("mine", version="2")

    predicted = ansible.update(host.name, check=True, options=options, **arguments).succeeded()
    assert predicted.verdicts() == {"it-mine": ("pending", "check_mode")}
    assert user.runs("it-mine") == id_of(old)
    result = ansible.update(host.name, options=options, **arguments).succeeded()

    assert result.verdicts() == {"it-mine": ("updated", None)}
    assert same_prediction(predicted, result)
    row = result.row("it-mine")
    assert (row["unit"], row["scope"], row["user"], row["job_result"]) == (unit, "user", USER, "done")
    assert user.runs("it-mine") == id_of(new) == user.id_of(old.reference)
    assert host.run(["podman", "images", "--quiet"]).stdout == "", "nothing of it is in root's storage"
    owners = host.run(["sh", "-c", f"find /home/{USER} /run/user/{user.uid} -user root"]).stdout
    assert owners == "", "root left nothing in the user's folders"

    for check in (True, False):
        again = ansible.update(host.name, check=check, options=options, **arguments).succeeded()
        assert again.verdicts() == {"it-mine": ("current", None)}
        assert not again.changed
    info = ansible.run(host.name, "podfleet.autoupdate.autoupdate_info", arguments, options=options).succeeded()
    workload = info.workload("it-mine")
    assert (workload["scope"], workload["user"], workload["reason"]) == ("user", USER, None)
    assert workload["unit_state"]["active_state"] == "active"


def test_a_users_unit_is_put_back(user: User, ansible: Ansible, push: Push, way: _Way) -> None:
    host, (options, arguments) = user.host, way
    old = push("mine")
    user.deploy("it-mine", old.reference)
    bad = push("mine", version="2", kind=Kind.NO_START)

    result = ansible.update(host.name, options=options, **arguments).failed()

    assert result.row("it-mine")["status"] == "rolled_back", str(result)
    assert result.row("it-mine")["before"]["id"] == result.row("it-mine")["after"]["id"] == id_of(old) != id_of(bad)
    assert user.runs("it-mine") == id_of(old) == user.id_of(old.reference)


def test_the_system_and_the_user_do_not_see_each_other(user: User, ansible: Ansible, push: Push) -> None:
    host = user.host
    user.deploy("it-mine", push("mine").reference)
    assert ansible.update(host.name).succeeded().rows == []
    # A unit of the system's under User=: where it is given its control group (Delegate=), its processes are the system's.
    # Else podman takes them to a scope of the user's manager, and they are of no unit at all.
    expected: dict[str, tuple[str, str | None]] = {"it-mine": ("current", None)}
    for name, delegate, reason in (("it-given", "yes", "other_manager"), ("it-moved", "no", "unit_mismatch")):
        strange = f"""# A unit of the podfleet lab
[Service]
Type=oneshot
RemainAfterExit=yes
User={USER}
Delegate={delegate}
Environment=PODMAN_SYSTEMD_UNIT=%n XDG_RUNTIME_DIR=/run/user/{user.uid} {_NO_BUS if delegate == "yes" else ""}
ExecStart=/usr/bin/podman run --detach --replace --name {name} --label io.containers.autoupdate=registry {push("mine").reference}
"""
        host.write(f"/etc/systemd/system/{name}.service", strange)
        host.run(["sh", "-ec", f"systemctl daemon-reload; systemctl start {name}.service"])
        expected[name] = ("failed", reason)
    push("mine", version="2")
    result = ansible.update(host.name, scope="user", user=USER).failed()
    assert result.verdicts() == {**expected, "it-mine": ("updated", None)}
    assert "it-given.service" in result.row("it-given")["error"]
    assert unit(host, "it-given.service").active == "active"


def test_who_may_not_is_refused(user: User, ansible: Ansible) -> None:
    host = user.host
    options = ["--become", f"--become-user={USER}"]
    assert "run as root" in ansible.update(host.name, options=options).failed().data["msg"]
    other = ansible.update(host.name, options=options, scope="user", user="daemon").failed().data["msg"]
    assert "only root" in other
    assert "add scope: user" in ansible.update(host.name, user=USER).failed().data["msg"]
    assert "enable-linger daemon" in ansible.update(host.name, scope="user", user="daemon").failed().data["msg"]
