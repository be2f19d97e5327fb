# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies: the values of io.containers.autoupdate that podman knows, and no others."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import (
    LABEL,
    InvalidPolicyError,
    Policy,
    parse_policy,
)


@pytest.mark.parametrize(
    ("label", "policy"),
    [
        (None, None),
        ("", None),
        ("disabled", None),
        ("registry", Policy.REGISTRY),
        ("image", Policy.REGISTRY),
        ("local", Policy.LOCAL),
    ],
)
def test_podmans_values(label: str | None, policy: Policy | None) -> None:
    assert parse_policy(label) is policy


@pytest.mark.parametrize("label", ["Registry", "registry ", "none", "fake_xyz", "true", "x" * 10_000])
def test_another_value_is_refused_with_the_list_of_the_valid_ones(label: str) -> None:
    with pytest.raises(InvalidPolicyError) as caught:
        parse_policy(label)
    assert str(caught.value).endswith("valid policies are disabled, image, local, registry")
    assert repr(label[:64]) in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_label_is_podmans() -> None:
    assert LABEL == "io.containers.autoupdate"
