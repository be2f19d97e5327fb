# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""When an image is pulled: the policies of podman-create(1)'s C(--pull), in all spellings that podman's library takes."""

from __future__ import annotations

import enum

from .errors import InputError
from .platforms import Platform
from .texts import printable


class PullPolicy(str, enum.Enum):
    """When an image is fetched from its registry."""

    ALWAYS = "always"
    MISSING = "missing"
    NEWER = "newer"
    NEVER = "never"

    def for_platform(self, platform: Platform | None) -> PullPolicy:
        """What the policy becomes where a platform is asked for, even if it is the host's own.

        The tag may name another platform's image locally, so C(missing) has to look; C(always) and C(never) stay.
        """
        return PullPolicy.NEWER if platform is not None and self is PullPolicy.MISSING else self


_SPELLINGS = {
    "always": PullPolicy.ALWAYS,
    "missing": PullPolicy.MISSING,
    "ifmissing": PullPolicy.MISSING,
    "ifnotpresent": PullPolicy.MISSING,
    "": PullPolicy.MISSING,
    "newer": PullPolicy.NEWER,
    "ifnewer": PullPolicy.NEWER,
    "never": PullPolicy.NEVER,
}


def parse_pull_policy(text: str) -> PullPolicy:
    """Read a policy, in capitals or not.

    Raises:
        InputError: The text is none.
    """
    policy = _SPELLINGS.get(text.lower())
    if policy is None:
        known = ", ".join(one.value for one in PullPolicy)
        raise InputError(f"policy: unsupported pull policy {printable(text)!r}; it must be one of {known}")
    return policy
