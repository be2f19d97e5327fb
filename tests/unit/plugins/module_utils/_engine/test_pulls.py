# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls: what cannot be meant is refused by its name, before podman or a registry is asked."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.pulls import PullSettings, pull
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("names", (), "name is empty"),
        ("timeout", 0, "timeout must be between 1 and 86400, not 0"),
        ("timeout", 86401, "timeout must be between 1 and 86400"),
        ("registry_timeout", 0, "registry_timeout must be between 1 and 86400, not 0"),
        ("parallel", 0, "parallel must be between 1 and 100, not 0"),
        ("parallel", 101, "parallel must be between 1 and 100"),
        ("retries", -1, "retries must be between 0 and 100, not -1"),
        ("retries", 101, "retries must be between 0 and 100"),
        ("policy", "sometimes", "unsupported pull policy"),
        ("platform", "linux/", "platform"),
        ("headroom", "100%", "percentage below 100"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name: str, value: t.Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        pull(dataclasses.replace(PullSettings(("quay.io/team/web:1",)), **{name: value}), check_mode=True)
