# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may have containers, read from a host's files."""

from __future__ import annotations

import pwd
import socket
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.accounts import (
    Account,
    has_manager,
    with_containers,
)


@dataclass(frozen=True)
class _At(Account):
    """A user whose runtime folder is elsewhere."""

    at: str = ""

    @property
    def runtime_folder(self) -> str:
        return self.at


def test_users_are_found_by_their_manager_by_lingering_and_by_subordinate_ids(tmp_path: Path) -> None:
    for name in ("run/user/1", "run/user/0", "run/user/4294967295", "run/user/x", "var/lib/systemd/linger", "etc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "var/lib/systemd/linger/bin").touch()
    (tmp_path / "var/lib/systemd/linger/no-such-user").touch()
    uid = pwd.getpwnam("games").pw_uid
    (tmp_path / "etc/subuid").write_text(f"{uid}:100000:65536\nmail:165536:65536\nroot:1:1\nghost:1:1\nrubbish\n")
    assert [one.name for one in with_containers(tmp_path)] == sorted({"bin", "games", "mail", pwd.getpwuid(1).pw_name})


def test_a_host_without_any_of_it_has_none(tmp_path: Path) -> None:
    assert with_containers(tmp_path) == []


def test_a_manager_is_there_where_its_socket_is(tmp_path: Path) -> None:
    account = _At("anna", 1000, 1000, "/home/anna", str(tmp_path))
    assert not has_manager(account)
    (tmp_path / "systemd").mkdir()
    private = tmp_path / "systemd/private"
    private.write_text("no socket")
    assert not has_manager(account)
    private.unlink()
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(private))
        assert has_manager(account)
        # A link to somebody else's is not followed.
        private.rename(tmp_path / "other")
        private.symlink_to(tmp_path / "other")
        assert not has_manager(account)
