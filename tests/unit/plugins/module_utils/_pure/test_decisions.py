# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions: the truth table of what a registry or local storage says against what runs."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import (
    Decision,
    Finding,
    RemoteImage,
    Target,
    Workload,
    decide_local,
    decide_registry,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import Policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason, Status
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_OLD, _NEW, _INSTANCE, _OTHER = (f"sha256:{digit * 64}" for digit in "abcd")
_RUNNING, _PULLED = (f"sha256:{digit * 64}" for digit in "12")
_APP = Reference.parse("quay.io/team/app:1")


def _workload(*digests: str, image_id: str | None = _RUNNING) -> Workload:
    return Workload(
        container_id="c" * 64,
        container_name="app",
        unit="app.service",
        image="quay.io/team/app:1",
        policy=Policy.REGISTRY,
        reference=_APP,
        resolved_name="quay.io/team/app:1",
        image_id=image_id,
        image_digest=digests[0] if digests else None,
        digests=frozenset(digests),
        main_pid=7,
    )


class Row(t.NamedTuple):
    """What is recorded, what the registry says, and what follows."""

    why: str
    recorded: tuple[str, ...]
    remote: RemoteImage
    status: Status
    reason: Reason | None = None
    digest: str | None = _OLD


_ROWS = [
    Row("the digest is recorded", (_OLD,), RemoteImage(_OLD), Status.CURRENT),
    Row("any recorded digest counts", (_OLD, _NEW), RemoteImage(_NEW), Status.CURRENT, digest=_NEW),
    Row("the instance's digest is recorded", (_OLD,), RemoteImage(_NEW, _OLD), Status.CURRENT),
    Row("same ID, other list", (_OLD,), RemoteImage(_NEW, _INSTANCE, _RUNNING), Status.CURRENT, Reason.SAME_CONTENT),
    Row("same ID, nothing recorded", (), RemoteImage(_NEW, None, _RUNNING), Status.CURRENT, Reason.SAME_CONTENT, None),
    Row("another image", (_OLD,), RemoteImage(_NEW, None, _PULLED), Status.PENDING),
    Row("another image of a list", (_OLD,), RemoteImage(_NEW, _INSTANCE, _PULLED), Status.PENDING),
    Row("nothing recorded", (), RemoteImage(_NEW, None, _PULLED), Status.PENDING, digest=None),
    Row("the ID is not told", (_OLD,), RemoteImage(_NEW), Status.PENDING),
]


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.why)
def test_the_registry_against_what_runs(row: Row) -> None:
    found = decide_registry(_workload(*row.recorded), row.remote)
    assert found.finding == Finding(row.status, row.reason)
    assert found.digest == row.digest
    if row.status is Status.PENDING:
        pull = f"quay.io/team/app@{row.remote.digest}"
        assert found.target == Target(row.remote.id, row.remote.digest, "quay.io/team/app:1", pull)
    else:
        assert found.target is None


def test_an_unknown_id_on_both_sides_is_not_the_same_image() -> None:
    found = decide_registry(_workload(_OLD, image_id=None), RemoteImage(_NEW))
    assert found.finding.status is Status.PENDING


def test_a_local_name_that_points_elsewhere_is_pending_and_needs_no_pull() -> None:
    found = decide_local(_workload(_OLD), (_PULLED, _NEW))
    assert found == Decision(Finding(Status.PENDING), _OLD, Target(_PULLED, _NEW, "quay.io/team/app:1", None))


def test_a_local_name_of_the_running_image_is_current_whatever_digest_it_has() -> None:
    assert decide_local(_workload(_OLD), (_RUNNING, _OTHER)) == Decision(Finding(Status.CURRENT), _OLD)


def test_a_local_name_that_is_gone_is_a_failure_that_names_it() -> None:
    found = decide_local(_workload(_OLD), None)
    assert (found.finding.status, found.finding.reason) == (Status.FAILED, Reason.NO_LOCAL_TAG)
    assert "quay.io/team/app:1" in str(found.finding.error)
    assert found.target is None
