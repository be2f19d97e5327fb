# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authfiles: what they say of a repository, as podman reads them; and one file in place of several."""

from __future__ import annotations

import base64
import contextlib
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.authfiles import (
    Authfile,
    HelperCall,
    parse_authfile,
    render,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential, CredentialBook
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_SECRET = "tr0ub4dor"
_APP = Reference.parse("quay.io/team/app:1")


def _auth(text: str | bytes, **more: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode(), **more}


def _file(document: object, *, legacy: bool = False) -> Authfile:
    return parse_authfile(json.dumps(document), "x", legacy=legacy)


class Said(t.NamedTuple):
    """A file, a repository, and the user that podman 4.3.1 and 5.4.2 were both seen to take from it."""

    why: str
    document: dict[str, t.Any]
    user: str | None
    reference: str = "quay.io/team/app"
    legacy: bool = False


_SAID = [
    Said("the host", {"auths": {"quay.io": _auth("me:x")}}, "me"),
    Said("the most specific", {"auths": {"quay.io": _auth("a:x"), "quay.io/team": _auth("b:x")}}, "b"),
    Said("an entry without secret hides", {"auths": {"quay.io": _auth("a:x"), "quay.io/team": {}}}, None),
    Said("a URL with the API's path", {"auths": {"https://quay.io/v2/": _auth("me:x")}}, "me"),
    Said("a URL stands for its host", {"auths": {"https://quay.io/other": _auth("me:x")}}, "me"),
    Said("a plain key before a URL", {"auths": {"https://quay.io/": _auth("a:x"), "quay.io": _auth("b:x")}}, "b"),
    Said("a plain key is a repository", {"auths": {"quay.io/v2/": _auth("me:x")}}, None),
    Said("another host", {"auths": {"quay.io:443": _auth("me:x")}}, None),
    Said("another namespace", {"auths": {"quay.io/teams": _auth("me:x")}}, None),
    Said("Docker Hub", {"auths": {"https://index.docker.io/v1/": _auth("me:x")}}, "me", "docker.io/nginx"),
    Said("Docker Hub's other name", {"auths": {"docker.io": _auth("me:x")}}, "me", "docker.io/nginx"),
    Said("a legacy file", {"https://quay.io/v1/": _auth("me:x")}, "me", legacy=True),
    Said("a legacy file knows hosts only", {"quay.io": _auth("a:x"), "quay.io/team": _auth("b:x")}, "a", legacy=True),
]


@pytest.mark.parametrize("case", _SAID, ids=lambda case: case.why)
def test_what_podman_finds_is_found(case: Said) -> None:
    found = _file(case.document, legacy=case.legacy).find(Reference.parse(case.reference))
    assert found is None or isinstance(found, Credential)
    assert (found.username if found else None) == case.user


def test_a_helper_comes_before_all_entries_of_its_host() -> None:
    file = _file({"auths": {"quay.io/team": _auth("me:x")}, "credHelpers": {"quay.io": "secretservice"}})
    assert file.find(_APP) == HelperCall("secretservice", "quay.io")
    assert file.find(Reference.parse("ghcr.io/app")) is None


def test_a_helper_is_asked_for_the_name_that_the_file_gives_the_host() -> None:
    file = _file({"credHelpers": {"https://index.docker.io/v1/": "pass", "gcr.io": 7, "ghcr.io": ""}})
    assert file.find(Reference.parse("docker.io/nginx")) == HelperCall("pass", "https://index.docker.io/v1/")
    assert file.find(Reference.parse("gcr.io/app")) is None
    assert file.find(Reference.parse("ghcr.io/app")) is None


@pytest.mark.parametrize(
    ("reference", "server"), [("quay.io/app", "quay.io"), ("docker.io/nginx", "https://index.docker.io/v1/")]
)
def test_a_store_is_asked_for_what_docker_calls_the_host(reference: str, server: str) -> None:
    file = _file({"credsStore": "desktop"})
    assert file.find(Reference.parse(reference)) is None
    assert file.find_in_store(Reference.parse(reference)) == HelperCall("desktop", server, optional=True)


@pytest.mark.parametrize("store", [None, "", 7, ["x"]])
def test_what_names_no_store_names_none(store: object) -> None:
    assert _file({"credsStore": store}).find_in_store(_APP) is None


def test_an_identity_token_stands_beside_the_user() -> None:
    file = _file(
        {"auths": {"quay.io": _auth("me:", identitytoken=_SECRET), "ghcr.io": _auth("you:x", identitytoken="")}}
    )
    assert file.auths == {"quay.io": Credential("me", "", _SECRET), "ghcr.io": Credential("you", "x")}


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
        {"identitytoken": "x"},
        _auth("no colon"),
        _auth(":no user"),
        _auth(b"\xff\xfe:x"),
    ],
)
def test_entries_that_hold_no_password_hold_nothing(value: object) -> None:
    file = _file({"auths": {"bad.example.com": value, "quay.io": _auth("me:pw")}})
    assert file.auths == {"bad.example.com": None, "quay.io": Credential("me", "pw")}


