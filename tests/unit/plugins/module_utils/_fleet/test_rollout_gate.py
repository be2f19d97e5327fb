# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate after a wave."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet import rollout_report
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_answers import read_answer, read_looks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_gate import (
    WaveAnswer,
    going_back,
    gone_back,
    has_gone_back,
    judge,
    not_held,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_ledger import HostRecord, Ledger
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_settings import (
    Failures,
    RolloutSettings,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import plans
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.holds import BadImage
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._fleet import rollout_fleet as fleet

_SETTINGS = RolloutSettings()
_UNIT = (None, "web.service")
_UPDATED = fleet.answered(fleet.row("updated"))
_FAILED = fleet.answered(fleet.row("rolled_back", "unhealthy"))
_PLAN = fleet.plan({host: [fleet.WEB] for host in "abcdef"})


def _ledger(*waves: str, state: str = "updated") -> Ledger:
    hosts = {host: HostRecord(wave=number) for number, wave in enumerate(waves, 1) for host in wave}
    return Ledger(_PLAN["id"], _PLAN["sha256"], state, tuple(map(tuple, waves)), hosts)


def _wave(
    applied: object, first: object = None, last: object = None, back: object = None, host: str = "a"
) -> WaveAnswer:
    return WaveAnswer(
        plans.for_host(_PLAN, host),
        read_answer(applied),
        read_looks(first),
        read_looks(last),
        first is not None,
        read_answer(back),
    )


def _judged(ledger: Ledger, answers: t.Mapping[str, object], settings: RolloutSettings = _SETTINGS) -> Ledger:
    return judge(settings, ledger, {host: _wave(answer, host=host) for host, answer in answers.items()})


def test_a_good_wave_lets_the_next_one_begin() -> None:
    ledger = _judged(_ledger("a", "bc"), {"a": _UPDATED})
    assert (ledger.done, ledger.halted, ledger.bad) == (1, None, ())
    assert ledger.wave == ("b", "c")
    assert ledger.hosts["a"] == HostRecord("converged", 1, (_UNIT,))


def test_one_failure_stops_all_and_is_held_for_all() -> None:
    ledger = _judged(_ledger("ab", "c"), {"a": _UPDATED, "b": _FAILED})
    assert (ledger.halted, ledger.done) == ("failures", 1)
    assert "wave 1 failed on b" in str(ledger.halt)
    assert [(one.host, one.reason, one.digest) for one in ledger.bad] == [("b", "unhealthy", fleet.NEW_DIGEST)]
    assert ledger.hosts["c"].verdict == "waiting"


def test_a_host_cannot_spoil_the_hold_for_all_by_what_it_says() -> None:
    row = fleet.row("rolled_back", "x" * 400)
    (bad,) = _judged(_ledger("a"), {"a": fleet.answered(row)}).bad
    assert BadImage.parse(**bad.to_entry()).reason == "rolled_back"


@pytest.mark.parametrize(
    "row",
    [
        fleet.row("failed", "no_space"),
        fleet.row("failed", "not_running", changed=False),
        fleet.row("rolled_back", "group_failed"),
        fleet.row("rolled_back", "unit_reuses_container"),
        fleet.row("rolled_back", "unhealthy", container_name="stranger"),
    ],
)
def test_what_is_not_the_images_fault_is_not_held(row: dict[str, t.Any]) -> None:
    ledger = _judged(_ledger("a"), {"a": fleet.answered(row)})
    assert ledger.bad == ()
    assert ledger.halted == "failures"


def test_failures_may_be_allowed_in_a_wave_and_in_all() -> None:
    settings = RolloutSettings(max_failures=Failures(1), max_failures_total=Failures(1))
    ledger = _judged(_ledger("ab", "cd"), {"a": _FAILED, "b": _UPDATED}, settings)
    assert ledger.halted is None
    ledger = _judged(ledger, {"c": _FAILED, "d": _UPDATED}, settings)
    assert "2 of 4 hosts have failed" in str(ledger.halt)


def test_unreachable_hosts_do_not_stop_it_unless_nobody_answers() -> None:
    ledger = _judged(_ledger("ab", "cd"), {"a": fleet.UNREACHABLE, "b": _UPDATED})
    assert ledger.halted is None
    assert ledger.hosts["a"].verdict == "unreachable"
    assert _judged(ledger, {"c": fleet.UNREACHABLE}).halted == "unreachable"


def _soaked(last: object, back: object = None) -> Ledger:
    return judge(RolloutSettings(), _ledger("a", "b"), {"a": _wave(_UPDATED, fleet.looked(), last, back)})


def test_what_falls_in_the_soak_fails_and_is_held() -> None:
    ledger = _soaked(fleet.looked("2"), fleet.answered(fleet.row("rolled_back")))
    assert (ledger.halted, ledger.hosts["a"].verdict, ledger.hosts["a"].moved) == ("failures", "failed", ())
    assert "the old image runs again" in str(ledger.hosts["a"].error)
    assert [one.reason for one in ledger.bad] == ["restarted_again"]


def test_what_could_not_be_taken_back_is_said() -> None:
    assert "left as it is" in str(_soaked({"workloads": []}).hosts["a"].error)
    assert "could not be rolled back" in str(_soaked({"workloads": []}, fleet.answered()).hosts["a"].error)


def test_what_stays_well_in_the_soak_converges() -> None:
    assert _soaked(fleet.looked()).hosts["a"].verdict == "converged"


def test_a_host_that_is_lost_in_the_soak_is_unreachable() -> None:
    assert _soaked(fleet.UNREACHABLE).hosts["a"].verdict == "unreachable"


def _halted(on_halt: str, halted: str = "failures", state: str = "updated") -> dict[str, t.Any]:
    hosts = {
        "a": HostRecord("converged", 1, (_UNIT,)),
        "b": HostRecord("failed", 2),
        "c": HostRecord("converged", 2, (_UNIT,)),
        "d": HostRecord("waiting", 3),
        "e": HostRecord("converged", None, (), (_UNIT,)),
        "f": HostRecord("unreachable", 2, (_UNIT,)),
    }
    ledger = Ledger("p", "s", state, (("a",), ("b", "c", "f"), ("d",)), hosts, done=2, halted=halted, halt="why")
    return going_back(RolloutSettings(on_halt=on_halt), ledger)


def test_who_goes_back_after_a_halt_is_as_was_asked() -> None:
    assert _halted("stop") == {}
    assert _halted("rollback_wave") == {"c": (_UNIT,)}
    assert _halted("rollback_all") == {"a": (_UNIT,), "c": (_UNIT,), "e": (_UNIT,)}
    assert _halted("rollback_all", "window_closed") == {}
    assert _halted("rollback_all", state="staged") == {}


def test_what_went_back_is_noted() -> None:
    before = _judged(_ledger("abc"), {"a": _UPDATED, "b": _UPDATED, "c": _FAILED})
    back = fleet.answered(fleet.row("rolled_back"))
    after = gone_back(
        before, {"a": [_UNIT], "b": [_UNIT]}, {"a": read_answer(back), "b": read_answer(fleet.UNREACHABLE)}
    )
    assert {host: record.verdict for host, record in after.hosts.items()} == {
        "a": "rolled_back",
        "b": "unreachable",
        "c": "failed",
    }
    assert after.hosts["a"].moved == ()


def test_what_should_go_back_and_does_not_run_is_no_success() -> None:
    before = _judged(_ledger("ab"), {"a": _UPDATED, "b": _UPDATED})
    back = fleet.answered(fleet.row("rolled_back"))
    gone = {"a": read_answer(fleet.answered()), "b": read_answer(back)}
    after = gone_back(before, {"a": [_UNIT], "b": [_UNIT, ("kim", "web.service")]}, gone)
    assert [after.hosts[host].verdict for host in "ab"] == ["failed", "failed"]
    assert after.hosts["a"].moved == (_UNIT,)
    assert "no container of web.service runs" in str(after.hosts["a"].error)
    assert after.hosts["b"].moved == ()


def test_a_host_whose_containers_are_gone_has_not_arrived() -> None:
    for state in ("updated", "rolled_back", "staged"):
        record = _judged(_ledger("a", state=state), {"a": fleet.answered()}).hosts["a"]
        assert (record.verdict, record.moved) == ("failed", ())


def test_of_two_units_that_fell_both_have_to_go_back() -> None:
    one, two = fleet.row("updated"), fleet.row("updated", reference=fleet.DB)
    looks = {"workloads": []}
    back = fleet.answered(fleet.row("rolled_back"))
    answer = _wave(fleet.answered(one, two), looks, looks, back)
    record = judge(RolloutSettings(), _ledger("a", "b"), {"a": answer}).hosts["a"]
    assert "could not be rolled back: no container of db.service runs" in str(record.error)
    assert record.moved == ((None, "db.service"),)


# What is told.


def test_a_wave_is_told_in_a_sentence() -> None:
    good = _judged(_ledger("a", "bc"), {"a": _UPDATED})
    assert rollout_report.wave_message(good) == "Wave 1 of 2 (1 host): 1 converged."
    bad = _judged(good, {"b": _FAILED, "c": _UPDATED})
    assert rollout_report.wave_message(bad).endswith("1 failed, 1 converged. The rollout stops: wave 2 failed on b.")
    closed = _ledger("a").stopped("window_closed", "the window is closed")
    assert rollout_report.wave_message(closed) == "Nothing was begun: the window is closed."


@pytest.mark.parametrize(
    ("verdict", "settings", "check", "failed"),
    [
        ("converged", RolloutSettings(), False, False),
        ("held", RolloutSettings(), False, False),
        ("pending", RolloutSettings(), False, False),
        ("failed", RolloutSettings(), True, True),
        ("unreachable", RolloutSettings(), False, True),
        ("unreachable", RolloutSettings(ignore_unreachable=True), False, False),
        ("rolled_back", RolloutSettings(), False, True),
        ("rolled_back", RolloutSettings(state="rolled_back"), False, False),
        ("waiting", RolloutSettings(), False, True),
        ("waiting", RolloutSettings(), True, False),
    ],
)
def test_when_the_job_fails(verdict: str, settings: RolloutSettings, check: bool, failed: bool) -> None:
    ledger = Ledger(None, None, settings.state, hosts={"a": HostRecord(verdict)})
    assert rollout_report.is_failure(settings, ledger, check=check) == failed
    assert rollout_report.is_failure(settings, ledger.stopped("failures", "x"), check=check)


def test_the_worst_is_told_first_and_numbers_add_up() -> None:
    ledger = _judged(_ledger("ab", "c"), {"a": _UPDATED, "b": _FAILED})
    text = rollout_report.message(ledger, check=False)
    assert text == "3 hosts: 1 failed, 1 waiting, 1 converged. Stopped: wave 1 failed on b. 1 held for the whole fleet."
    lines = rollout_report.table(ledger, text)
    assert [line.split()[0] for line in lines[:4]] == ["HOST", "b", "c", "a"]
    assert lines[-1] == text
    report = rollout_report.report(ledger, text, check=False, failed=True)
    assert report["summary"] == {"converged": 1, "failed": 1, "waiting": 1}
    assert report["bad_images"][0]["digests"] == [fleet.NEW_DIGEST]
    assert rollout_report.message(Ledger(None, None, "updated"), check=False) == "The plan has nothing for these hosts."
    assert "Waves: 2, 1." in rollout_report.message(_ledger("ab", "c"), check=True)


def test_the_report_names_moved_units_with_their_users_and_nothing_that_is_none() -> None:
    moved = (_UNIT, ("kim", "web.service"), (None, "*"), (None, "web.service x"))
    told = rollout_report.report(
        Ledger("p", "s", "updated", hosts={"a": HostRecord("converged", 1, moved)}), "", check=False, failed=False
    )
    assert told["moved"] == {"a": ["kim/web.service", "web.service"]}


def test_an_interrupted_run_that_cannot_be_repaired_is_the_hosts_failure() -> None:
    repaired = [{"unit": "db.service", "user": None, "did": "undone", "error": "it does not run"}]
    ledger = _judged(_ledger("a", "b"), {"a": {**_UPDATED, "repaired": repaired}})
    assert (ledger.halted, ledger.hosts["a"].verdict, ledger.bad) == ("failures", "failed", ())
    assert "db.service: an interrupted run left it, and its repair failed" in str(ledger.hosts["a"].error)
    after = gone_back(ledger, {"a": [_UNIT]}, {"a": read_answer({**_BACK_AGAIN, "repaired": repaired})})
    assert after.hosts["a"].verdict == "failed"
    assert "its repair failed" in str(after.hosts["a"].error)


_BACK_AGAIN = fleet.answered(fleet.row("rolled_back"))


@pytest.mark.parametrize(
    ("registered", "gone"),
    [
        (None, True),
        (fleet.UNREACHABLE, True),
        (fleet.BROKEN, False),
        (fleet.answered(), False),
        (fleet.answered(fleet.row("pending", "job_running")), False),
        (fleet.answered(fleet.row("rolled_back")), True),
        (fleet.answered(fleet.row("failed", "slot_missing")), True),
        ({"updates": [1]}, False),
        ({"updates": 5}, False),
    ],
)
def test_what_goes_back_is_waited_for(registered: object, gone: bool) -> None:
    assert has_gone_back(read_answer(registered), 1) == gone


def test_who_did_not_note_what_to_hold_is_named() -> None:
    ledger = _judged(_ledger("ab", "cd"), {"a": _FAILED, "b": fleet.UNREACHABLE})
    answers = {
        "a": read_answer(fleet.answered()),
        "b": None,
        "c": read_answer(fleet.BROKEN),
        "d": read_answer({**fleet.answered(), "users": [{"user": "kim", "looked_at": False, "error": "no bus"}]}),
    }
    assert not_held(ledger, answers) == {
        "b": "it did not answer",
        "c": "podman is not installed",
        "d": "kim was not looked at: no bus",
    }
    assert not_held(_judged(_ledger("ab"), {"a": _UPDATED}), answers) == {}
