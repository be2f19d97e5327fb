# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials: the keys of an authfile, the most specific first; and passwords that nobody sees by accident."""

from __future__ import annotations

import base64
import contextlib
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import (
    Credential,
    CredentialBook,
    load_authfile,
    parse_authfile,
    registry_key,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_SECRET = "tr0ub4dor"


def _book(*keys: str) -> CredentialBook:
    """A book in which each key's user is called like the key."""
    return CredentialBook({key: Credential(key, _SECRET) for key in keys})


def _user(book: CredentialBook, text: str) -> str | None:
    found = book.for_reference(Reference.parse(text))
    return found.username if found else None


class Lookup(t.NamedTuple):
    """The keys of a book, a reference, and the key that it gets."""

    keys: tuple[str, ...]
    reference: str
    expected: str | None


_LOOKUPS = [
    Lookup(("quay.io",), "quay.io/team/app:1", "quay.io"),
    Lookup(("quay.io", "quay.io/team"), "quay.io/team/app:1", "quay.io/team"),
    Lookup(("quay.io/team/app", "quay.io/team", "quay.io"), "quay.io/team/app", "quay.io/team/app"),
    Lookup(("quay.io/team",), "quay.io/teams/app", None),
    Lookup(("quay.io/team",), "quay.io/other/app", None),
    Lookup(("quay.io/team/app/more",), "quay.io/team/app", None),
    Lookup(("quay.io",), "quay.io:443/app", None),
    Lookup(("localhost:5000",), "localhost:5000/app", "localhost:5000"),
    Lookup(("docker.io",), "docker.io/nginx", "docker.io"),
    Lookup(("docker.io/library",), "docker.io/nginx", "docker.io/library"),
    Lookup((), "quay.io/app", None),
]


@pytest.mark.parametrize("case", _LOOKUPS, ids=lambda case: f"{case.keys} {case.reference}")
def test_the_most_specific_key_wins(case: Lookup) -> None:
    assert _user(_book(*case.keys), case.reference) == case.expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("index.docker.io/v1/", "docker.io"),
        ("https://registry-1.docker.io/v2/", "docker.io"),
        ("docker.io", "docker.io"),
        ("docker.io/library/nginx", "docker.io/library/nginx"),
        ("https://registry.example.com", "registry.example.com"),
        ("https://registry.example.com/v2/", "registry.example.com"),
        ("http://localhost:5000/v1/", "localhost:5000"),
        ("registry.example.com/", "registry.example.com"),
        # Without a scheme it is a repository, and v2 is a name like any other.
        ("registry.example.com/v2", "registry.example.com/v2"),
        ("registry.example.com/team", "registry.example.com/team"),
        ("", ""),
    ],
)
def test_keys_are_normalised_from_what_podman_and_docker_write(text: str, expected: str) -> None:
    assert registry_key(text) == expected


class Laid(t.NamedTuple):
    """One book over another, a reference, and whose credential it gets."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    reference: str
    expected: str | None


_LAID = [
    Laid(("quay.io",), ("quay.io/team/app",), "quay.io/team/app", "above quay.io"),
    Laid(("quay.io",), ("quay.io",), "quay.io/app", "above quay.io"),
    Laid(("quay.io/team",), ("quay.io",), "quay.io/team/app", "above quay.io/team"),
    Laid(("quay.io/team",), ("quay.io",), "quay.io/other/app", "below quay.io"),
    Laid(("quay.io/team",), ("quay.io/teams",), "quay.io/teams/app", "below quay.io/teams"),
    Laid(("ghcr.io",), ("quay.io",), "quay.io/app", "below quay.io"),
    Laid((), ("quay.io",), "quay.io/app", "below quay.io"),
    Laid(("quay.io",), (), "ghcr.io/app", None),
]


@pytest.mark.parametrize("case", _LAID, ids=lambda case: f"{case.above} over {case.below} {case.reference}")
def test_a_key_hides_every_key_below_it_in_the_other_book(case: Laid) -> None:
    above = CredentialBook({key: Credential(f"above {key}", _SECRET) for key in case.above})
    below = CredentialBook({key: Credential(f"below {key}", _SECRET) for key in case.below})
    assert _user(above.over(below), case.reference) == case.expected


def _auth(text: str | bytes) -> dict[str, str]:
    return {"auth": base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()}


def test_an_authfile_is_read_as_podman_login_writes_it() -> None:
    text = json.dumps({"auths": {"quay.io": _auth("me:a:b"), "https://index.docker.io/v1/": _auth("you:\u00e4")}})
    entries = parse_authfile(text, "x").entries
    assert entries == {"quay.io": Credential("me", "a:b"), "docker.io": Credential("you", "\u00e4")}


@pytest.mark.parametrize(
    "value",
    [
        {},
        None,
        [],
        "text",
        {"auth": None},
        {"auth": 7},
        {"auth": ""},
        {"auth": "not base64!"},
        {"auth": "\u00e4\u00e4\u00e4\u00e4"},
        {"auth": "YQ"},
        _auth("no colon"),
        _auth(":no user"),
        _auth(b"\xff\xfe:x"),
    ],
)
def test_entries_that_hold_no_password_are_left_out(value: object) -> None:
    text = json.dumps({"auths": {"bad.example.com": value, "quay.io": _auth("me:pw")}})
    assert list(parse_authfile(text, "x").entries) == ["quay.io"]


def test_the_padding_that_docker_leaves_is_no_part_of_a_password() -> None:
    assert parse_authfile(json.dumps({"auths": {"a": _auth("me:pw\0\0")}}), "x").entries["a"].password == "pw"


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"auths": null}', '{"auths": []}', '{"credHelpers": {"a": "b"}}'])
def test_an_authfile_may_hold_no_credentials(text: str) -> None:
    assert parse_authfile(text, "x").entries == {}


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "{", "7", "[" * 100_000, f'{{"auths": {_SECRET}'])
def test_what_is_no_authfile_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InputError) as caught:
        load_authfile(text, "/etc/auth.json")
    assert str(caught.value).startswith("/etc/auth.json is not a JSON object")
    assert _SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_password_shows_where_objects_are_printed() -> None:
    credential = Credential("me", _SECRET)
    shown = [repr(credential), str(credential), repr(CredentialBook({"a": credential})), f"{credential}"]
    assert not [text for text in shown if _SECRET in text or credential.basic() in text]


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters=":"), min_size=1),
    st.text(alphabet=st.characters(codec="utf-8")),
)
def test_what_is_written_for_podman_is_read_back(username: str, password: str) -> None:
    if password.endswith("\0"):
        return  # Docker's padding.
    credential = Credential(username, password)
    text = json.dumps({"auths": {"quay.io": {"auth": credential.basic()}}})
    assert parse_authfile(text, "x").entries == {"quay.io": credential}


@given(st.text(max_size=100))
def test_any_text_is_an_authfile_or_the_documented_error(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_authfile(text, "x")
