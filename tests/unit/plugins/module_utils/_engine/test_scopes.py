# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose units are meant, and by whom they are touched: with the accounts of this machine."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import accounts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.scopes import user_of, within
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import (
    EngineError,
    InputError,
    MissingLibraryError,
    UnitError,
)

_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.mark.parametrize(
    ("scope", "user", "said"),
    [
        ("system", "nobody", "add scope: user"),
        ("user", "it-nobody-at-all", "there is no user 'it-nobody-at-all'"),
        ("user", "root", "other than root"),
        pytest.param("user", None, "other than root", marks=_as_root),
        pytest.param("user", "daemon", "enable-linger daemon", marks=_as_root),
    ],
)
def test_what_cannot_be_meant_is_refused(scope: str, user: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        user_of(scope, user)


@_as_root
def test_the_system_is_roots() -> None:
    assert user_of("system", None) is None
    assert within(None, lambda: {"uid": os.geteuid()}) == {"uid": 0}


@_as_root
def test_a_users_run_is_a_process_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("SECRET", "root's")
    daemon = accounts.find("daemon")
    assert daemon is not None

    def look() -> dict[str, t.Any]:
        return {"ids": [*os.getresuid(), *os.getresgid()], "environment": dict(os.environ), "process": os.getpid()}

    seen = within("daemon", look)

    assert seen["ids"] == [daemon.uid] * 3 + [daemon.gid] * 3
    assert seen["process"] != os.getpid()
    assert seen["environment"]["XDG_RUNTIME_DIR"] == f"/run/user/{daemon.uid}"
    assert seen["environment"]["https_proxy"] == "http://proxy.example:3128"
    assert "SECRET" not in seen["environment"]


@_as_root
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InputError("no"), InputError),
        (UnitError("down"), EngineError),
        (MissingLibraryError("dbus", "trace"), MissingLibraryError),
        (ValueError("odd"), OSError),
    ],
)
def test_what_goes_wrong_there_is_told_here(error: Exception, kind: type[Exception]) -> None:
    def fail() -> dict[str, t.Any]:
        raise error

    with pytest.raises(kind, match=str(error)):
        within("daemon", fail)
