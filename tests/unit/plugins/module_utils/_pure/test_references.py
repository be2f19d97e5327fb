# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References: the grammar and the normalisation that podman has, and errors in the field's own words."""

from __future__ import annotations

import time
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import (
    InvalidReferenceError,
    Reference,
    is_digest,
    is_in_podmans_grammar,
)

_D = "sha256:" + "ab" * 32


class Parsed(t.NamedTuple):
    """A text, and what it says."""

    text: str
    registry: str
    path: str
    tag: str | None
    digest: str | None
    name: str


_PARSED = [
    Parsed("quay.io/team/app:1.2", "quay.io", "team/app", "1.2", None, "quay.io/team/app:1.2"),
    Parsed("quay.io/team/app", "quay.io", "team/app", "latest", None, "quay.io/team/app:latest"),
    Parsed("docker://quay.io/app:1", "quay.io", "app", "1", None, "quay.io/app:1"),
    Parsed("docker.io/nginx", "docker.io", "library/nginx", "latest", None, "docker.io/library/nginx:latest"),
    Parsed("docker.io/team/app", "docker.io", "team/app", "latest", None, "docker.io/team/app:latest"),
    Parsed("index.docker.io/nginx:1", "docker.io", "library/nginx", "1", None, "docker.io/library/nginx:1"),
    Parsed("localhost/app:dev", "localhost", "app", "dev", None, "localhost/app:dev"),
    Parsed("localhost:5000/app", "localhost:5000", "app", "latest", None, "localhost:5000/app:latest"),
    Parsed("registry:5000/a/b:c", "registry:5000", "a/b", "c", None, "registry:5000/a/b:c"),
    Parsed("10.0.0.1:5000/a", "10.0.0.1:5000", "a", "latest", None, "10.0.0.1:5000/a:latest"),
    Parsed("[::1]:5000/a/b:1", "[::1]:5000", "a/b", "1", None, "[::1]:5000/a/b:1"),
    Parsed("[fe80::1]/a", "[fe80::1]", "a", "latest", None, "[fe80::1]/a:latest"),
    Parsed("REGISTRY.example.com/a", "REGISTRY.example.com", "a", "latest", None, "REGISTRY.example.com/a:latest"),
    Parsed("app", "", "app", "latest", None, "app:latest"),
    Parsed("team/app:1", "", "team/app", "1", None, "team/app:1"),
    Parsed("a_b/c__d/e-f--g.h:UP", "", "a_b/c__d/e-f--g.h", "UP", None, "a_b/c__d/e-f--g.h:UP"),
    Parsed(f"quay.io/app@{_D}", "quay.io", "app", None, _D, f"quay.io/app@{_D}"),
    # L3, L11, L12: the tag beside a digest is remembered, and dropped from the name.
    Parsed(f"quay.io/app:1@{_D}", "quay.io", "app", "1", _D, f"quay.io/app@{_D}"),
    Parsed(f"localhost:5000/app:v1@{_D}", "localhost:5000", "app", "v1", _D, f"localhost:5000/app@{_D}"),
    Parsed("x:" + "t" * 128, "", "x", "t" * 128, None, "x:" + "t" * 128),
]


@pytest.mark.parametrize("case", _PARSED, ids=lambda case: case.text[:40])
def test_a_reference_is_read_and_normalised_as_podman_does(case: Parsed) -> None:
    found = Reference.parse(case.text)
    assert (found.registry, found.path, found.tag, found.digest) == case[1:5]
    assert found.name == case.name
    assert found.fully_qualified is bool(case.registry)


class Refused(t.NamedTuple):
    """A text that is none, and what the error says."""

    text: str
    said: str


_REFUSED = [
    Refused("", "invalid reference format"),
    Refused("#", "invalid reference format"),
    Refused("$$garbage", "invalid reference format"),
    Refused("/app", "invalid reference format"),
    Refused("app/", "invalid reference format"),
    Refused("a//b", "invalid reference format"),
    Refused("-a", "invalid reference format"),
    Refused("a___b", "invalid reference format"),
    Refused("a..b", "invalid reference format"),
    Refused("registry.com/$invalid", "invalid reference format"),
    Refused("under_score.example.com/a", "invalid reference format"),
    Refused("host:port/a", "invalid reference format"),
    Refused("[::1/a", "invalid reference format"),
    Refused("app\n", "invalid reference format"),
    Refused("docker://", "invalid reference format"),
    Refused("docker://docker://app", "invalid reference format"),
    Refused("docker-archive:/tmp/app.tar", "invalid reference format"),
    Refused("upperCase", "repository name must be lowercase"),
    Refused("quay.io/Team/app:1", "repository name must be lowercase"),
    Refused("quay.io/\u00c4pp", "repository name must be lowercase"),
    Refused("quay.io/\u00e4pp", "invalid reference format"),
    Refused("app:", "not a valid tag"),
    Refused("a:b:c", "not a valid tag"),
    Refused("app:.x", "not a valid tag"),
    Refused("app:x\n", "not a valid tag"),
    Refused("app:\u0661", "not a valid tag"),
    Refused("x:" + "t" * 129, "not a valid tag"),
    Refused("app@", "the digest must be sha256:"),
    Refused("app@sha256:aa", "the digest must be sha256:"),
    Refused("app@sha512:" + "ab" * 64, "the digest must be sha256:"),
    Refused("app@" + _D.upper(), "the digest must be sha256:"),
    Refused(f"app@{_D}@{_D}", "the digest must be sha256:"),
    Refused(f"app:@{_D}", "not a valid tag"),
    Refused(f"@{_D}", "invalid reference format"),
    Refused("a" * 513, "it is too long"),
    Refused("a" * 256, "repository name must not be more than 255 characters"),
    Refused("quay.io/" + "a" * 248, "repository name must not be more than 255 characters"),
    Refused("ab" * 32, "cannot specify 64-byte hexadecimal strings"),
]


