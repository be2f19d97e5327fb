# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How podman's own updates are told from everything else that podman does."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.second_engines import (
    enabling_links,
    is_auto_update,
    may_be_of,
)


@pytest.mark.parametrize(
    "line",
    [
        "podman auto-update",
        "/usr/bin/podman auto-update",
        "podman auto-update --format json",
        "podman --log-level debug auto-update",
        "podman --log-level=debug --root /var/lib/other auto-update --rollback=false",
        "podman --syslog auto-update --dry-run=false",
        "podman -c there auto-update",
    ],
)
def test_podmans_own_update_is_told_by_its_command(line: str) -> None:
    assert is_auto_update(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "podman",
        "podman --root",
        "podman ps",
        "podman run --rm image auto-update",
        "podman --root auto-update ps",
        "podman-auto-update",
        "sh -c podman auto-update",
        "conmon --exit-command podman auto-update",
        "podman auto-update --dry-run",
        "podman auto-update --format json --dry-run=true",
        "podman auto-update --help",
        "/bin/notpodman auto-update",
    ],
)
def test_what_is_another_command_or_changes_nothing_is_not_it(line: str) -> None:
    assert not is_auto_update(line.split())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Name:\tpodman\nUid:\t0\t0\t0\t0\nNSpid:\t77\n", True),
        ("Name:\tpodman\nUid:\t1000\t0\t0\t0\n", True),
        ("Uid:\t0\t1000\t0\t0\nNSpid:\t77\n", False),
        ("Uid:\t0\t0\t0\t0\nNSpid:\t77\t5\n", False),
        ("Name:\tUid: 0 0 0 0\n", False),
        ("", False),
    ],
)
def test_a_process_counts_if_its_effective_user_is_this_one_and_it_is_in_no_container(
    status: str, *, expected: bool
) -> None:
    assert may_be_of(status, 0) is expected


def test_links_of_the_system_and_of_a_user() -> None:
    system, users = enabling_links(None), enabling_links("/home/anna/.config")
    assert "/etc/systemd/system/timers.target.wants/podman-auto-update.timer" in system
    assert "/etc/systemd/system/default.target.wants/podman-auto-update.service" in system
    assert "/home/anna/.config/systemd/user/timers.target.wants/podman-auto-update.timer" in users
    assert "/etc/systemd/user/timers.target.wants/podman-auto-update.timer" in users
    assert not set(system) & set(users)
