# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Another engine than ours that updates the same containers: how its process is told, and by which links it is enabled."""

from __future__ import annotations

import re
import typing as t

#: podman's own options that take a value of their own, before its command (podman(1)).
_WITH_VALUE = frozenset(
    (
        *("-c", "--cdi-spec-dir", "--cgroup-manager", "--config", "--connection", "--conmon", "--cpu-profile"),
        *("--db-backend", "--default-mounts-file", "--events-backend", "--hooks-dir", "--identity", "--imagestore"),
        *("--log-level", "--max-workers", "--memory-profile", "--module", "--namespace", "--network-cmd-path"),
        *("--network-config-dir", "--out", "--registries-conf", "--root", "--runroot", "--runtime", "--runtime-flag"),
        *("--ssh", "--storage-driver", "--storage-opt", "--tmpdir", "--url", "--volumepath"),
    )
)
_CHANGES_NOTHING = re.compile(r"--dry-run(=(?i:true|t|1))?\Z|--help\Z|-h\Z")
#: Debian 12 enables the service beside the timer: it then runs at every boot.
_ENABLED_BY = ("timers.target.wants/podman-auto-update.timer", "default.target.wants/podman-auto-update.service")
_SYSTEM = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_USERS = ("/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")


def is_auto_update(command: t.Sequence[str]) -> bool:
    """Whether a command line is that of a C(podman auto-update) that may change something."""
    if not command or command[0].rpartition("/")[2] != "podman":
        return False
    words = iter(command[1:])
    for word in words:
        if not word.startswith("-"):
            return word == "auto-update" and not any(map(_CHANGES_NOTHING.match, words))
        if word in _WITH_VALUE:
            next(words, None)
    return False


def may_be_of(status: str, uid: int) -> bool:
    """Whether a C(/proc/<pid>/status) is of a user's process on this host, and not of one inside of a container.

    A process in a PID namespace below has an ID in each (C(NSpid), proc_pid_status(5)): its podman has another store.
    """
    fields = {name: value.split() for name, _colon, value in (line.partition(":") for line in status.split("\n"))}
    return fields.get("Uid", [])[1:2] == [str(uid)] and len(fields.get("NSpid", [])) <= 1


def enabling_links(home_config: str | None) -> list[str]:
    """The links by which podman's own updates are enabled (systemd.unit(5)): the system's, or a user's below C(home_config)."""
    folders = _SYSTEM if home_config is None else (f"{home_config}/systemd/user", *_USERS)
    return [f"{folder}/{link}" for link in _ENABLED_BY for folder in folders]