def test_the_padding_that_docker_leaves_is_no_part_of_a_password() -> None:
    assert _file({"auths": {"a": _auth("me:pw\0\0")}}).auths == {"a": Credential("me", "pw")}


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"auths": null}', '{"auths": []}', '{"credHelpers": [1]}'])
def test_an_authfile_may_hold_no_credentials(text: str) -> None:
    assert parse_authfile(text, "x") == Authfile()


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "{", "7", "[" * 100_000, f'{{"auths": {_SECRET}'])
def test_what_is_no_authfile_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_authfile(text, "/etc/auth.json")
    assert str(caught.value).startswith("/etc/auth.json is not a JSON object")
    assert _SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


# One file for podman.

_users = st.text(alphabet=st.characters(codec="utf-8", exclude_characters=":"), min_size=1)
_texts = st.text(alphabet=st.characters(codec="utf-8")).filter(lambda text: text == text.strip("\0"))
_keys = st.sampled_from(["quay.io", "quay.io/team", "quay.io/team/app", "docker.io", "ghcr.io"])
_references = st.sampled_from(["quay.io/team/app", "quay.io/x", "docker.io/nginx", "ghcr.io/a"])


@given(_users, _texts, st.none() | _texts.filter(bool))
def test_what_is_written_for_podman_is_read_back(username: str, password: str, token: str | None) -> None:
    credential = Credential(username, password, token)
    text = render(CredentialBook({"quay.io": credential}), [])
    assert parse_authfile(text, "x").auths == {"quay.io": credential}


def test_a_token_without_a_user_gets_one_that_podman_reads() -> None:
    text = render(CredentialBook({"quay.io": Credential("", "", _SECRET)}), [])
    assert parse_authfile(text, "x").auths == {"quay.io": Credential("<token>", "", _SECRET)}


@given(st.sets(_keys), st.sets(_keys), st.sets(_keys), _references)
def test_one_file_says_what_several_say_one_after_the_other(
    own: set[str], first: set[str], second: set[str], reference: str
) -> None:
    book = CredentialBook({key: Credential(f"own {key}", _SECRET) for key in own})
    files = [
        Authfile({key: Credential(f"{n} {key}", _SECRET) for key in keys}) for n, keys in enumerate((first, second))
    ]
    parsed = Reference.parse(reference)
    one_by_one = [book.for_reference(parsed), *(file.find(parsed) for file in files)]
    assert parse_authfile(render(book, files), "x").find(parsed) == next(filter(None, one_by_one), None)


def test_helpers_stay_where_nothing_before_them_knows_their_host() -> None:
    calls = {host: HelperCall("pass", host) for host in ("quay.io", "gcr.io", "ghcr.io")}
    files = [Authfile({"ghcr.io/team": Credential("me", "x")}), Authfile(helpers=calls)]
    text = render(CredentialBook({"quay.io/team": Credential("task", _SECRET)}), files)
    assert json.loads(text)["credHelpers"] == {"gcr.io": "pass"}


def test_an_entry_that_hides_goes_on_hiding() -> None:
    text = render(CredentialBook({}), [Authfile({"quay.io/team": None, "quay.io": Credential("me", "x")})])
    assert parse_authfile(text, "x").find(_APP) is None


# Whatever a file holds.

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_likely = st.sampled_from(["auths", "credHelpers", "credsStore", "quay.io", "https://quay.io", "auth", "identitytoken"])
_documents = st.recursive(
    st.dictionaries(_likely, _json | st.just(_auth("me:x")), max_size=4),
    lambda inner: st.dictionaries(_likely, inner, max_size=4),
    max_leaves=8,
)


@given(st.text(max_size=100) | _json.map(json.dumps) | _documents.map(json.dumps), st.booleans())
def test_any_text_is_an_authfile_or_the_documented_error(text: str, legacy: bool) -> None:
    with contextlib.suppress(InputError):
        file = parse_authfile(text, "x", legacy=legacy)
        found = file.find(_APP)
        assert found is None or isinstance(found, (Credential, HelperCall))
        file.find_in_store(_APP)
        parse_authfile(render(CredentialBook({}), [file]), "x")
