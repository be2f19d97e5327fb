# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull policies: every spelling that podman's library takes, and what a platform makes of them."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.pull_policies import (
    PullPolicy,
    parse_pull_policy,
)

ALWAYS, MISSING, NEWER, NEVER = PullPolicy.ALWAYS, PullPolicy.MISSING, PullPolicy.NEWER, PullPolicy.NEVER
_SPELLINGS = {
    "always": ALWAYS,
    "missing": MISSING,
    "ifmissing": MISSING,
    "ifnotpresent": MISSING,
    "IfNotPresent": MISSING,
    "": MISSING,
    "newer": NEWER,
    "IFNEWER": NEWER,
    "Never": NEVER,
}


@pytest.mark.parametrize("text", _SPELLINGS)
def test_every_spelling(text: str) -> None:
    assert parse_pull_policy(text) is _SPELLINGS[text]


@pytest.mark.parametrize("text", ["sometimes", " always", "always\n", "if-newer"])
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(InputError, match="unsupported pull policy"):
        parse_pull_policy(text)


def test_a_platform_turns_missing_into_newer_and_nothing_else() -> None:
    platform = Platform("linux", "amd64")
    assert [policy.for_platform(platform) for policy in PullPolicy] == [ALWAYS, NEWER, NEWER, NEVER]
    assert [policy.for_platform(None) for policy in PullPolicy] == list(PullPolicy)
