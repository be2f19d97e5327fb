# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers: written and read back, and refused when anything is not as this release writes it."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Who
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.intents import Intent, Piece
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.interruptions import Interruption
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plan_records import PlanRecord, Verdict
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.slots import Slot
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import (
    Hold,
    ImageHold,
    State,
    UserHold,
    parse_state,
    render_state,
)

WEB, OTHER = "quay.io/team/web:1", "quay.io/team/other:1"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")
ID, DIGEST, ELSE = ("sha256:" + pair * 32 for pair in ("ab", "cd", "ef"))
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
IMAGE_HOLD = ImageHold(WEB, AMD64, ID, frozenset({DIGEST}))
TOLD_HOLD = ImageHold(OTHER, ARM64, DIGEST, frozenset(), "web.service", "job_failed", NOON)
USER_HOLD = UserHold(WEB)
UNIT_HOLD = UserHold("", "web*", "it is Friday", NOON)
SLOT = Slot("web.service", WEB, 1, ID, frozenset({DIGEST}), NOON)
PLAN = PlanRecord("0f" * 16, "ab" * 32, "cd" * 32, Verdict.HALTED, NOON, {"schema": 1})
PIECE = Piece(
    "web", "ab" * 32, "web.service", "web:1", WEB, WEB, ARM64, (ID, None), (None, DIGEST), f"{WEB}@x", back=True
)
EVENT = Event(NOON, "ab" * 16, Who(0, "root", "anna"), "web.service", "updated", None, None, "done", 1.5, ())
INTENT = Intent(
    "ab" * 16, 3, NOON, "web.service", ("web.service",), (PIECE,), ((WEB, ID), ("a:1", None)), ("b.service",)
)

INTERRUPTION = Interruption(WEB, AMD64, ID, 1, "web.service", NOON)


@given(
    st.lists(st.sampled_from([IMAGE_HOLD, TOLD_HOLD, USER_HOLD, UNIT_HOLD])),
    st.lists(st.sampled_from([SLOT, replace(SLOT, number=2, kept=None), replace(SLOT, unit="a@b.service")])),
    st.lists(st.sampled_from([INTENT, replace(INTENT, unit="a@b.service", pieces=(), moves=False, counted=True)])),
    st.sampled_from([None, PLAN, replace(PLAN, of=None, document=None, verdict=Verdict.STAGED)]),
    st.lists(st.sampled_from([INTERRUPTION, replace(INTERRUPTION, platform=ARM64, times=7)])),
)
def test_what_was_written_is_read(
    holds: list[Hold],
    slots: list[Slot],
    intents: list[Intent],
    plan: PlanRecord | None,
    interruptions: list[Interruption],
) -> None:
    state = State(tuple(holds), tuple(slots), tuple(intents), plan, tuple(interruptions))
    assert parse_state(render_state(state), "x") == state


_GOOD: dict[str, t.Any] = json.loads(
    render_state(State((TOLD_HOLD, UNIT_HOLD), (SLOT,), (INTENT,), PLAN, (INTERRUPTION,)))
)
_IMAGE, _USER = _GOOD["holds"]
(_SLOT,) = _GOOD["slots"]
(_INTENT,) = _GOOD["intents"]
(_PIECE,) = _INTENT["containers"]


def _holding(*holds: object) -> dict[str, t.Any]:
    return {**_GOOD, "holds": list(holds)}


def _keeping(**other: object) -> dict[str, t.Any]:
    return {**_GOOD, "slots": [{**_SLOT, **other}]}


def _intending(**other: object) -> dict[str, t.Any]:
    return {**_GOOD, "intents": [{**_INTENT, **other}]}


def _counting(**other: object) -> dict[str, t.Any]:
    return {**_GOOD, "interruptions": [{**_GOOD["interruptions"][0], **other}]}


def _planning(**other: object) -> dict[str, t.Any]:
    return {**_GOOD, "plan": {**_GOOD["plan"], **other}}


