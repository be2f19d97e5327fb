# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Ansible's values as plain Python: templating marks strings, and fills dictionaries only when somebody asks for an item."""

from __future__ import annotations

import json
import typing as t

from .._pure.errors import InputError

#: Nothing that is meant is deeper; what hosts answer may be.
_DEEPEST = 50


def plain(value: object, *, deepest: int = _DEEPEST) -> t.Any:
    """The value without anything of Ansible's, as C(json.loads) would have made it; what is too deep is null."""
    if deepest == 0:
        return None
    if isinstance(value, t.Mapping):
        return {str.__str__(str(key)): plain(one, deepest=deepest - 1) for key, one in value.items()}
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, t.Sequence):
        return [plain(one, deepest=deepest - 1) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def document(value: object) -> t.Any:
    """A plan as it was given, plain: a dictionary, or the text of a file; None where there is none.

    Raises:
        InputError: The text is no JSON.
    """
    if not isinstance(value, str) or not value:
        return plain(value) or None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the plan is refused: it is no JSON: {error}") from None
