# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer's settings: what is taken, what is refused and how, and the exit statuses that need no containers."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine import unattended
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.settings import Settings
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import Finding, Workload
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import Policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason, Status
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.report import Report, Row

parse = unattended.parse_settings


def _parsed(document: object) -> unattended.TimerSettings:
    return parse(json.dumps(document).encode(), "timer.json")


def test_without_settings_the_defaults_count() -> None:
    parsed = _parsed({})
    assert parsed.settings == Settings(lock_timeout=300.0, caller="the host's own engine")
    assert (parsed.fail_on, parsed.follow) == ({"failed", "rolled_back"}, "registry")


def test_every_setting_has_its_parameters_name() -> None:
    parsed = _parsed(
        {
            "only": ["unit:web*"],
            "exclude": ["image:*/db:*"],
            "policies": ["local"],
            "rollback": False,
            "limit": 5,
            "timeout": 90,
            "parallel": 3,
            "registry_parallel": 4,
            "settle": 0,
            "wait_healthy": False,
            "health_command": ["/usr/local/bin/look"],
            "keep": 2,
            "prune": "none",
            "authfile": "/etc/auth.json",
            "ca_path": "/etc/ca.pem",
            "validate_certs": False,
            "request_budget": 10,
            "fail_on": ["unknown"],
            "follow": "plan",
        }
    )
    settings = parsed.settings
    assert (settings.only, settings.exclude) == (("unit:web*",), ("image:*/db:*",))
    assert settings.policies == {Policy.LOCAL}
    assert (settings.limit, settings.max_failures) == (5, None)
    assert (settings.rollback, settings.timeout, settings.parallel, settings.registry_parallel) == (False, 90, 3, 4)
    assert (settings.settle, settings.wait_healthy, settings.health_command) == (0, False, ("/usr/local/bin/look",))
    assert (settings.keep, settings.prune) == (2, False)
    access = settings.access
    assert (access.authfile, access.ca_path, access.validate_certs, access.request_budget) == (
        "/etc/auth.json",
        "/etc/ca.pem",
        False,
        10,
    )
    assert (parsed.fail_on, parsed.follow) == ({"unknown"}, "plan")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "timer.json is not a JSON object"),
        ({"onyl": []}, "there is no setting 'onyl'; there are "),
        ({"credentials": []}, "there is no setting 'credentials'"),
        ({"access": {}}, "there is no setting 'access'"),
        ({"lift_holds": True}, "there is no setting 'lift_holds'"),
        ({"prune": True}, "prune must be a list of texts"),
        ({"prune": "all"}, "prune may have none, replaced, not 'all'"),
        ({"only": "web"}, 'only must be a list of texts, not "web"'),
        ({"only": [1]}, "only must be a list of texts"),
        ({"limit": None}, "limit must be a whole number, not null"),
        ({"rollback": 1}, "rollback must be true or false, not 1"),
        ({"parallel": True}, "parallel must be a whole number, not true"),
        ({"parallel": 1.5}, "parallel must be a whole number, not 1.5"),
        ({"timeout": "1"}, 'timeout must be a number, not "1"'),
        ({"authfile": None}, "authfile must be a text, not null"),
        ({"follow": "latest"}, "follow may have plan, registry, not 'latest'"),
        ({"follow": True}, "follow must be a list of texts"),
        ({"policies": ["image"]}, "policies may have local, registry, not 'image'"),
        ({"fail_on": ["rolledback"]}, "fail_on may have "),
    ],
)
def test_what_cannot_be_meant_is_refused(document: object, told: str) -> None:
    with pytest.raises(InputError) as refused:
        _parsed(document)
    assert told in str(refused.value)
    assert str(refused.value).startswith("timer.json")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match=r"timer\.json is not JSON"):
        parse(body, "timer.json")


@pytest.mark.parametrize("words", [[], ["--validate"], ["--other", "file"], ["a", "b"]])
def test_another_command_line_is_refused(words: list[str]) -> None:
    said: list[str] = []
    assert unattended.main(words, said.append) == unattended.MISCONFIGURED
    assert said[0].startswith("<3>usage:")


def test_a_file_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    assert unattended.main([str(tmp_path / "none.json")], said.append) == unattended.MISCONFIGURED
    assert said == [f"<3>{tmp_path / 'none.json'} cannot be read: No such file or directory"]


