# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors: each carries a sentence and a reason."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import (
    EngineError,
    MissingLibraryError,
    RegistryError,
    StoreError,
    UnitError,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreError("No."), Reason.STORE_FAILED),
        (StoreError("No.", Reason.PULL_FAILED), Reason.PULL_FAILED),
        (UnitError("No."), Reason.UNITS_NOT_CHECKED),
        (UnitError("No.", Reason.JOB_FAILED), Reason.JOB_FAILED),
        (RegistryError("No.", Reason.TLS), Reason.TLS),
    ],
)
def test_an_error_says_what_and_why(error: EngineError, reason: Reason) -> None:
    assert isinstance(error, EngineError)
    assert (str(error), error.reason) == ("No.", reason)


def test_a_missing_library_is_named() -> None:
    error = MissingLibraryError("requests", "Traceback …")
    assert (error.library, error.traceback, str(error)) == ("requests", "Traceback …", "requests")


@pytest.mark.parametrize(
    ("result", "done"),
    [
        ("done", True),
        ("failed", False),
        ("timeout", False),
        ("canceled", False),
        ("dependency", False),
        ("skipped", False),
    ],
)
def test_only_done_is_success(result: str, done: bool) -> None:
    assert JobOutcome(result, 1.0).done is done
