# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds: what a person may write, what they match, and how many are kept."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.holds import (
    MOST_IMAGES,
    BadImage,
    Hold,
    ImageHold,
    UserHold,
    read_hold,
    with_image,
    written_hold,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import State

WEB, OTHER = "quay.io/team/web:1", "quay.io/team/other:1"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def _image(number: int, reference: str = WEB, platform: Platform = AMD64) -> ImageHold:
    return ImageHold(reference, platform, f"sha256:{number:064x}")


@pytest.mark.parametrize(
    ("given_", "unit", "reference", "held"),
    [
        ({"reference": WEB}, None, WEB, True),
        ({"reference": WEB}, "web.service", OTHER, False),
        ({"reference": "quay.io/team/web"}, None, "quay.io/team/web:latest", True),
        ({"reference": "docker.io/nginx"}, None, "docker.io/library/nginx:latest", True),
        ({"reference": "quay.io/team/*"}, None, OTHER, True),
        ({"reference": "quay.io/*:1"}, None, "quay.io/team/web:2", False),
        ({"unit": "web"}, "web.service", WEB, True),
        ({"unit": "web.service"}, "web.service", WEB, True),
        ({"unit": "we*"}, "db.service", WEB, False),
        ({"unit": "*"}, None, WEB, False),
        ({"unit": "web", "reference": OTHER}, "web.service", WEB, False),
        ({"unit": "web", "reference": WEB}, "web.service", WEB, True),
        ({"unit": "web", "reference": WEB}, None, WEB, False),
    ],
)
def test_who_is_held_by_a_person(given_: dict[str, str], unit: str | None, reference: str, held: bool) -> None:
    assert UserHold.parse(**given_).concerns(reference, AMD64, unit) is held


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({}, "neither a reference nor a unit"),
        ({"reason": "because"}, "neither a reference nor a unit"),
        ({"reference": "web"}, "does not name its registry"),
        ({"reference": "quay.io/UPPER"}, "lowercase"),
        ({"unit": "x" * 301}, "too long"),
        ({"unit": "web\n"}, "cannot be printed"),
        ({"unit": "web", "reason": "\x1b[2J"}, "cannot be printed"),
        ({"unit": "web", "until": "soon"}, "is not a time"),
    ],
)
def test_what_cannot_be_meant_is_refused(given_: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        UserHold.parse(**given_)


def test_a_hold_says_what_it_is() -> None:
    assert str(UserHold.parse(WEB, "web", "frozen for the sale", "2026-12-24")) == (
        f"{WEB} in web until 2026-12-24T00:00:00Z: frozen for the sale"
    )
    assert str(UserHold.parse(unit="web*")) == "everything in web*"


_TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)


@given(st.builds(dict, unit=_TEXT, reason=_TEXT, reference=st.sampled_from(["", WEB, "quay.io/[x]*"])))
def test_whatever_a_person_may_write_is_read_back(given_: dict[str, str]) -> None:
    try:
        hold = UserHold.parse(**given_)
    except InputError:
        return
    assert read_hold(written_hold(hold)) == hold


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from([WEB, OTHER]), st.sampled_from([AMD64, ARM64]))))
def test_images_are_held_once_and_the_newest_stay(drawn: list[tuple[int, str, Platform]]) -> None:
    person = UserHold(WEB)
    holds: tuple[Hold, ...] = (person,)
    for one in drawn:
        holds = with_image(holds, _image(*one))
        assert holds[-1] == _image(*one)
    assert person in holds
    for reference in (WEB, OTHER):
        for platform in (AMD64, ARM64):
            asked = [number for number, *where in drawn if where == [reference, platform]]
            newest = list(dict.fromkeys(reversed(asked)))[:MOST_IMAGES]
            kept = [one for one in holds if one.concerns(reference, platform, None) and one is not person]
            assert kept == [_image(number, reference, platform) for number in reversed(newest)]


class TestBadImages:
    """Images that failed on other hosts."""

    WEB = "quay.io/team/web:1"
    IMAGE, DIGEST = f"sha256:{'ab' * 32}", f"sha256:{'cd' * 32}"
    HOST, NOON = Platform("linux", "amd64"), datetime(2026, 11, 21, 12, tzinfo=timezone.utc)

    def test_they_become_holds_of_this_host(self) -> None:
        bad = BadImage.parse("docker.io/web", self.IMAGE, [self.DIGEST], "linux/arm64", "unhealthy on web-1")
        arm = Platform("linux", "arm64")
        digests = frozenset({self.DIGEST})
        name = "docker.io/library/web:latest"
        assert bad.hold(self.HOST, self.NOON) == ImageHold(
            name, arm, self.IMAGE, digests, "", "unhealthy on web-1", self.NOON
        )
        assert BadImage.parse(self.WEB, self.IMAGE).hold(self.HOST, self.NOON).platform == self.HOST

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"id": "ab"}, "must be sha256: and 64 hex digits"),
            ({"digests": ["x"]}, "must be sha256: and 64 hex digits"),
            ({"reference": "UPPER"}, "bad_images: .*UPPER"),
            ({"reference": "web"}, "does not name its registry"),
            ({"platform": "linux"}, "bad_images: 'linux' is not a platform"),
            ({"reason": "a\nb"}, "cannot be printed"),
            ({"reason": "x" * 301}, "too long"),
        ],
    )
    def test_what_cannot_be_meant(self, given: dict[str, t.Any], said: str) -> None:
        with pytest.raises(InputError, match=said):
            BadImage.parse(**{"reference": self.WEB, "id": self.IMAGE, **given})

    def test_what_is_held_already_changes_nothing(self) -> None:
        bad = BadImage.parse(self.WEB, self.IMAGE, [self.DIGEST])
        state = State().knowing(bad.hold(self.HOST, self.NOON))
        later = self.NOON.replace(hour=13)
        assert state.knowing(bad.hold(self.HOST, later)) is state
        assert state.knowing(BadImage.parse(self.WEB, self.IMAGE).hold(self.HOST, later)) is state
        more = state.knowing(BadImage.parse(self.WEB, self.IMAGE, [self.IMAGE]).hold(self.HOST, later))
        (hold,) = more.holds
        assert isinstance(hold, ImageHold)
        assert hold.digests == {self.DIGEST, self.IMAGE}
