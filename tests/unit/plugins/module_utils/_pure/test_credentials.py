# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials: the keys of an authfile, the most specific first; and passwords that nobody sees by accident."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import (
    Credential,
    CredentialBook,
    host_of,
    must_be_distinct,
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io/library/nginx", "docker.io"),
        ("http://localhost:5000/v1/", "localhost:5000"),
        ("quay.io/team", "quay.io"),
        ("", ""),
    ],
)
def test_the_host_of_a_key(text: str, expected: str) -> None:
    assert host_of(text) == expected


@pytest.mark.parametrize(
    ("key", "hidden"),
    [("quay.io/team", True), ("quay.io/team/app", True), ("quay.io", False), ("quay.io/teams", False), ("", False)],
)
def test_a_key_hides_itself_and_all_below(key: str, hidden: bool) -> None:
    assert _book("quay.io/team").hides(key) is hidden


def test_no_password_shows_where_objects_are_printed() -> None:
    credential = Credential("me", _SECRET, _SECRET)
    shown = [repr(credential), str(credential), repr(CredentialBook({"a": credential})), f"{credential}"]
    assert not [text for text in shown if _SECRET in text or credential.basic() in text]


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (("quay.io", "quay.io"), "quay.io"),
        (("quay.io/team", "other.io", "https://quay.io/team/"), "quay.io/team"),
        (("localhost:5000", "localhost:5000/"), "localhost:5000"),
        (("docker.io", "https://index.docker.io/v1/"), "docker.io"),
        ((f"https://me:{_SECRET}@quay.io", f"me:{_SECRET}@quay.io"), "quay.io"),
        (("quay.io\n", "quay.io\n"), "quay.io"),
    ],
)
def test_two_credentials_for_one_registry_are_refused_without_a_secret(texts: tuple[str, ...], named: str) -> None:
    with pytest.raises(InputError, match=f"^rollout_credentials: two entries are for {named}") as refused:
        must_be_distinct(texts, "rollout_credentials")
    assert _SECRET not in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_registry_its_ports_and_what_is_in_it_are_different_keys() -> None:
    must_be_distinct(("quay.io", "quay.io:443", "quay.io/team", "quay.io/team/app", "quay.io/teams", "docker.io", "io"))
    must_be_distinct(())
