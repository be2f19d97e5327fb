# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/fleet.md documents the playbooks' variables as they are read, and the playbooks read all that are documented."""

from __future__ import annotations

import importlib.util
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.variables import PLAYBOOKS

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "fleet.md"


def _maker() -> t.Any:
    spec = importlib.util.spec_from_file_location("make_variables", _ROOT / "docs" / "make_variables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_as_it_is_made() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    assert _maker().page(text) == text, "run docs/make_variables.py"


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_the_playbook_reads_each_variable(name: str) -> None:
    text = (_ROOT / "playbooks" / f"{name}.yml").read_text(encoding="utf-8")
    for one in PLAYBOOKS[name]:
        assert f"'{one.name}': {one.name} | default(none)," in text