@pytest.mark.parametrize("case", _REFUSED, ids=lambda case: repr(case.text[:40]))
def test_what_is_no_reference_is_refused_in_the_words_of_the_field(case: Refused) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse(case.text)
    assert case.said in str(caught.value)
    assert repr(case.text[:60])[:-1] in str(caught.value), "the message names the text"


@pytest.mark.parametrize(
    "piece", ["a", "a/", "a.", "a-", "a_", ":", "@", "/", ".", "docker://", "A", "\u00e4", "[", "0:"]
)
def test_hostile_length_costs_nothing(piece: str) -> None:
    """100 kB of any repeated piece: refused in milliseconds, with a message that does not repeat it all."""
    started = time.process_time()
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 2
    assert len(str(caught.value)) < 300


@given(st.text(max_size=600))
@example("a" * 255)
@example("a-" * 255 + "-")
@example("1." * 250 + "/A")
def test_any_text_is_a_reference_or_the_documented_error(text: str) -> None:
    try:
        found = Reference.parse(text)
    except InvalidReferenceError:
        return
    assert Reference.parse(found.name).name == found.name


_component = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,2})[a-z0-9]{1,6}){0,2}", fullmatch=True)
_host = st.one_of(
    st.just(""),
    st.just("localhost"),
    st.just("docker.io"),
    st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){1,3}(:[0-9]{1,5})?", fullmatch=True),
    st.from_regex(r"\[[a-f0-9:]{2,20}\](:[0-9]{1,5})?", fullmatch=True).filter(lambda host: ":" in host or "." in host),
)
_tag = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
_digest = st.none() | st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")


@given(_host, st.lists(_component, min_size=1, max_size=4), _tag, _digest)
def test_what_is_put_together_by_the_grammar_comes_back_apart(
    host: str, components: list[str], tag: str | None, digest: str | None
) -> None:
    path = "/".join(components)
    if not host and len(components) > 1 and ("." in components[0] or components[0] == "localhost"):
        return  # The first component is a registry then.
    text = (f"{host}/" if host else "") + path + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    found = Reference.parse(text)
    assert found.registry == host
    assert found.path == (f"library/{path}" if host == "docker.io" and len(components) == 1 else path)
    assert found.tag == (tag or (None if digest else "latest"))
    assert found.digest == digest
    assert Reference.parse(f"docker://{text}") == found
    assert found.matches(found.name)
    assert found.at(_D) == f"{found.repository}@{_D}"


class Match(t.NamedTuple):
    """Whether podman may have resolved one to the other."""

    written: str
    resolved: str
    expected: bool


_L = "quay.io/libpod/alpine"
_MATCHES = [
    # L1 and L2: short names, partial paths and the full name, each with its tag.
    *(Match(text, f"{_L}:latest", True) for text in ("alpine", "alpine:latest", "libpod/alpine", _L, f"{_L}:latest")),
    *(Match(f"{text}:wrongtag", f"{_L}:latest", False) for text in ("alpine", "libpod/alpine", _L)),
    # L3: a digest drops the tag beside it.
    *(Match(f"{text}@{_D}", f"{_L}@{_D}", True) for text in ("alpine", "alpine:wrongtag", "libpod/alpine:latest", _L)),
    Match("pine", f"{_L}:latest", False),
    Match("lib/alpine", f"{_L}:latest", False),
    Match("docker.io/alpine", "docker.io/library/alpine:latest", True),
    Match("alpine", "docker.io/library/alpine:latest", True),
    Match("app", "localhost/app:latest", True),
    Match("localhost/app", "quay.io/app:latest", False),
    Match("quay.io/app", "ghcr.io/app:latest", False),
    Match(f"app@{_D}", "localhost/app:latest", False),
    Match("app", "", False),
    Match("app", "NOT A NAME", False),
]


