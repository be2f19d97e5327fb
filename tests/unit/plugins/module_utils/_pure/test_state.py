# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers: written and read back, and refused when anything is not as this release writes it."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
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
IMAGE_HOLD = ImageHold(WEB, AMD64, ID, frozenset({DIGEST}))
USER_HOLD = UserHold(WEB)


@given(
    st.lists(st.sampled_from([IMAGE_HOLD, USER_HOLD, ImageHold(OTHER, ARM64, DIGEST)])),
    st.lists(st.dictionaries(st.text(), st.integers(0, 9) | st.text())),
    st.none() | st.dictionaries(st.text(), st.text()),
)
def test_what_was_written_is_read(
    holds: list[Hold], slots: list[dict[str, t.Any]], intent: dict[str, t.Any] | None
) -> None:
    written = render_state(State(tuple(holds), tuple(slots), intent))
    assert render_state(parse_state(written, "x")) == written
    assert parse_state(written, "x").holds == tuple(holds)


_GOOD: dict[str, t.Any] = json.loads(render_state(State((IMAGE_HOLD, USER_HOLD))))
_IMAGE, _USER = _GOOD["holds"]


def _holding(*holds: object) -> dict[str, t.Any]:
    return {**_GOOD, "holds": list(holds)}


_STRANGE: dict[str, object] = {
    "no object": [],
    "no schema": {},
    "an older schema": {**_GOOD, "schema": 0},
    "a schema that is no number": {**_GOOD, "schema": "1"},
    "one key less": {key: _GOOD[key] for key in ("schema", "holds", "slots")},
    "one key more": {**_GOOD, "more": 1},
    "holds that are no list": {**_GOOD, "holds": {}},
    "slots that are no objects": {**_GOOD, "slots": [1]},
    "an intent that is no object": {**_GOOD, "intent": []},
    "a hold by somebody else": _holding({**_USER, "by": "moon"}),
    "a hold with more": _holding({**_USER, "more": 1}),
    "a reference that is not normalised": _holding({**_USER, "reference": "docker.io/web"}),
    "a reference that is none": _holding({**_USER, "reference": "UPPER"}),
    "an ID that is none": _holding({**_IMAGE, "id": "ab"}),
    "digests that are none": _holding({**_IMAGE, "digests": ["ab"]}),
    "digests that are no list": _holding({**_IMAGE, "digests": DIGEST}),
    "a platform that is none": _holding({**_IMAGE, "platform": "linux"}),
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
    others = (UserHold(OTHER), ImageHold(WEB, ARM64, ID), ImageHold(OTHER, AMD64, ID))
    slots = ({"a": 1},)
    assert State((IMAGE_HOLD, USER_HOLD, *others), slots).lifted(WEB, AMD64) == State(others, slots)
