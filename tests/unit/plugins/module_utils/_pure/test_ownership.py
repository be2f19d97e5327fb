# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership: which unit a process belongs to, from /proc/<pid>/cgroup as real hosts write it."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.ownership import (
    Owner,
    is_service_name,
    owner_from_cgroup,
)

_ID = "5ff6ecc6d9ba032430b2907644d1199f84d22211acad9f4eccd858aabe8c64e8"
_V1 = "".join(
    f"{number}:{name}:/\n" for number, name in enumerate(("pids", "blkio", "memory", "cpuset", "cpu,cpuacct"), 2)
)


class Cgroup(t.NamedTuple):
    """A /proc/<pid>/cgroup and the unit that owns the process."""

    why: str
    text: str
    unit: str | None
    of_a_user: bool = False


_CGROUPS = [
    Cgroup("v2, --cgroups=no-conmon", "0::/system.slice/web.service\n", "web.service"),
    Cgroup("v2, Quadlet's split cgroups", "0::/system.slice/web.service/runtime\n", "web.service"),
    Cgroup("v2, the payload beside it", f"0::/system.slice/web.service/libpod-payload-{_ID}\n", "web.service"),
    Cgroup("v2, a slice of one's own", "0::/machine.slice/machine-web.slice/web.service\n", "web.service"),
    Cgroup("v2, started by hand", f"0::/machine.slice/libpod-conmon-{_ID}.scope\n", f"libpod-conmon-{_ID}.scope"),
    Cgroup(
        "v2, a pod's slice",
        f"0::/machine.slice/machine-libpod_pod_{_ID}.slice/libpod-conmon-{_ID}.scope\n",
        f"libpod-conmon-{_ID}.scope",
    ),
    Cgroup("v2, a template's instance", "0::/system.slice/system-web.slice/web@one.service\n", "web@one.service"),
    Cgroup(
        "v2, an escaped instance",
        "0::/system.slice/system-podman\\x2dkube.slice/podman-kube@-etc-a\\x2db.yaml.service/runtime\n",
        "podman-kube@-etc-a\\x2db.yaml.service",
    ),
    Cgroup("v2, a name like a controller's file", "0::/system.slice/_cpu.service\n", "cpu.service"),
    Cgroup("v2, a name that begins with an underscore", "0::/system.slice/__x.service\n", "_x.service"),
    Cgroup(
        "v2, a user's manager",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
        "user@1000.service",
        of_a_user=True,
    ),
    Cgroup(
        "v2, root's own user manager",
        "0::/user.slice/user-0.slice/user@0.service/user.slice/libpod-conmon-x.scope\n",
        "user@0.service",
        of_a_user=True,
    ),
    Cgroup("v2, a login session", "0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"),
    Cgroup("v2, User= of the system's manager", "0::/system.slice/app.service\n", "app.service"),
    Cgroup(
        "hybrid, systemd in the unified one", f"9:name=systemd:/\n{_V1}0::/system.slice/web.service\n", "web.service"
    ),
    Cgroup(
        "hybrid, systemd in its named one",
        f"{_V1}1:name=systemd:/system.slice/web.service\n0::/\n",
        "web.service",
    ),
    Cgroup(
        "hybrid, both",
        "1:name=systemd:/system.slice/web.service\n0::/system.slice/web.service/runtime\n",
        "web.service",
    ),
    Cgroup("v1", f"{_V1}1:name=systemd:/system.slice/web.service\n", "web.service"),
    Cgroup(
        "v1, other hierarchies have no say",
        "3:cpu,cpuacct:/system.slice/other.service\n2:pids:/system.slice/other.service\n1:name=systemd:/machine.slice/x.scope\n",
        "x.scope",
    ),
    Cgroup("the root", "0::/\n", None),
    Cgroup("systemd itself", "0::/init.scope\n", "init.scope"),
    Cgroup("a cgroup that is no unit's", "0::/system.slice/plain/web.service\n", None),
    Cgroup("a mount's helper", "0::/system.slice/srv.mount\n", None),
    Cgroup("only slices", "0::/system.slice\n", None),
    Cgroup("a unit that is gone", "0::/system.slice/web.service (deleted)\n", None),
    Cgroup("outside of the cgroup namespace", "0::/../../system.slice/web.service\n", None),
    Cgroup("empty", "", None),
    Cgroup("junk", "junk\n::\n0:\n0:::\n", None),
    Cgroup("a colon in a name", "0::/system.slice/a:b.service\n", "a:b.service"),
    # The kernel ends lines by newlines only; other separators may be in the name of a delegated cgroup.
    *(
        Cgroup(
            f"a forged line after {separator!r}",
            f"0::/system.slice/web.service/x{separator}0::/system.slice/sshd.service\n",
            "web.service",
        )
        for separator in ("\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028")
    ),
]


