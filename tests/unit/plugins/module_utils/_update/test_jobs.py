# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of a member that is restarted by several units at once: one word for all of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.groups import Member
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.jobs import restart
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host

DONE = JobOutcome("done", 2.0)
REFUSED = JobOutcome("failed", 0.0, "two.service: systemd refused", refused=True)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (JobOutcome("done", 1.0), DONE, ("done", False, None)),
        (DONE, JobOutcome("failed", 1.0), ("failed", False, "the restart of two.service ended as 'failed'")),
        (JobOutcome("timeout", 1.0, "late", cancelled=True), DONE, ("timeout", False, "late")),
        # What one of them has restarted is to be judged.
        (DONE, REFUSED, ("failed", False, "systemd refused")),
        (REFUSED, REFUSED, ("failed", True, "systemd refused")),
    ],
)
def test_one_that_fails_counts_for_all(
    monkeypatch: pytest.MonkeyPatch, one: JobOutcome, two: JobOutcome, expected: tuple[str, bool, str | None]
) -> None:
    host = Host()
    asked: list[list[str]] = []

    def jobs(units: t.Collection[str]) -> dict[str, JobOutcome]:
        asked.append(list(units))
        return {"one.service": one, "two.service": two}

    monkeypatch.setattr(host, "restart", jobs)
    found = restart([Member("one.service", (), others=("two.service",))], host)["one.service"]
    result, refused, said = expected
    assert (found.result, found.refused) == (result, refused)
    assert found.error is said is None or str(said) in str(found.error)
    assert found.duration == max(one.duration, two.duration) or not found.done
    assert asked == [["one.service", "two.service"]]
