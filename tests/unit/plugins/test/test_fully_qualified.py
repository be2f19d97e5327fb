# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test fully_qualified: whether a reference says which registry it means."""

from __future__ import annotations

import pytest

pytest.importorskip("ansible")

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.test.fully_qualified import TestModule as Plugin

_HEX = "ab" * 32
_is_fully_qualified = Plugin().tests()["fully_qualified"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quay.io/team/app", True),
        ("localhost/app:1", True),
        ("localhost:5000/app", True),
        ("registry:5000/app", True),
        ("[::1]:5000/app", True),
        (f"quay.io/app@sha256:{_HEX}", True),
        ("docker.io/nginx", True),
        ("docker://nginx", True),
        ("nginx", False),
        ("team/app:1", False),
        (f"app@sha256:{_HEX}", False),
        (_HEX, False),
        (f"sha256:{_HEX}", False),
        ("oci:/srv/quay.io/app", False),
        ("docker-daemon:quay.io/app:1", False),
        ("quay.io/Upper", False),
        ("", False),
    ],
)
def test_only_a_reference_with_its_registry_is_fully_qualified(text: str, expected: bool) -> None:
    assert _is_fully_qualified(text) is expected


@pytest.mark.parametrize("value", [None, 7, ["quay.io/app"]])
def test_what_is_no_text_is_an_error(value: object) -> None:
    with pytest.raises(AnsibleFilterError, match="is a string, not "):
        _is_fully_qualified(value)