@pytest.mark.parametrize("case", _CGROUPS, ids=lambda case: case.why)
def test_the_owner_is_the_first_unit_after_the_slices(case: Cgroup) -> None:
    owner = owner_from_cgroup(case.text)
    assert (owner.unit if owner else None) == case.unit
    assert (owner.is_of_other_manager if owner else False) is case.of_a_user


@pytest.mark.parametrize("unit", ["user@.service", "user@one.service", "user@1000.service.d", "users@1.service"])
def test_what_only_looks_like_a_users_manager_is_none(unit: str) -> None:
    owner = owner_from_cgroup(f"0::/user.slice/{unit}\n")
    assert owner is None or not owner.is_of_other_manager


_USERS = "0::/user.slice/user-1000.slice/user@1000.service"


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        (f"{_USERS}/app.slice/web.service\n", Owner("web.service")),
        (f"{_USERS}/app.slice/app-web.slice/web@a.service/runtime\n", Owner("web@a.service")),
        (f"{_USERS}/user.slice/libpod-conmon-x.scope\n", Owner("libpod-conmon-x.scope")),
        (f"9:name=systemd:/\n{_USERS}/app.slice/web.service\n", Owner("web.service")),
        (f"{_USERS}/init.scope\n", Owner("init.scope")),
        (f"{_USERS}\n", None),
        (f"{_USERS}/plain/web.service\n", None),
        # What belongs to somebody else's manager, whatever its name is.
        ("0::/system.slice/web.service\n", Owner("web.service", elsewhere=True)),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", Owner("session-3.scope", elsewhere=True)),
        ("0::/user.slice/user-1001.slice/user@1001.service/app.slice/web.service\n", Owner("user@1001.service", True)),
        ("0::/system.slice/web.service/user@1000.service/web.service\n", Owner("web.service", elsewhere=True)),
        ("", None),
    ],
)
def test_a_users_own_manager_owns_what_is_below_it(text: str, owner: Owner | None) -> None:
    found = owner_from_cgroup(text, "user@1000.service")
    assert found == owner
    assert (found.is_of_other_manager if found else False) is (owner.elsewhere if owner else False)


@given(st.text(max_size=300) | st.text(alphabet="0:/.abcservi@_\n", max_size=120))
def test_any_text_has_an_owner_or_none(text: str) -> None:
    owner = owner_from_cgroup(text)
    assert owner is None or (owner.unit.endswith((".service", ".scope")) and "/" not in owner.unit)


@pytest.mark.parametrize(
    "name",
    [
        "web.service",
        "a-b_c.d:e.service",
        "web@one.service",
        "web@.hidden.service",
        "podman-kube@-etc-a\\x2db.yaml.service",
        # systemd looks for the first @ only.
        "backup@root@example.service",
        "-x.service",
        "x" * 247 + ".service",
    ],
)
def test_names_of_services(name: str) -> None:
    assert is_service_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "web",
        ".service",
        "@one.service",
        "web@.service",
        "web.timer",
        "web.service.d",
        "machine.slice",
        "x.scope",
        "web.service\n",
        "web\n.service",
        "../web.service",
        "/etc/web.service",
        "a b.service",
        "w\u00e9b.service",
        "web\u0661.service",
        "web;reboot.service",
        "$(reboot).service",
        "web*.service",
        "web.service web.service",
        "web.service\0",
        "web-one.service-one",
        "x" * 248 + ".service",
    ],
)
def test_other_names_are_never_given_to_systemd(name: str) -> None:
    assert not is_service_name(name)
