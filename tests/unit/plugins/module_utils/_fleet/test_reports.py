# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of hosts: read strictly, because whoever owns a host can answer anything."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet import reports
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import (
    Contact,
    read_report,
    read_reports,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet.fleet import (
    AMD64,
    BROKEN,
    DB,
    NEW,
    NEW_DIGEST,
    OLD,
    OLD_DIGEST,
    UNREACHABLE,
    WEB,
    host,
    row,
)


def test_a_container_is_what_the_host_says_of_it() -> None:
    report = read_report("web1", host(row(), row("db", "docker://postgres:16", user="ann", scope="user")))

    assert (report.host, report.contact, report.error, report.left_out) == ("web1", Contact.ANSWERED, None, ())
    web, db = report.containers
    assert (web.unit, web.user, web.name, web.key) == ("web.service", None, "web", (WEB, AMD64))
    assert (web.id, web.digest, web.digests, web.down) == (OLD, OLD_DIGEST, frozenset({OLD_DIGEST}), None)
    assert (db.user, db.key) == ("ann", (DB, AMD64))
    assert report.keys == {(WEB, AMD64), (DB, AMD64)}


@pytest.mark.parametrize("state", ["failed", "inactive"])
def test_a_unit_that_is_down_is_told(state: str) -> None:
    (one,) = read_report("web1", host(row(unit_state={"active_state": state}))).containers
    assert one.down == state


@pytest.mark.parametrize("state", [None, {"active_state": "active"}, {"active_state": "activating"}, "failed", {}])
def test_a_unit_that_is_up_or_not_known_is_not_down(state: object) -> None:
    (one,) = read_report("web1", host(row(unit_state=state))).containers
    assert one.down is None


@pytest.mark.parametrize(
    ("other", "word", "error"),
    [
        ({"pinned": True}, "pinned", None),
        ({"policy": "local"}, "local", None),
        ({"reason": "unit_mismatch", "error": "not its unit"}, "unit_mismatch", "not its unit"),
        ({"error": "odd"}, "failed", "odd"),
        ({"reason": "short_name"}, "short_name", "short_name"),
        ({"image": "web:1"}, "unplanned", "web:1 does not name a tag of a registry"),
        ({"image": f"quay.io/a@{NEW_DIGEST}"}, "unplanned", f"quay.io/a@{NEW_DIGEST} does not name a tag of a registry"),
        ({"running": {"platform": None}}, "unplanned", "podman does not tell the platform of the image that it runs"),
    ],
)  # fmt: skip
def test_what_no_plan_can_name_is_left_out_with_its_word(other: dict[str, t.Any], word: str, error: str | None) -> None:
    report = read_report("web1", host(row(**other)))
    assert report.containers == ()
    assert [(one.word, one.error) for one in report.left_out] == [(word, error)]


def test_a_reference_that_is_none_is_left_out() -> None:
    (one,) = read_report("web1", host(row(image="quay.io/Upper:1"))).left_out
    assert (one.word, "lowercase" in str(one.error)) == ("unplanned", True)


def test_hosts_that_do_not_answer_say_why() -> None:
    gone, broken, nothing = read_reports({"a": UNREACHABLE, "b": BROKEN, "c": None})
    assert (gone.contact, gone.error) == (Contact.UNREACHABLE, "no route to host")
    assert (broken.contact, broken.error) == (Contact.FAILED, "podman: not found")
    assert (nothing.contact, nothing.error) == (Contact.FAILED, "it was not asked")


@pytest.mark.parametrize(
    "rows",
    [
        [1],
        [{}],
        [row(unit="sshd.socket")],
        [row(unit=None)],
        [row(container_name="../x")],
        [row(container_name="a" * 300)],
        [row(container_name=None)],
        [row(user="")],
        [row(user="{{ lookup('pipe', 'id') }}")],
        [row(running={"id": "latest"})],
        [row(running={"digests": ["sha256:x"]})],
        [row(running={"digests": "sha256:x"})],
        [row(running={"digests": [OLD] * 2000})],
        [row(), row()],
    ],
)
def test_an_answer_that_autoupdate_info_would_not_give_is_not_believed(rows: list[t.Any]) -> None:
    report = read_report("web1", {"workloads": rows})
    assert (report.contact, report.containers) == (Contact.FAILED, ())


def test_no_host_has_endless_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_CONTAINERS", 1)
    assert read_report("web1", host(row("one"), row("two"))).contact is Contact.FAILED


def test_what_a_stranger_says_moves_no_cursor_and_is_no_template() -> None:
    told = read_report("web1", {"msg": "\x1b[2J {{ 1 + 1 }} {% raw %}"})
    assert told.error == "\\x1b[2J { { 1 + 1 }} { % raw %}"
    (one,) = read_report("web1", host(row(error="{{ x }}", image="{{ y }}"))).left_out
    assert (one.error, one.image) == ("{ { x }}", "{ { y }}")


def test_holds_and_the_last_plan_are_read_where_they_are_sound() -> None:
    hold = {"by": "image", "reference": WEB, "platform": AMD64, "id": NEW, "digests": [NEW_DIGEST, "x"]}
    odd = [1, {}, {**hold, "id": "x"}, {**hold, "platform": "x"}]
    report = read_report("web1", host(holds=[*odd, hold], plan={"id": "0f" * 16, "verdict": "failed", "of": None}))
    assert [(user, one.reference, one.id, one.digests) for user, one in report.holds] == [
        (None, WEB, NEW, frozenset({NEW_DIGEST}))
    ]
    assert report.last_plan == ("0f" * 16, "failed")
    for plan in (None, [], {"id": 1, "verdict": "failed"}, {"id": "x"}):
        assert read_report("web1", host(plan=plan, holds="x")).last_plan is None


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*row(), *host()]), inner, max_size=4),
    max_leaves=12,
)


@given(_ANYTHING)
def test_whatever_a_host_answers_is_a_report(told: object) -> None:
    report = read_report("web1", told)
    assert report.host == "web1"
    assert (report.error is None) == (report.contact is Contact.ANSWERED)


@given(st.sampled_from(sorted(row())), _ANYTHING)
def test_whatever_one_value_is_the_report_says_something(key: str, value: object) -> None:
    report = read_report("web1", host({**row(), key: value}))
    assert len(report.containers) + len(report.left_out) + (report.contact is Contact.FAILED) == 1
