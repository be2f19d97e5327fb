# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statuses and reasons: the lists are closed, complete and used."""

from __future__ import annotations

import ast
import functools
import json
import pathlib
import re

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import reasons
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import PODMAN_UPDATED, Reason, Status

_ENGINE = pathlib.Path(reasons.__file__).parents[1]


def test_every_status_has_podmans_word() -> None:
    assert list(PODMAN_UPDATED) == list(Status)
    assert set(PODMAN_UPDATED.values()) == {"false", "pending", "true", "rolled back", "failed"}


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_every_reason_is_a_code_with_a_text_of_full_sentences(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.value)
    assert reason.name == reason.value.upper()
    assert reason.text.endswith(".")
    assert reason.text[0].isupper() or reason.text.startswith(("podman ", "systemd ", "registries.conf "))
    assert "  " not in reason.text


def test_a_reason_is_its_code_wherever_it_is_written() -> None:
    assert json.dumps([Reason.TLS, Status.ROLLED_BACK]) == '["tls", "rolled_back"]'
    assert len(Reason.__members__) == len(Reason), "no code is there twice"


@functools.cache
def _used() -> set[str]:
    """The members that are written as C(Reason.MEMBER) anywhere in the engine but in the list itself."""
    found = set()
    for path in _ENGINE.rglob("*.py"):
        if path != pathlib.Path(reasons.__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason":
                    found.add(node.attr)
    return found


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_every_reason_is_given_somewhere(reason: Reason) -> None:
    assert reason.name in _used()
