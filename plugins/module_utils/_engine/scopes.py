# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Whose units a run is about: the system's, or a user's own. What is a user's is touched by a process of that user."""

from __future__ import annotations

import importlib
import os
import pathlib
import pkgutil
import sys
import typing as t

from .._edges import accounts, acting
from .._pure.errors import InputError
from .settings import ALL_NEEDS_ROOT, SYSTEM_NEEDS_ROOT


def user_of(scope: str, user: str | None) -> str | None:
    """The user whose units are meant, None for the system's or everybody's.

    Raises:
        InputError: The parameters do not go together, there is no such user, or this process may not act for them.
    """
    if scope in ("system", "all"):
        if user is not None:
            raise InputError("user says whose units are meant in scope user; add scope: user, or leave it out")
        if os.geteuid() != 0:
            raise InputError(SYSTEM_NEEDS_ROOT if scope == "system" else ALL_NEEDS_ROOT)
        return None
    account = accounts.current() if user is None else accounts.find(user)
    if account is None:
        raise InputError(f"there is no user {(user or '')[:64]!r}")
    if account.uid == 0:
        raise InputError("scope user needs the name of a user other than root in user, or become_user")
    if os.geteuid() not in (0, account.uid):
        raise InputError(f"only root can look after units of {account.name}; use become")
    if not pathlib.Path(account.runtime_folder).is_dir():
        raise InputError(
            f"{account.name} has no running service manager; a user whose units run without a login lingers"
            f" (loginctl enable-linger {account.name})"
        )
    return account.name


def within(user: str | None, body: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Run a whole run as the user that L(user_of) named: root hands it to one child process.

    Raises:
        InputError, EngineError, MissingLibraryError: What the body raised; the process ended without an answer.
        OSError: The body met a defect of ours; the message says where.
    """
    if user is None:
        return body()
    account = accounts.find(user)
    if account is None:
        raise InputError(f"there is no user {user[:64]!r} any more")
    if account.uid == os.geteuid():
        # What became the user by sudo or su may have no runtime folder, or that of somebody else.
        os.environ.update(XDG_RUNTIME_DIR=account.runtime_folder, HOME=account.home)
        os.environ.pop("DBUS_SESSION_BUS_ADDRESS", None)
    else:
        import_from_archive()
    return acting.run_as(account, body)


def import_from_archive() -> None:
    """Import what there is of this engine, where it came as an archive: Ansible's is root's, and nobody else can open it.

    From folders, which everybody may read, nothing is imported here.
    """
    whole = __name__.rpartition(".")[0].rpartition(".")[0]
    for module in pkgutil.walk_packages(sys.modules[whole].__path__, f"{whole}."):
        if not module.ispkg:
            importlib.import_module(module.name)
