# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images: references, IDs and transports, and that none of them is taken for another."""

from __future__ import annotations

import time
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import (
    ImageId,
    Source,
    Transport,
    is_pulled_by_id,
    parse_image_name,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference

_HEX = "ab" * 32
_D = f"sha256:{_HEX}"


class Named(t.NamedTuple):
    """A text, and the canonical name of the reference that it is."""

    text: str
    name: str


_REFERENCES = [
    # P2: docker:// never goes through the resolution of short names.
    Named("docker://alpine", "docker.io/library/alpine:latest"),
    Named("docker://docker.io/library/alpine", "docker.io/library/alpine:latest"),
    Named("docker://team/app:1", "docker.io/team/app:1"),
    Named("docker://quay.io/team/app", "quay.io/team/app:latest"),
    Named("docker.io/alpine", "docker.io/library/alpine:latest"),
    Named("alpine", "alpine:latest"),
    # P3: the tag beside a digest is not part of the name.
    Named(f"quay.io/libpod/alpine@{_D}", f"quay.io/libpod/alpine@{_D}"),
    Named(f"quay.io/libpod/alpine:pleaseignorethistag@{_D}", f"quay.io/libpod/alpine@{_D}"),
    Named(f"docker://alpine:1@{_D}", f"docker.io/library/alpine@{_D}"),
    # Names that look like a transport and are none.
    Named("docker:latest", "docker:latest"),
    Named("tarball:x", "tarball:x"),
    Named("ostree:x", "ostree:x"),
    Named("atomic:x", "atomic:x"),
    Named("oci", "oci:latest"),
    Named("dir/app", "dir/app:latest"),
    Named("quay.io/oci:x", "quay.io/oci:x"),
    # Names that look like an ID and are none.
    Named("ab12", "ab12:latest"),
    Named("ab" * 31, "ab" * 31 + ":latest"),
    Named("z" * 64, "z" * 64 + ":latest"),
    Named("sha256", "sha256:latest"),
    Named(f"sha256:tag@{_D}", f"sha256@{_D}"),
]


@pytest.mark.parametrize("case", _REFERENCES, ids=lambda case: case.text[:48])
def test_a_reference_is_known_as_one(case: Named) -> None:
    found = parse_image_name(case.text)
    assert isinstance(found, Reference)
    assert found.name == case.name


def test_the_tag_beside_a_digest_is_remembered() -> None:
    found = parse_image_name(f"docker://quay.io/app:1.2@{_D}")
    assert isinstance(found, Reference)
    assert (found.tag, found.digest) == ("1.2", _D)


@pytest.mark.parametrize("text", [_D, _HEX])
def test_64_hex_digits_are_an_id(text: str) -> None:
    assert parse_image_name(text) == ImageId(_D)


_SOURCES = [
    ("containers-storage:quay.io/a/b:1", Source(Transport.CONTAINERS_STORAGE, selector="quay.io/a/b:1")),
    (f"containers-storage:@{_HEX}", Source(Transport.CONTAINERS_STORAGE, selector=f"@{_HEX}")),
    (f"containers-storage:app@{_D}", Source(Transport.CONTAINERS_STORAGE, selector=f"app@{_D}")),
    (f"containers-storage:app@{_D}@{_HEX}", Source(Transport.CONTAINERS_STORAGE, selector=f"app@{_D}@{_HEX}")),
    ("docker-daemon:app:1", Source(Transport.DOCKER_DAEMON, selector="app:1")),
    ("docker-daemon:localhost:5000/app:1", Source(Transport.DOCKER_DAEMON, selector="localhost:5000/app:1")),
    (f"docker-daemon:{_D}", Source(Transport.DOCKER_DAEMON, selector=_D)),
    (f"docker-daemon:app@{_D}", Source(Transport.DOCKER_DAEMON, selector=f"app@{_D}")),
    ("docker-archive:x", Source(Transport.DOCKER_ARCHIVE, "x")),
    ("docker-archive:/srv/My Images/a.tar", Source(Transport.DOCKER_ARCHIVE, "/srv/My Images/a.tar")),
    ("docker-archive:a.tar:app:1", Source(Transport.DOCKER_ARCHIVE, "a.tar", "app:1")),
    ("docker-archive:a.tar:localhost:5000/app", Source(Transport.DOCKER_ARCHIVE, "a.tar", "localhost:5000/app")),
    ("docker-archive:a.tar:@0", Source(Transport.DOCKER_ARCHIVE, "a.tar", index=0)),
    ("oci:x", Source(Transport.OCI, "x")),
    ("oci:/srv/l@y!out:1.0", Source(Transport.OCI, "/srv/l@y!out", "1.0")),
    ("oci:x:quay.io/a/B:1", Source(Transport.OCI, "x", "quay.io/a/B:1")),
    ("oci:x:", Source(Transport.OCI, "x")),
    ("oci-archive:x.tar:@3", Source(Transport.OCI_ARCHIVE, "x.tar", index=3)),
    # P4, and a colon in the path, which dir: has no other use for.
    ("dir:/srv/scratch-dir-5pec!@L", Source(Transport.DIR, "/srv/scratch-dir-5pec!@L")),
    ("dir:/srv/a:b", Source(Transport.DIR, "/srv/a:b")),
    ("dir:latest", Source(Transport.DIR, "latest")),
]


@pytest.mark.parametrize(("text", "source"), _SOURCES, ids=lambda value: str(value)[:40])
def test_a_transport_is_known_as_one(text: str, source: Source) -> None:
    assert parse_image_name(text) == source
    assert parse_image_name(str(source)) == source


class Refused(t.NamedTuple):
    """A text that is no name, why, and a part of what is said."""

    text: str
    reason: Reason
    said: str


_REFUSED = [
    # P1: never taken for a repository of a registry.
    Refused("docker-daemon:alpine", Reason.BAD_REFERENCE, "it has neither a tag nor a digest"),
    Refused("docker-daemon:", Reason.BAD_REFERENCE, "invalid reference format"),
    Refused(f"docker-daemon:{_HEX}", Reason.BAD_REFERENCE, "64-byte hexadecimal"),
    Refused("docker-daemon:sha256:aa", Reason.BAD_REFERENCE, "must be 64 hex digits"),
    Refused(f"docker-daemon:app:1@{_D}", Reason.BAD_REFERENCE, "both a tag and a digest"),
    Refused("docker-daemon:Upper:1", Reason.BAD_REFERENCE, "must be lowercase"),
    Refused("docker-archive:", Reason.BAD_REFERENCE, "the path is missing"),
    Refused("docker-archive::app:1", Reason.BAD_REFERENCE, "the path is missing"),
    Refused("docker-archive:x:", Reason.BAD_REFERENCE, "invalid reference format"),
    Refused("docker-archive:x:Upper", Reason.BAD_REFERENCE, "must be lowercase"),
    Refused("docker-archive:x:@-1", Reason.BAD_REFERENCE, "is not an index"),
    Refused("docker-archive:x:@", Reason.BAD_REFERENCE, "is not an index"),
    Refused("docker-archive:x:@\u0661", Reason.BAD_REFERENCE, "is not an index"),
    Refused("docker-archive:x:@" + "9" * 5000, Reason.BAD_REFERENCE, "is not an index"),
    Refused(f"docker-archive:x:app@{_D}", Reason.BAD_REFERENCE, "not by a digest"),
    Refused("oci:", Reason.BAD_REFERENCE, "the path is missing"),
    Refused("oci:x:no such name", Reason.BAD_REFERENCE, "is not the name of an image"),
    Refused("oci-archive:x:!", Reason.BAD_REFERENCE, "is not the name of an image"),
    Refused("dir:", Reason.BAD_REFERENCE, "the path is missing"),
    Refused("dir:a\0b", Reason.BAD_REFERENCE, "null byte"),
    Refused("dir:" + "a" * 5000, Reason.BAD_REFERENCE, "too long"),
    Refused("containers-storage:", Reason.BAD_REFERENCE, "invalid reference format"),
    Refused("containers-storage:app@", Reason.BAD_REFERENCE, "a digest or a full image ID"),
    Refused("containers-storage:app@ab", Reason.BAD_REFERENCE, "a digest or a full image ID"),
    Refused("containers-storage:Upper", Reason.BAD_REFERENCE, "must be lowercase"),
    Refused("containers-storage:[overlay@/x]app", Reason.UNSUPPORTED_TRANSPORT, "another store"),
    Refused("sif:x", Reason.UNSUPPORTED_TRANSPORT, "these can: docker, containers-storage"),
    Refused("docker:", Reason.BAD_REFERENCE, "not a valid tag"),
    Refused("docker://", Reason.BAD_REFERENCE, "invalid reference format"),
    Refused("docker://Foo", Reason.BAD_REFERENCE, "must be lowercase"),
    Refused("docker://" + "a" * 250, Reason.BAD_REFERENCE, "more than 255 characters"),
    # L4.
    Refused("sha256:aa", Reason.BAD_ID, "no 64-byte hexadecimal value"),
    Refused(_D.upper().replace("SHA", "sha"), Reason.BAD_ID, "no 64-byte hexadecimal value"),
    Refused(_D + "0", Reason.BAD_ID, "no 64-byte hexadecimal value"),
    Refused("sha256:5/app", Reason.BAD_ID, "no 64-byte hexadecimal value"),
    Refused(f"sha256:5/app@{_D}", Reason.BAD_ID, "no 64-byte hexadecimal value"),
    Refused("sha256:", Reason.BAD_REFERENCE, "not a valid tag"),
    Refused("sha256:a:b", Reason.BAD_REFERENCE, "not a valid tag"),
    Refused("AB" * 32, Reason.BAD_REFERENCE, "must be lowercase"),
    Refused("upperCase", Reason.BAD_REFERENCE, "must be lowercase"),
    Refused("a:b:c", Reason.BAD_REFERENCE, "not a valid tag"),
    Refused("", Reason.BAD_REFERENCE, "invalid reference format"),
    Refused("#", Reason.BAD_REFERENCE, "invalid reference format"),
]


@pytest.mark.parametrize("case", _REFUSED, ids=lambda case: repr(case.text[:40]))
def test_what_is_no_name_is_refused_and_never_falls_through(case: Refused) -> None:
    with pytest.raises(ImageError) as caught:
        parse_image_name(case.text)
    assert caught.value.reason is case.reason
    assert case.said in str(caught.value)
    assert len(str(caught.value)) < 1000


_PIECES = [
    "docker://",
    "oci:",
    "dir:",
    "docker-archive:",
    "containers-storage:",
    "sha256:",
    ":",
    "@",
    "/",
    _HEX,
    "a",
    "A.b",
]


@given(st.one_of(st.text(max_size=120), st.lists(st.sampled_from(_PIECES), max_size=6).map("".join)))
@example("containers-storage:@")
@example(f"containers-storage:@{_D}")
@example("docker-archive:x:@00")
def test_any_text_is_a_name_or_an_image_error_and_names_come_back(text: str) -> None:
    found, reason = None, None
    try:
        found = parse_image_name(text)
    except ImageError as error:
        reason = error.reason
    if found is None:
        assert reason in (Reason.BAD_REFERENCE, Reason.BAD_ID, Reason.UNSUPPORTED_TRANSPORT)
        return
    if isinstance(found, ImageId):
        assert parse_image_name(found.id) == found
    elif isinstance(found, Source):
        assert parse_image_name(str(found)) == found
    else:
        again = parse_image_name(found.name)
        assert isinstance(again, Reference)
        assert again.name == found.name


@pytest.mark.parametrize("piece", ["a", "a.", "-", "--a", "a:", "@", "a/", "A+"])
@pytest.mark.parametrize(
    "transport", ["", "oci:x:", "docker-archive:x:", "containers-storage:", "docker-daemon:", "dir:"]
)
def test_hostile_length_costs_nothing(transport: str, piece: str) -> None:
    started = time.process_time()
    with pytest.raises(ImageError) as caught:
        parse_image_name(transport + piece * (100_000 // len(piece)))
    assert time.process_time() - started < 2
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_D, True),
        (_HEX, True),
        ("sha256:aa", True),
        ("z" * 64, True),
        ("-" * 64, True),
        ("z" * 63, False),
        ("z" * 62 + ":1", False),
        ("z" * 62 + "/1", False),
        ("ab12", False),
        ("quay.io/app", False),
        ("oci:" + "x" * 60, False),
        (f"docker://{_D}", False),
    ],
)
def test_what_podman_pulls_by_id_is_more_than_ids(text: str, expected: bool) -> None:
    assert is_pulled_by_id(text) is expected