_STRANGE: dict[str, object] = {
    "no object": [],
    "no schema": {},
    "an older schema": {**_GOOD, "schema": 0},
    "a schema that is no number": {**_GOOD, "schema": "1"},
    "one key less": {key: _GOOD[key] for key in ("schema", "holds", "slots", "plan")},
    "one key more": {**_GOOD, "more": 1},
    "no plan": {key: _GOOD[key] for key in ("schema", "holds", "slots", "intents", "interruptions")},
    "no interruptions": {key: _GOOD[key] for key in ("schema", "holds", "slots", "intents", "plan")},
    "an interruption with more": _counting(more=1),
    "an interruption that never was": _counting(times=0),
    "an interruption that was true": _counting(times=True),
    "an interruption of no image": _counting(id="x"),
    "an interruption of no reference": _counting(reference="UPPER"),
    "an interruption on no platform": _counting(platform="linux"),
    "an interruption of a unit that is no text": _counting(unit=1),
    "an interruption some day": _counting(last="some day"),
    "an intent that was perhaps counted": _intending(counted=None),
    "a plan that is no object": {**_GOOD, "plan": []},
    "a plan with more": _planning(more=1),
    "a plan of another ID": _planning(id="x"),
    "a plan without a hash": _planning(sha256=None),
    "a plan that is part of what is no hash": _planning(of="x"),
    "a plan of another verdict": _planning(verdict="fine"),
    "a plan of no verdict": _planning(verdict=None),
    "a plan that ended some day": _planning(at="some day"),
    "a plan that says a list": _planning(document=[]),
    "holds that are no list": {**_GOOD, "holds": {}},
    "slots that are no objects": {**_GOOD, "slots": [1]},
    "intents that are no list": {**_GOOD, "intents": None},
    "an intent with more": _intending(more=1),
    "an intent of a run that is none": _intending(run="../x"),
    "an intent of a group that is true": _intending(group=True),
    "an intent of no unit": _intending(unit=""),
    "an intent of some day": _intending(time="some day"),
    "an intent whose units are no texts": _intending(units=[1]),
    "an intent that perhaps moves": _intending(moves=None),
    "an intent with a name of nothing": _intending(names=[{"name": "a"}]),
    "an intent with a name that points anywhere": _intending(names=[{"name": "a", "id": "b"}]),
    "an intent with a container of nothing": _intending(containers=[{}]),
    "an intent with an image that is none": _intending(containers=[{**_PIECE, "before": {"id": "x", "digest": None}}]),
    "an intent with a platform that is none": _intending(containers=[{**_PIECE, "platform": "linux"}]),
    "an intent with a reference that is none": _intending(containers=[{**_PIECE, "reference": "UPPER"}]),
    "an intent that ended as nobody says": _intending(ended=["{}"]),
    "an intent that ended in a book": _intending(unit="x" * 5000),
    "a hold by somebody else": _holding({**_USER, "by": "moon"}),
    "a hold with more": _holding({**_USER, "more": 1}),
    "a reference that is not normalised": _holding({**_USER, "reference": "docker.io/web"}),
    "a reference that is none": _holding({**_USER, "reference": "UPPER"}),
    "an ID that is none": _holding({**_IMAGE, "id": "ab"}),
    "digests that are none": _holding({**_IMAGE, "digests": ["ab"]}),
    "digests that are no list": _holding({**_IMAGE, "digests": DIGEST}),
    "a platform that is none": _holding({**_IMAGE, "platform": "linux"}),
    "a time that is none": _holding({**_IMAGE, "since": "noon"}),
    "a time in other words": _holding({**_USER, "until": "2026-11-21 12:00:00"}),
    "a hold of nothing": _holding({**_USER, "unit": ""}),
    "a unit that is no text": _holding({**_USER, "unit": 1}),
    "a reason of a book's length": _holding({**_IMAGE, "reason": "x" * 1000}),
    "a slot with more": _keeping(more=1),
    "a slot of number 0": _keeping(number=0),
    "a slot whose number is true": _keeping(number=True),
    "a slot without a unit": _keeping(unit=""),
    "a slot under another name": _keeping(name="localhost/podfleet-autoupdate/slot:1"),
    "a slot of a name that is none": _keeping(reference="UPPER"),
    "a slot of an ID that is none": _keeping(id="ab"),
    "a slot of digests that are none": _keeping(digests=["ab"]),
    "a slot that was kept some day": _keeping(kept="some day"),
}


@pytest.mark.parametrize("case", _STRANGE)
def test_nothing_strange_is_guessed(case: str) -> None:
    with pytest.raises(StateError, match=r"/state\.json cannot be used") as caught:
        parse_state(json.dumps(_STRANGE[case]).encode(), "/state.json")
    assert caught.value.reason is Reason.STATE_INVALID


def test_a_newer_schema_says_what_to_do() -> None:
    with pytest.raises(StateError, match="use the newer release that wrote it"):
        parse_state(json.dumps({**_GOOD, "schema": 2, "more": 1}).encode(), "/state.json")


@given(st.integers(0, len(render_state(State((IMAGE_HOLD,)))) - 2))
def test_a_truncated_file_is_a_clear_error(length: int) -> None:
    with pytest.raises(StateError, match="cannot be used"):
        parse_state(render_state(State((IMAGE_HOLD,)))[:length], "/state.json")


@given(st.binary())
def test_arbitrary_bytes_give_only_the_documented_error(body: bytes) -> None:
    with pytest.raises(StateError):
        parse_state(body, "/state.json")