@pytest.mark.parametrize("case", _MATCHES, ids=lambda case: f"{case.written[:40]} {case.resolved[:30]}")
def test_a_written_reference_matches_what_podman_resolved_it_to(case: Match) -> None:
    assert Reference.parse(case.written).matches(case.resolved) is case.expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_D, True),
        (_D + "\n", False),
        (_D[:-1], False),
        (_D.upper(), False),
        ("ab" * 32, False),
        ("sha512:" + "ab" * 32, False),
        (None, False),
        (7, False),
        (_D.encode(), False),
    ],
)
def test_a_digest_is_sha256_and_64_lower_case_hex_digits(value: object, expected: bool) -> None:
    assert is_digest(value) is expected


class Local(t.NamedTuple):
    """A name as written, and as podman stores it where it tags or loads."""

    written: str
    stored: str


_STORED = [
    # L8 and L11: no registry means localhost here; a digest drops the tag; Docker Hub has its library.
    Local("foo", "localhost/foo:latest"),
    Local("docker.io/foo", "docker.io/library/foo:latest"),
    Local("quay.io/bar/foo:tag", "quay.io/bar/foo:tag"),
    Local("example.com/busybox", "example.com/busybox:latest"),
    Local("busybox:latest", "localhost/busybox:latest"),
    Local("ns/busybox:latest", "localhost/ns/busybox:latest"),
    Local("docker.io/busybox:latest", "docker.io/library/busybox:latest"),
    Local(f"example.com/busybox:tag@{_D}", f"example.com/busybox@{_D}"),
    # L12.
    Local(f"localhost:5000/fedora:v1@{_D}", f"localhost:5000/fedora@{_D}"),
    Local(f"fedora:v1@{_D}", f"localhost/fedora@{_D}"),
]


@pytest.mark.parametrize("case", _STORED, ids=lambda case: case.written[:40])
def test_what_is_tagged_or_loaded_is_stored_under_localhost_where_it_names_no_registry(case: Local) -> None:
    stored = Reference.parse(case.written).within("localhost")
    assert stored.name == case.stored
    assert stored.within("quay.io") is stored, "a registry that is named stays"


class Shown(t.NamedTuple):
    """A reference, as Docker shows it, and in full."""

    written: str
    familiar: str
    canonical: str


_SHOWN = [
    Shown("nginx", "nginx", "docker.io/library/nginx:latest"),
    Shown("docker.io/library/nginx:latest", "nginx", "docker.io/library/nginx:latest"),
    Shown("docker.io/nginx:1", "nginx:1", "docker.io/library/nginx:1"),
    Shown("team/app", "team/app", "docker.io/team/app:latest"),
    Shown("docker.io/library/team/app", "library/team/app", "docker.io/library/team/app:latest"),
    Shown("docker.io/a.b/app", "docker.io/a.b/app", "docker.io/a.b/app:latest"),
    Shown("quay.io/library/app", "quay.io/library/app", "quay.io/library/app:latest"),
    Shown(f"nginx:1@{_D}", f"nginx@{_D}", f"docker.io/library/nginx@{_D}"),
]


@pytest.mark.parametrize("case", _SHOWN, ids=lambda case: case.written[:40])
def test_a_reference_is_shown_short_and_in_full(case: Shown) -> None:
    found = Reference.parse(case.written)
    assert (found.familiar, found.canonical) == (case.familiar, case.canonical)
    assert Reference.parse(found.familiar).canonical == found.canonical


@given(_host, st.lists(_component, min_size=1, max_size=3), _tag, _digest)
def test_what_is_shown_names_the_same(host: str, components: list[str], tag: str | None, digest: str | None) -> None:
    path = "/".join(components)
    if not host and len(components) > 1 and ("." in components[0] or components[0] == "localhost"):
        return  # The first component is a registry then.
    text = (f"{host}/" if host else "") + path + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    found = Reference.parse(text)
    assert Reference.parse(found.canonical).canonical == found.canonical
    assert Reference.parse(found.familiar).canonical == found.canonical
    assert is_in_podmans_grammar(text) or host.startswith("["), "podman knows no IPv6 address here"


def test_the_longest_name_is_measured_with_what_normalisation_adds() -> None:
    assert Reference.parse("a" * 247).path == "a" * 247
    assert Reference.parse("docker.io/" + "a" * 237).repository == "docker.io/library/" + "a" * 237
    for text in ("docker.io/" + "a" * 238, "localhost/" + "a" * 246):
        with pytest.raises(InvalidReferenceError, match="more than 255 characters"):
            Reference.parse(text)
    with pytest.raises(InvalidReferenceError, match="more than 255 characters"):
        str(Reference.parse("a" * 247).canonical)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app", True),
        ("Foo/bar", True),
        ("under_score.example.com/a", True),
        ("ab" * 32, True),
        ("app@sha512:" + "ab" * 64, True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("Foo/Bar", False),
        ("Foo", False),
        ("app@sha512:ab", False),
        ("[::1]:5000/a", False),
        ("a:b:c", False),
        ("app\n", False),
        ("", False),
    ],
)
def test_podmans_grammar_is_a_little_wider(text: str, expected: bool) -> None:
    assert is_in_podmans_grammar(text) is expected
