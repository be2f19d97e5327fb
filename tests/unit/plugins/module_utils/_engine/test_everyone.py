# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody asked: with real processes, and the accounts of this machine."""

from __future__ import annotations

import os
import signal
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import accounts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.everyone import ask_everyone
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.listing import list_everyone
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.settings import Access, Settings
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import MissingLibraryError, StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
_DAEMON, _GAMES, _MAIL = ("daemon", "games", "mail")
_SECRET = Settings(
    everyone=True, access=Access(credentials={"quay.io": Credential("me", "secret")}, authfile="/root/auth.json")
)
_NOTHING: dict[str, t.Any] = {
    "workloads": [], "holds": [], "slots": [], "runs": [], "intents": [], "interruptions": [], "plan": None, "follows": None, "warned": [],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _users(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [one for name in (_DAEMON, _GAMES, _MAIL) if (one := accounts.find(name)) is not None]
    monkeypatch.setattr(accounts, "with_containers", lambda: found)
    monkeypatch.setattr(accounts, "has_manager", lambda account: account.name != _MAIL)


def test_each_is_asked_as_themselves_and_roots_secrets_stay_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/root/auth.json")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")

    def run(own: Settings, used: bool) -> dict[str, t.Any]:
        return {
            "uid": os.getuid(),
            "user": own.user,
            "everyone": own.everyone,
            "used": used,
            "credentials": sorted(own.access.credentials),
            "authfile": [own.access.authfile, os.environ.get("REGISTRY_AUTH_FILE")],
            "proxy": os.environ.get("https_proxy"),
        }

    system, daemon, games, mail = ask_everyone(_SECRET, run, 30)
    assert system.answer is not None
    assert system.answer["credentials"] == ["quay.io"]
    assert system.answer["authfile"] == ["/root/auth.json"] * 2
    for told in (daemon, games):
        assert told.answer is not None
        assert told.answer["uid"] == told.uid
        assert (told.answer["user"], told.answer["everyone"], told.answer["used"]) == (told.user, False, False)
        assert (told.answer["credentials"], told.answer["authfile"]) == ([], [None, None])
        assert told.answer["proxy"] == "http://proxy.example:3128"
    assert (mail.answer, mail.reason) == (None, Reason.NO_MANAGER)
    assert not mail.looked().failed


def test_what_goes_wrong_at_one_is_told_and_the_others_answer() -> None:
    def run(own: Settings, _used: bool) -> dict[str, t.Any]:
        if own.user == _DAEMON:
            raise StateError("damaged\nfile")
        if own.user == _GAMES:
            os.kill(os.getpid(), signal.SIGKILL)
        return {}

    system, daemon, games, _mail = ask_everyone(_SECRET, run, 30)
    assert system.answer == {}
    assert (daemon.reason, daemon.error) == (Reason.STATE_INVALID, "damaged\\nfile")
    assert games.reason is Reason.NO_ANSWER
    assert daemon.looked().failed
    assert games.looked().failed


def test_a_library_that_is_missing_is_missing_for_all() -> None:
    def run(_own: Settings, _used: bool) -> dict[str, t.Any]:
        raise MissingLibraryError("dbus", "")

    with pytest.raises(MissingLibraryError):
        ask_everyone(_SECRET, run, 30)


def test_lists_of_all_are_one_list_and_each_user_speaks_for_themselves() -> None:
    hold = {"by": "user", "reference": "", "unit": "x", "reason": "", "until": None}
    hold.update(dict.fromkeys(("platform", "id", "digests", "since")))

    def run(own: Settings, _used: bool) -> dict[str, t.Any]:
        if own.user == _GAMES:
            return {**_NOTHING, "holds": [{"by": "user", "scope": "system"}]}
        follows = "registry" if own.user is None else "plan"
        claimed = {**hold, "scope": "system", "user": None, "secret": "s"}
        return {**_NOTHING, "follows": follows, "holds": [claimed], "slots": None, "warned": ["x\ny"]}

    result = list_everyone(_SECRET, run)
    assert [(one["scope"], one["user"]) for one in result["holds"]] == [("system", None), ("user", _DAEMON)]
    assert all("secret" not in one for one in result["holds"])
    assert result["slots"] == []
    assert (result["follows"], result["plan"]) == ("registry", None)
    looked = {one["user"]: (one["looked_at"], one["reason"], one["follows"]) for one in result["users"]}
    assert looked == {
        None: (True, None, "registry"),
        _DAEMON: (True, None, "plan"),
        _GAMES: (False, "no_answer", None),
        _MAIL: (False, "no_manager", None),
    }
    (games, common) = result["warned"]
    assert games.startswith(f"{_GAMES}: ")
    assert common == "x\\ny"
