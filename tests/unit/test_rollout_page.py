# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the rollout: the page tells of each, and the playbook has each read before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_settings import VARIABLES

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = (_ROOT / "docs" / "rollout.md").read_text(encoding="utf-8")
_PLAYBOOK = (_ROOT / "playbooks" / "rollout.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_each_variable_is_told_and_read(name: str) -> None:
    checks, _first, _rest = _PLAYBOOK.partition("- name: Make a plan where none is given")
    assert f"""      {name}: "{{{{ rollout_{name} | default('') }}}}"\n""" in checks
    # Which way it goes is a matter of the playbook that is called.
    assert f"`rollout_{name}`" in _PAGE or name == "state"


def test_tasks_get_nothing_that_was_not_checked() -> None:
    _checks, _first, tasks = _PLAYBOOK.partition("- name: Make a plan where none is given")
    for name in VARIABLES - {"hosts", "canary", "state"}:
        assert f"{{{{ rollout_{name} " not in tasks
