# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers of a plan: which one, and how it ended; how it is read is tested with the state file."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plan_records import (
    LONGEST,
    PlanRecord,
    Verdict,
    read_record,
    written_record,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import Plan

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
PLAN = Plan("0f" * 16, NOON, NOON, {}, {}, "ab" * 32, "cd" * 32)


@pytest.mark.parametrize("verdict", Verdict)
def test_what_became_of_a_plan(verdict: Verdict) -> None:
    record = PlanRecord.of_plan(PLAN, verdict, NOON, {"schema": 1})
    assert (record.id, record.sha256, record.of, record.document) == (PLAN.id, PLAN.sha256, PLAN.of, {"schema": 1})
    assert read_record(written_record(record)) == record


def test_what_would_make_every_run_slow_is_not_kept() -> None:
    """The bound is that of the text, with its quotes and brackets."""
    whole = len('{"x": ""}')
    assert PlanRecord.of_plan(PLAN, Verdict.STAGED, NOON, {"x": "y" * (LONGEST - whole)}).document
    assert PlanRecord.of_plan(PLAN, Verdict.STAGED, NOON, {"x": "y" * (LONGEST - whole + 1)}).document is None
