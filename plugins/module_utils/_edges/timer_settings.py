# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What the role wrote for a host's own timer, as far as others want to know it."""

from __future__ import annotations

import json
import pathlib

_FOLDER = pathlib.Path("/etc/podfleet-autoupdate")
_LONGEST = 1024 * 1024
REGISTRY, PLAN = "registry", "plan"


def settings_path(user: str | None, folder: pathlib.Path = _FOLDER) -> pathlib.Path:
    """The timer's settings: the system's, or those of a user's timer. Only root writes there."""
    return folder / "timer.json" if user is None else folder / "users" / user / "timer.json"


def followed(user: str | None, folder: pathlib.Path = _FOLDER) -> str | None:
    """What the timer of the system's (or of a user's) containers follows: C(registry) or C(plan).

    None where this collection's engine has no timer, or where its settings are not for this process to read.
    """
    try:
        with settings_path(user, folder).open("rb") as file:
            document = json.loads(file.read(_LONGEST))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return PLAN if document.get("follow") == PLAN else REGISTRY
