# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman's image filters: what podman would refuse, or silently find nothing by, is refused with a reason."""

from __future__ import annotations

import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_filters import checked

_ID = "ab" * 32


@pytest.mark.parametrize(
    "filter",
    [
        # F1 to F7.
        "reference=image",
        "reference=*mage*",
        "reference=image:*",
        "reference=localhost/image:tag",
        "reference=docker.io/library/image*",
        "reference=localhost/*mage:*ag",
        "reference!=alpine",
        f"reference=quay.io/a/b@sha256:{_ID}",
        "reference=app-[0-9]",
        "reference=app-[^a-z]?",
        "reference=a\\*b",
        # F8 and F9.
        "digest=sha256:abc",
        "digest!=sha256:abc",
        "id=ab12",
        f"id!={_ID}",
        # F10.
        "manifest=true",
        "manifest!=false",
        # F11.
        "after=quay.io/app:1",
        "since!=app",
        f"before={_ID}",
        "before=containers-storage:quay.io/app:1",
        "until=24h",
        "until!=1h30m",
        "until=1.5h",
        "until=-1h",
        "until=0",
        "until=10us",
        "until=1700000000",
        "until=1700000000.5",
        "until=2026-01-31",
        "until=2026-01-31Z",
        "until=2026-01-31T08",
        "until=2026-01-31T08:00",
        "until=2026-01-31T08:00:00.5+01:00",
        # F12.
        "label=version=1.2",
        "label!=version=1.2",
        "label=version",
        "label=a=b=c",
        "label!=a!=b",
        "label=with space=x y",
        "containers=false",
        "dangling=true",
        "intermediate=false",
        "readonly=true",
    ],
)
def test_what_podman_understands_is_passed_as_it_is(filter: str) -> None:
    assert checked([filter]) == (filter,)


@pytest.mark.parametrize(
    ("filter", "passed"),
    [
        ("dangling=1", "dangling=true"),
        ("dangling=False", "dangling=false"),
        ("manifest!=T", "manifest!=true"),
        # podman takes only true and false here.
        ("containers=0", "containers=false"),
        # podman would find nothing by it.
        (f"id=sha256:{_ID}", f"id={_ID}"),
    ],
)
def test_what_podman_spells_otherwise_is_passed_in_its_spelling(filter: str, passed: str) -> None:
    assert checked([filter]) == (passed,)


class Refused(t.NamedTuple):
    """A filter that is none, and a part of what is said."""

    filter: str
    said: str


_REFUSED = [
    Refused("", "is not KEY=VALUE or KEY!=VALUE"),
    Refused("dangling", "is not KEY=VALUE or KEY!=VALUE"),
    Refused("nosuch=1", "podman has no filter 'nosuch'; it has after, before, containers, dangling"),
    Refused("=x", "podman has no filter ''"),
    Refused("dangling =true", "podman has no filter 'dangling '"),
    # podman looks for != first.
    Refused("label=a!=b", "podman has no filter 'label=a'"),
    Refused("dangling=yes", "must be true or false"),
    Refused("dangling=", "must be true or false"),
    Refused("containers=external", "only when it prunes"),
    Refused("containers=x", "must be true or false"),
    Refused("id=", "hex digits that an image ID begins with"),
    Refused("id=xyz", "hex digits that an image ID begins with"),
    Refused("id=" + "a" * 65, "hex digits that an image ID begins with"),
    Refused("digest=this-is-not-a-digest", "must be sha256:"),
    Refused("digest=sha256:", "must be sha256:"),
    Refused("digest=ab", "must be sha256:"),
    Refused("label=", "name is missing"),
    Refused("label==x", "name is missing"),
    Refused("label=a=b,c", "a comma"),
    Refused('label=a="b"', "a comma or a double quote"),
    Refused("until=", "must be a time"),
    Refused("until=1d", "no days"),
    Refused("until=24H", "must be a time"),
    Refused("until=now", "must be a time"),
    Refused("until=-5", "must be a time"),
    Refused("until=1h-5m", "must be a time"),
    Refused("until=2026-01-31 08:00", "must be a time"),
    Refused("until=2026-02-30", "there is no such time"),
    Refused("until=2026-01-31T25", "there is no such time"),
    Refused("before=", "must name a local image"),
    Refused("before=Upper", "repository name must be lowercase"),
    Refused("since=oci:x", "names one elsewhere"),
    Refused("after=docker://app", "names one elsewhere"),
    Refused("before=sha256:aa", "no 64-byte hexadecimal value"),
    Refused("reference=", "must be a name or a pattern"),
    Refused("reference=[", "must be a name or a pattern"),
    Refused("reference=[]", "must be a name or a pattern"),
    Refused("reference=a\\", "must be a name or a pattern"),
    Refused("label=a\n", "cannot be printed"),
    Refused("label=a" + "b" * 2000, "too long"),
]


@pytest.mark.parametrize("case", _REFUSED, ids=lambda case: repr(case.filter[:40]))
def test_what_podman_does_not_understand_is_refused(case: Refused) -> None:
    with pytest.raises(InputError) as caught:
        checked(["dangling=true", case.filter])
    assert case.said in str(caught.value)
    assert str(caught.value).startswith("filters: ")
    assert str(caught.value).isprintable()


def test_two_that_contradict_each_other_are_refused() -> None:
    for key in ("containers", "dangling", "intermediate", "manifest", "readonly"):
        with pytest.raises(InputError, match=f"{key} is given more than once"):
            checked([f"{key}=true", f"{key}=0"])
        assert checked([f"{key}=true", f"{key}=1"]) == (f"{key}=true", f"{key}=true")
    assert len(checked(["label=a", "label=b", "reference=a", "reference=b"])) == 4


def test_there_is_an_end_to_how_many() -> None:
    with pytest.raises(InputError, match="at most 100"):
        checked(["label=a"] * 101)


_KEYS = st.sampled_from(["reference", "until", "label", "id", "digest", "before", "dangling", "x", ""])


@given(
    st.one_of(
        st.text(max_size=60), st.builds("{}{}{}".format, _KEYS, st.sampled_from(["=", "!="]), st.text(max_size=40))
    )
)
def test_any_text_passes_unchanged_in_meaning_or_is_an_input_error(text: str) -> None:
    try:
        (passed,) = checked([text])
    except InputError:
        return
    assert checked([passed]) == (passed,)
    assert "," not in passed
    assert passed.isprintable()


@pytest.mark.parametrize("piece", ["a", "[a", "[a-", "\\", "1h", "1", "*"])
@pytest.mark.parametrize("key", ["reference", "until", "label"])
def test_hostile_length_costs_nothing(key: str, piece: str) -> None:
    said = ""
    started = time.process_time()
    for length in (1000, 100_000):
        try:
            checked([f"{key}={piece * (length // len(piece))}"])
        except InputError as error:
            said = str(error)
    assert time.process_time() - started < 2
    assert 0 < len(said) < 1000, "the longer one is refused at the latest"
