# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules make of their parameters, where that is more than a name."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible.arguments import access
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError

_SECRETS = ("tr0ub4dor", "c0rrecthorse")


def _entries(*registries: str) -> list[dict[str, str]]:
    return [{"registry": one, "username": "me", "password": secret} for one, secret in zip(registries, _SECRETS)]


def test_credentials_of_a_registry_and_of_a_repository_in_it_are_two() -> None:
    told = access({"credentials": _entries("quay.io", "quay.io/team")}).credentials
    assert told == {"quay.io": Credential("me", _SECRETS[0]), "quay.io/team": Credential("me", _SECRETS[1])}
    assert access({"credentials": None}).credentials == {}


def test_two_credentials_for_one_registry_are_refused_and_not_told() -> None:
    with pytest.raises(InputError, match=r"^credentials: two entries are for quay\.io,") as refused:
        access({"credentials": _entries("quay.io", "https://quay.io")})
    assert not any(one in str(refused.value) for one in _SECRETS)