@pytest.fixture(name="file")
def _file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "timer.json"
    path.write_text("{}", encoding="utf-8")
    return path


def test_validating_looks_for_the_libraries(file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(unattended.importlib.util, "find_spec", lambda _name: object())
    assert unattended.main(["--validate", str(file)], said.append) == unattended.DONE
    monkeypatch.setattr(unattended.importlib.util, "find_spec", lambda name: None if name == "dbus" else object())
    assert unattended.main(["--validate", str(file)], said.append) == unattended.UNABLE
    assert said == ["<3>the Python library dbus-python is missing"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"parallel": 0}, "parallel must be between 1 and 100, not 0"),
        ({"keep": 21}, "keep must be between 0 and 20, not 21"),
        ({"only": [""]}, "the pattern '' is empty"),
        ({"ca_path": "/nowhere/ca.crt"}, "ca_path: /nowhere/ca.crt is not there"),
        ({"authfile": "/nowhere/auth.json"}, "authfile: /nowhere/auth.json is not there"),
        ({"request_budget": -1}, "request_budget must be 0 or more, not -1"),
    ],
)
def test_validating_refuses_what_a_run_would_refuse(
    file: pathlib.Path, monkeypatch: pytest.MonkeyPatch, document: object, told: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(unattended.importlib.util, "find_spec", lambda _name: object())
    file.write_text(json.dumps(document), encoding="utf-8")
    assert unattended.main(["--validate", str(file)], said.append) == unattended.MISCONFIGURED
    assert said[0].startswith(f"<3>{told}")


def test_what_the_engine_refuses_is_told(file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def refuse(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise InputError("parallel must be between 1 and 100, not 0")

    monkeypatch.setattr(unattended.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(unattended, "autoupdate", refuse)
    assert unattended.main([str(file)], said.append) == unattended.MISCONFIGURED
    assert said == ["<3>parallel must be between 1 and 100, not 0"]


def test_what_strangers_say_is_one_entry_of_the_journal(file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = Workload("1" * 64, "web", "web.service", "quay.io/a/web:1", None, None, "", None, None, frozenset(), 0)
    finding = Finding(Status.FAILED, Reason.PULL_FAILED, "no\n<0>the host is lost\x1b[2J")
    row = Row(workload, finding, (None, None), (None, None), changed=False, user="anna")
    said: list[str] = []
    monkeypatch.setattr(unattended.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(unattended, "autoupdate", lambda *_given, **_options: Report((row,), (), (), check_mode=False))
    assert unattended.main([str(file)], said.append) == unattended.FAILED
    assert "<4>  no\\n<0>the host is lost\\x1b[2J" in said
    assert all(line.isprintable() for line in said)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look after everybody")
def test_everybodys_containers_are_asked_for_by_the_file_or_by_an_option() -> None:
    by_file = unattended.parse_settings(b'{"scope": "all"}', "file").settings
    assert by_file.everyone
    for settings, scope in ((by_file, "system"), (Settings(), "all")):
        found = unattended._of_whom(settings, scope)
        assert (found.everyone, found.user) == (True, None)
    assert not unattended._of_whom(Settings(), "system").everyone
    with pytest.raises(InputError, match="scope may have all, system"):
        unattended.parse_settings(b'{"scope": "user"}', "file")


def test_only_root_may_look_after_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    with pytest.raises(InputError, match="run as root"):
        unattended._of_whom(Settings(), "all")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look after everybody")
@pytest.mark.parametrize(("document", "follows"), [({"follow": "plan"}, True), ({}, False)])
def test_with_everybody_each_follows_the_last_plan_of_their_own(
    file: pathlib.Path, monkeypatch: pytest.MonkeyPatch, document: object, follows: bool
) -> None:
    asked: list[Settings] = []

    def note(settings: Settings, **_options: t.Any) -> Report:
        asked.append(settings)
        return Report((), (), (), check_mode=False)

    file.write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.setattr(unattended.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(unattended, "autoupdate", note)
    said: list[str] = []
    assert unattended.main(["--scope=all", str(file)], said.append) == unattended.DONE
    assert [(one.everyone, one.follow_plan, one.plan, one.repair_only) for one in asked] == [
        (True, follows, None, False)
    ]
    assert unattended.main(["--repair", "--scope=all", str(file)], said.append) == unattended.DONE
    assert (asked[1].follow_plan, asked[1].repair_only) == (False, True)
