# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What must be true while a run changes a store: no other run of this collection is at work on it."""

from __future__ import annotations

import contextlib

from .._edges.store_lock import StoreLock


def alone(caller: str, seconds: float, *, changes: bool) -> contextlib.AbstractContextManager[object]:
    """Hold the store's lock, waiting C(seconds) at most; what changes nothing, such as a check, takes none.

    Raises:
        BusyError: Somebody else holds it (C(lock_busy)).
        StateError: There is no place for it.
    """
    return StoreLock(caller).held(seconds) if changes else contextlib.nullcontext()
