# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks' variables: read as people and surveys write them, refused by name."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.variables import PLAYBOOKS, read_variables
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


def _read(playbook: str = "plan", **given: t.Any) -> dict[str, t.Any]:
    return read_variables(PLAYBOOKS[playbook], given)


@pytest.mark.parametrize("playbook", sorted(PLAYBOOKS))
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_empty_is_not_given(playbook: str, nothing: object) -> None:
    names = [one.name for one in PLAYBOOKS[playbook]]
    assert _read(playbook, **dict.fromkeys(names, nothing)) == _read(playbook)
    assert _read(playbook) == {one.name: one.default for one in PLAYBOOKS[playbook]}


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("plan_file", " /srv/plan.json ", "/srv/plan.json"),
        ("plan_expires", "90m", 5400),
        ("plan_expires", "7 D", 604_800),
        ("plan_expires", 3600, 3600),
        ("plan_artifact", "no", False),
        ("plan_artifact", False, False),
        ("rollout_scope", "all", "all"),
        ("rollout_only", "unit:web*, image:*/db", ["unit:web*", "image:*/db"]),
        ("rollout_only", ["unit:web*"], ["unit:web*"]),
        ("rollout_exclude", "unit:a\nunit:b\n", ["unit:a", "unit:b"]),
        ("rollout_resolver", "controller", "controller"),
        ("rollout_request_budget", "0", 0),
        ("rollout_registry_timeout", 5, 5),
        ("rollout_validate_certs", "false", False),
        ("rollout_credentials", [{"registry": "quay.io", "username": "u", "password": "p"}],
         [{"registry": "quay.io", "username": "u", "password": "p"}]),
    ],
)  # fmt: skip
def test_texts_are_read_as_what_is_wanted(name: str, written: object, value: object) -> None:
    assert _read(**{name: written})[name] == value


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plan_file", 1),
        ("plan_file", "a\nb"),
        ("plan_expires", "soon"),
        ("plan_expires", "10s"),
        ("plan_expires", "999d"),
        ("plan_expires", True),
        ("plan_artifact", "perhaps"),
        ("rollout_scope", "root"),
        ("rollout_only", [1]),
        ("rollout_only", "unit:"),
        ("rollout_exclude", {"unit": "a"}),
        ("rollout_resolver", "me"),
        ("rollout_request_budget", -1),
        ("rollout_request_budget", "1e3"),
        ("rollout_registry_timeout", 0),
        ("rollout_registry_timeout", True),
        ("rollout_credentials", "secret"),
        ("rollout_credentials", [{"username": "u", "password": "s3cret"}]),
        ("rollout_credentials", [{"registry": "quay.io", "pasword": "s3cret"}]),
        (
            "rollout_credentials",
            [{"registry": one, "username": "u", "password": "s3cret"} for one in ("a.io", "a.io/")],
        ),
        ("rollout_wave", "1"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name_and_without_secrets(name: str, written: object) -> None:
    with pytest.raises(InputError, match=f"^{name}: ") as refused:
        _read(**{name: written})
    assert "s3cret" not in str(refused.value)
