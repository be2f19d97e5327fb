# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup that makes the engine's file: settings that no run could use are refused with it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

pytest.importorskip("ansible")

import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError

from ansible_collections.podfleet.autoupdate.plugins.lookup import update_engine

_NAME = "podfleet.autoupdate.update_engine"


@pytest.fixture(name="made")
def _made(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., list[str]]:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path), raising=False)

    def look_up(*terms: str, **options: t.Any) -> list[str]:
        # What Ansible's loader does; the loader itself would take over all imports of collections in this process.
        constants.config.initialize_plugin_configuration_definitions(
            "lookup", _NAME, yaml.safe_load(update_engine.DOCUMENTATION)["options"]
        )
        plugin = update_engine.LookupModule()
        plugin._load_name = _NAME
        return plugin.run(list(terms), {}, **options)

    return look_up


def test_the_same_source_is_the_same_file(made: t.Callable[..., list[str]]) -> None:
    (path,) = made()
    body = pathlib.Path(path).read_bytes()
    assert made(settings={"parallel": 4, "follow": "registry"}) == [path]
    assert pathlib.Path(path).read_bytes() == body
    assert body.startswith(b"#!/usr/bin/python3\n")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"parallel": 0}, "parallel must be between 1 and 100, not 0"),
        ({"paralel": 1}, "there is no setting 'paralel'"),
        ({"exclude": ["unit:"]}, "the pattern 'unit:' is empty"),
    ],
)
def test_settings_that_no_run_could_use_are_refused(
    made: t.Callable[..., list[str]], settings: dict[str, t.Any], told: str
) -> None:
    with pytest.raises(AnsibleLookupError) as refused:
        made(settings=settings)
    assert told in str(refused.value)


def test_files_of_the_host_are_not_looked_for_on_the_controller(made: t.Callable[..., list[str]]) -> None:
    assert made(settings={"authfile": "/nowhere/auth.json", "ca_path": "/nowhere/ca.crt"})


def test_it_takes_no_terms(made: t.Callable[..., list[str]]) -> None:
    with pytest.raises(AnsibleLookupError, match="takes no terms"):
        made("x")
