# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of units stand in three places, which say the same: what is accepted, the module's documentation, the role's."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

pytest.importorskip("ansible")

from ansible_collections.podfleet.autoupdate.plugins.doc_fragments._unit_definitions import ModuleDocFragment
from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible.unit_arguments import UNIT
from ansible_collections.podfleet.autoupdate.plugins.modules.container_units import DOCUMENTATION

_ROLE = Path(__file__).resolve().parents[2] / "roles/container_units"
_SPECS: dict[str, t.Any] = yaml.safe_load((_ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))[
    "argument_specs"
]


def _as_in_a_role(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A module's documented options, with the role's word for what is inside of one."""
    return {
        name: {
            "options" if key == "suboptions" else key: _as_in_a_role(value) if key == "suboptions" else value
            for key, value in option.items()
        }
        for name, option in options.items()
    }


_DOCUMENTED = _as_in_a_role(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"])["units"]


def _accepted(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A specification without what only Ansible's own code reads."""
    return {
        name: {key: _accepted(value) if key == "options" else value for key, value in option.items() if key != "no_log"}
        for name, option in spec.items()
    }


def _told(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Documented options without their words."""
    return {
        name: {
            key: _told(value) if key == "options" else value for key, value in option.items() if key != "description"
        }
        for name, option in options.items()
    }


def test_the_module_documents_what_it_accepts() -> None:
    assert _told(_DOCUMENTED["options"]) == _accepted(UNIT)


def test_the_role_says_what_the_module_says() -> None:
    for entry in ("main", "units"):
        assert _SPECS[entry]["options"]["container_units"]["options"] == _DOCUMENTED["options"]
        for option, documented in yaml.safe_load(DOCUMENTATION)["options"].items():
            if option != "user":
                assert _SPECS[entry]["options"][f"container_units_{option}"] == documented


def test_every_variable_of_the_role_has_its_name_its_default_and_its_place_in_the_readme() -> None:
    defaults = yaml.safe_load((_ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    readme = (_ROLE / "README.md").read_text(encoding="utf-8")
    variables = {name: option for spec in _SPECS.values() for name, option in spec["options"].items()}

    assert {name: option["default"] for name, option in variables.items() if "default" in option} == defaults
    for name in variables:
        assert name.startswith("container_units")
        assert f"| `{name}` |" in readme
    for name in [*UNIT, *UNIT["health"]["options"]]:
        assert f"| `{name}` |" in readme, name


def test_every_entry_point_has_its_tasks() -> None:
    assert all((_ROLE / f"tasks/{entry}.yml").exists() for entry in _SPECS)