@pytest.mark.parametrize(
    ("hold", "reference", "platform", "image_id", "digests", "held"),
    [
        (IMAGE_HOLD, WEB, AMD64, ID, (), True),
        (IMAGE_HOLD, WEB, AMD64, None, (DIGEST, ELSE), True),
        (IMAGE_HOLD, WEB, AMD64, ELSE, (ELSE,), False),
        (IMAGE_HOLD, WEB, ARM64, ID, (DIGEST,), False),
        (IMAGE_HOLD, OTHER, AMD64, ID, (DIGEST,), False),
        (ImageHold(WEB, ARM64, ID), WEB, Platform("linux", "arm64"), ID, (), True),
        (USER_HOLD, WEB, ARM64, None, (), True),
        (USER_HOLD, OTHER, AMD64, ID, (DIGEST,), False),
    ],
)
def test_who_is_held(
    hold: Hold, reference: str, platform: Platform, image_id: str | None, digests: tuple[str, ...], held: bool
) -> None:
    assert (State((hold,)).hold_against(reference, platform, image_id, digests) == hold) is held


def test_a_persons_hold_is_told_before_an_images() -> None:
    assert State((IMAGE_HOLD, USER_HOLD)).hold_against(WEB, AMD64, ID, ()) == USER_HOLD


def test_lifting_takes_the_holds_of_one_reference_and_platform() -> None:
    others = (UserHold(OTHER), ImageHold(WEB, ARM64, ID), ImageHold(OTHER, AMD64, ID), UserHold("", "web.service"))
    state = State((IMAGE_HOLD, USER_HOLD, *others), (SLOT,))
    assert state.lifted(WEB, AMD64) == State(others, (SLOT,))
    assert state.lifted(WEB, AMD64, "web.service") == State(others[:3], (SLOT,))
    assert state.lifted("quay.io/team/third:1", AMD64) is state


def test_a_hold_ends_at_its_time_and_no_image_is_forgotten_by_it() -> None:
    state = State((IMAGE_HOLD, USER_HOLD, UNIT_HOLD))
    assert state.at(NOON.replace(hour=11)) is state
    assert state.at(NOON) == State((IMAGE_HOLD, USER_HOLD))


def test_the_holds_of_people_are_replaced_and_those_of_images_stay() -> None:
    state = State((USER_HOLD, IMAGE_HOLD))
    assert state.held_by_user([UNIT_HOLD, UNIT_HOLD]) == State((UNIT_HOLD, IMAGE_HOLD))
    assert state.held_by_user([]) == State((IMAGE_HOLD,))


def test_an_image_is_held_once_with_all_that_is_known_of_it() -> None:
    again = replace(IMAGE_HOLD, digests=frozenset({ELSE}), unit="other.service")
    assert State((IMAGE_HOLD,)).holding(again) == State((replace(again, digests=frozenset({DIGEST, ELSE})),))


def test_the_slots_of_one_unit_and_reference_are_replaced() -> None:
    other, second = replace(SLOT, reference=OTHER), replace(SLOT, number=2)
    state = State(slots=(SLOT, other))
    assert state.keeping("web.service", WEB, [second, SLOT]).slots == (other, SLOT, second)
    assert state.keeping("web.service", WEB, []).slots == (other,)


def test_what_a_run_says_of_a_unit_takes_the_place_of_what_it_said_before() -> None:
    ended, other = replace(INTENT, ended=(EVENT,)), replace(INTENT, run="cd" * 16)
    state = State().intending([INTENT, other]).intending([ended])
    assert parse_state(render_state(state), "x").intents == (other, ended)
    assert state.without_intents([INTENT.run]).intents == (other,)
    assert state.without_intents([]) is state


def test_interruptions_are_counted_for_the_latest_image_of_a_reference() -> None:
    state = State().counting([INTERRUPTION, replace(INTERRUPTION, platform=ARM64)])
    assert state.interrupted(WEB, AMD64, ID) == state.interrupted(WEB, ARM64, ID) == 1
    assert state.interrupted(WEB, AMD64, DIGEST) == state.interrupted(OTHER, AMD64, ID) == 0
    again = state.counting([replace(INTERRUPTION, times=2)])
    assert (again.interrupted(WEB, AMD64, ID), again.interruptions[0].too_often) == (2, False)
    assert again.interruptions[-1].too_often
    other = again.counting([replace(INTERRUPTION, id=DIGEST)])
    assert (other.interrupted(WEB, AMD64, ID), other.interrupted(WEB, AMD64, DIGEST)) == (0, 1)


def test_an_image_that_works_or_is_held_or_is_let_go_is_counted_no_more() -> None:
    state = State().counting([INTERRUPTION])
    assert state.arrived([OTHER]) is state
    assert state.arrived([WEB]).interruptions == ()
    assert state.lifted(WEB, AMD64).interruptions == ()
    assert state.holding(IMAGE_HOLD).interruptions == ()
    assert state.holding(replace(IMAGE_HOLD, id=DIGEST)).interruptions == (INTERRUPTION,)
