# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The users of the host, and whose service manager runs."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

_LONGEST_UID = len(str(2**32))
#: More users with containers than any host has; each costs a process.
_MOST = 1000


@dataclass(frozen=True)
class Account:
    """A user of the host."""

    name: str
    uid: int
    gid: int
    home: str

    @property
    def manager(self) -> str:
        """The system's unit that is this user's own service manager."""
        return f"user@{self.uid}.service"

    @property
    def runtime_folder(self) -> str:
        """Where logind puts what lives as long as the user is there."""
        return f"/run/user/{self.uid}"


def find(name: str) -> Account | None:
    """The user of that name, or None."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def current() -> Account:
    """The user that this process is."""
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def has_subordinate_ids(account: Account) -> bool:
    """Whether the host's files give the user other IDs to run containers with (subuid(5), subgid(5))."""
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return False
        if not any(line.startswith((f"{account.name}:", f"{account.uid}:")) for line in lines):
            return False
    return True


def with_containers(root: Path = Path("/")) -> list[Account]:
    """The users who may have containers, root not among them, by name: whose manager runs, who linger, or who have
    subordinate IDs. Users of a directory service are there once their manager runs."""
    found = [_by_uid(name) for name in _names(root / "run/user")]
    found += [find(name) for name in _names(root / "var/lib/systemd/linger")]
    found += [_by_uid(name) or find(name) for name in _first_words(root / "etc/subuid")]
    by_uid = {one.uid: one for one in found if one is not None and one.uid != 0}
    return sorted(by_uid.values(), key=lambda one: one.name)[:_MOST]


def has_manager(account: Account) -> bool:
    """Whether the user's service manager runs: it answers there. Nothing of theirs is followed or opened."""
    try:
        return stat.S_ISSOCK(os.lstat(f"{account.runtime_folder}/systemd/private").st_mode)
    except OSError:
        return False


def _by_uid(text: str) -> Account | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_UID):
        return None
    try:
        entry = pwd.getpwuid(int(text))
    except (KeyError, OverflowError):
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except OSError:
        return []


def _first_words(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.partition(":")[0] for line in lines if ":" in line]
