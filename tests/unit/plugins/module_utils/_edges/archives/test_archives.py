# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound archives, layouts and folders: which image is in them, whatever they are packed by."""

from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import pathlib
import sys
import tarfile
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.archives.reader import is_gzipped
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import (
    Source,
    Transport,
    parse_image_name,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives import making
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.making import (
    AMD64,
    Files,
    config,
    digest,
    docker_archive,
    entry,
    layout,
    member,
    packed,
    put_image,
    put_index,
    read,
    unpacked,
)

_ONE, _TWO = config("1"), config("2")
_ARM = config("arm", "arm64")


@pytest.fixture
def write(tmp_path: pathlib.Path) -> t.Callable[[bytes], str]:
    """A file of these bytes; returns its path."""

    def written(body: bytes) -> str:
        place = tmp_path / "archive"
        place.write_bytes(body)
        return str(place)

    return written


Write = t.Callable[[bytes], str]


def _refused(name: str, platform: Platform = AMD64) -> tuple[Reason, str]:
    with pytest.raises(ImageError) as refused:
        read(name, platform)
    return refused.value.reason, str(refused.value)


# docker-archive


def test_an_image_of_a_docker_archive(write: Write) -> None:
    path = write(packed(docker_archive((_ONE, "example.com/app:1", "short:2"))))
    assert read(f"docker-archive:{path}") == (
        ImageFacts(
            id=digest(_ONE),
            source="docker-archive",
            name="example.com/app:1",
            tags=("example.com/app:1", "localhost/short:2"),
            platform=AMD64,
            created="2026-05-01T12:00:00Z",
            size=len(b"a layer"),
            labels={"version": "1"},
        ),
    )


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("pretty-empty:latest", "localhost/pretty-empty:latest"),
        ("pretty-empty", "localhost/pretty-empty:latest"),
        ("ns/app:1", "localhost/ns/app:1"),
        ("docker.io/app:1", "docker.io/library/app:1"),
        ("example.com:5000/app:1", "example.com:5000/app:1"),
    ],
)
def test_tags_are_named_as_podman_names_what_it_loads(write: Write, given: str, stored: str) -> None:
    (image,) = read(f"docker-archive:{write(packed(docker_archive((_ONE, given))))}")
    assert (image.name, image.tags) == (stored, (stored,))


@pytest.mark.parametrize(("pack", "expected"), [(gzip.compress, True), (bz2.compress, False), (bytes, False)])
def test_whether_an_archive_is_gzipped(write: Write, pack: t.Callable[[bytes], bytes], expected: bool) -> None:
    source = parse_image_name(f"docker-archive:{write(pack(packed(docker_archive((_ONE, 'app:1')))))}:app:1")
    assert isinstance(source, Source)
    assert is_gzipped(source) is expected


def test_an_archive_that_is_gone_is_not_said_to_be_anything(tmp_path: pathlib.Path) -> None:
    source = parse_image_name(f"docker-archive:{tmp_path}/gone")
    assert isinstance(source, Source)
    with pytest.raises(ImageError) as refused:
        is_gzipped(source)
    assert refused.value.reason is Reason.ARCHIVE_UNREADABLE


@pytest.mark.parametrize("tags", [None, []])
def test_an_image_without_tags_has_no_name(write: Write, tags: object) -> None:
    files: Files = {}
    item = {**making.docker_item(files, _ONE), "RepoTags": tags}
    (image,) = read(f"docker-archive:{write(packed({**files, 'manifest.json': making.as_json([item])}))}")
    assert (image.id, image.name, image.tags) == (digest(_ONE), None, ())


def test_all_images_of_an_archive_come_in_its_order(write: Write) -> None:
    path = write(packed(docker_archive((_TWO, "b:1"), (_ONE, "a:1"))))
    assert [image.id for image in read(f"docker-archive:{path}")] == [digest(_TWO), digest(_ONE)]
    assert read(f"docker-archive:{write(packed(docker_archive()))}") == ()


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("@0", _ONE),
        ("@1", _TWO),
        ("example.com/app:1", _ONE),
        ("example.com/app:2", _TWO),
        ("short", _TWO),
        ("short:latest", _TWO),
        ("docker.io/library/short:latest", _TWO),
    ],
)
def test_one_image_is_chosen_by_tag_or_number(write: Write, selector: str, found: bytes) -> None:
    path = write(
        packed(docker_archive((_ONE, "example.com/app:1"), (_TWO, "example.com/app:2", "short:latest", "tagless")))
    )
    (image,) = read(f"docker-archive:{path}:{selector}")
    assert image.id == digest(found)


def test_an_image_that_was_chosen_by_a_tag_has_that_name(write: Write) -> None:
    path = write(packed(docker_archive((_ONE, "example.com/app:1", "short:2"))))
    assert read(f"docker-archive:{path}:short:2")[0].name == "localhost/short:2"
    assert read(f"docker-archive:{path}:@0")[0].name == "example.com/app:1"


@pytest.mark.parametrize(
    "selector", ["@1", "example.com/app:2", "example.com/app", "app:1", "localhost/short:2", "tagless"]
)
def test_a_selector_that_names_nothing(write: Write, selector: str) -> None:
    path = write(packed(docker_archive((_ONE, "example.com/app:1", "short:2", "tagless"))))
    reason, _said = _refused(f"docker-archive:{path}:{selector}")
    assert reason is Reason.IMAGE_UNKNOWN


def test_a_layer_may_be_a_link_to_another_images(write: Write) -> None:
    """docker save writes the same layer once."""
    files: Files = {}
    item = making.docker_item(files, _ONE, "a:1", layers=[b"12345"])
    (name,) = item["Layers"]  # type: ignore[misc, attr-defined]
    linked = {**item, "Layers": [name, "legacy/layer.tar"]}
    members = [member(*one) for one in files.items()]
    members += [
        member("legacy", type=tarfile.DIRTYPE),
        member("legacy/layer.tar", type=tarfile.SYMTYPE, linkname=f"../{name}"),
        member("manifest.json", making.as_json([linked])),
    ]
    assert read(f"docker-archive:{write(packed(members))}")[0].size == 10


def test_docker_25_writes_both_layouts_into_one_archive(write: Write) -> None:
    """BuildKit's and Docker's newer tarballs are read as what they are asked as."""
    files: Files = {}
    of = put_image(files, _ONE)
    item = {"Config": f"blobs/sha256/{making.hexadecimal(_ONE)}", "RepoTags": None, "Layers": []}
    names = {"containerd_name": "github.com/buildkit/archive:docker", "ref_name": "docker"}
    both = {**layout(files, entry(of, **names)), "manifest.json": making.as_json([item])}
    path = write(packed(both))

    (as_oci,) = read(f"oci-archive:{path}")
    (as_docker,) = read(f"docker-archive:{path}")

    assert as_oci.id == as_docker.id == digest(_ONE)
    assert (as_oci.name, as_docker.name) == ("github.com/buildkit/archive:docker", None)
    assert (as_oci.digest, as_docker.digest) == (of, None)


# OCI layouts


@pytest.fixture(params=["oci", "oci-archive"])
def put(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Callable[[Files], str]:
    """A layout, packed or not; returns C(transport:path)."""

    def written(files: Files) -> str:
        place = tmp_path / "layout"
        if request.param == "oci":
            return f"oci:{unpacked(files, place)}"
        place.write_bytes(packed(files))
        return f"oci-archive:{place}"

    return written


Put = t.Callable[[Files], str]


def test_an_image_of_a_layout(put: Put) -> None:
    files: Files = {}
    of = put_image(files, _ONE, [b"one", b"second"])
    name = put(layout(files, entry(of, ref_name="example.com/app:1")))
    assert read(name) == (
        ImageFacts(
            id=digest(_ONE),
            source=name.partition(":")[0],
            name="example.com/app:1",
            digest=of,
            digests=frozenset({of}),
            tags=("example.com/app:1",),
            platform=AMD64,
            created="2026-05-01T12:00:00Z",
            size=len(b"onesecond"),
            labels={"version": "1"},
        ),
    )


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        ({}, None),
        ({"ref_name": "", "containerd_name": ""}, None),
        ({"ref_name": "pretty-empty"}, "localhost/pretty-empty:latest"),
        ({"ref_name": "latest", "containerd_name": "docker.io/app:2"}, "docker.io/library/app:2"),
        ({"ref_name": "example.com/app:2", "containerd_name": ""}, "example.com/app:2"),
    ],
)
def test_the_name_is_containerds_before_the_layouts(put: Put, annotations: dict[str, str], name: str | None) -> None:
    files: Files = {}
    (image,) = read(put(layout(files, entry(put_image(files, _ONE), **annotations))))
    assert (image.name, image.tags) == (name, (name,) if name else ())


def test_a_name_with_a_digest_is_no_tag(put: Put) -> None:
    files: Files = {}
    of = put_image(files, _ONE)
    (image,) = read(put(layout(files, entry(of, ref_name=f"example.com/app:1@{of}"))))
    assert (image.name, image.tags, image.repo_digests) == (
        f"example.com/app@{of}",
        (),
        (f"example.com/app@{of}",),
    )


def test_a_name_that_is_no_reference_is_free_in_a_folder_and_an_error_in_an_archive(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    made = layout(files, entry(put_image(files, _ONE), ref_name="UPPERCASE"))
    (image,) = read(f"oci:{unpacked(made, tmp_path / 'folder')}:UPPERCASE")
    assert (image.id, image.name) == (digest(_ONE), None)
    (tmp_path / "packed").write_bytes(packed(made))
    reason, said = _refused(f"oci-archive:{tmp_path / 'packed'}")
    assert reason is Reason.ARCHIVE_INVALID
    assert "lowercase" in said


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("one", _ONE),
        ("two", _TWO),
        ("@1", _TWO),
        ("example.com/two:1", _TWO),
        ("localhost/one:latest", _ONE),
        ("one:latest", _ONE),
    ],
)
def test_one_image_of_a_layout_is_chosen(put: Put, selector: str, found: bytes) -> None:
    files: Files = {}
    entries = [
        entry(put_image(files, _ONE), ref_name="one"),
        entry(put_image(files, _TWO), ref_name="two", containerd_name="example.com/two:1"),
    ]
    (image,) = read(f"{put(layout(files, *entries))}:{selector}")
    assert image.id == digest(found)


@pytest.mark.parametrize("selector", ["three", "two", "@2", "@1", "example.com/one:2"])
def test_a_selector_that_names_nothing_in_a_layout(put: Put, selector: str) -> None:
    files: Files = {}
    artifact = entry(put_image(files, _TWO), "application/vnd.oci.artifact.manifest.v1+json", ref_name="two")
    name = put(layout(files, entry(put_image(files, _ONE), ref_name="one"), artifact))
    reason, _said = _refused(f"{name}:{selector}")
    assert reason is Reason.IMAGE_UNKNOWN


def test_all_images_of_a_layout_without_what_is_none(put: Put) -> None:
    files: Files = {}
    attestation = {"vnd.docker.reference.type": "attestation-manifest"}
    entries = [
        entry(put_image(files, _TWO), None, ref_name="b"),
        entry(put_image(files, _ARM), **attestation),
        entry(making.put_blob(files, b"no manifest"), "application/vnd.oci.artifact.manifest.v1+json"),
        entry(put_image(files, _ONE)),
    ]
    assert [image.id for image in read(put(layout(files, *entries)))] == [digest(_TWO), digest(_ONE)]


def test_a_multi_platform_index_is_the_platforms_image(put: Put) -> None:
    files: Files = {}
    one, arm = put_image(files, _ONE), put_image(files, _ARM)
    of = put_index(files, [(one, "linux/amd64"), (arm, "linux/arm64"), (one, "unknown/unknown")])
    name = put(layout(files, entry(of, making.INDEX, ref_name="app")))
    (image,) = read(name, Platform("linux", "arm64", "v8"))
    assert (image.id, image.digest, image.digests) == (digest(_ARM), of, {of, arm})
    assert image.platform == Platform("linux", "arm64")
    assert read(f"{name}:app")[0].id == digest(_ONE)
    for selector in ("", ":app", ":@0"):
        reason, said = _refused(name + selector, Platform("linux", "s390x"))
        assert reason is Reason.IMAGE_UNKNOWN
        assert "s390x" in said


def test_an_index_without_the_platform_is_left_out_beside_others(put: Put) -> None:
    files: Files = {}
    only_arm = put_index(files, [(put_image(files, _ARM), "linux/arm64")])
    name = put(layout(files, entry(only_arm, making.INDEX), entry(put_image(files, _ONE))))
    assert [image.id for image in read(name)] == [digest(_ONE)]


def test_an_index_may_hold_an_index_but_not_without_end(put: Put) -> None:
    files: Files = {}
    of = put_image(files, _ONE)
    names = []
    for _depth in range(6):
        of = put_index(files, [(of, "linux/amd64")])
        names.append(of)
    assert read(put(layout(files, entry(names[1], making.INDEX))))[0].digests >= {names[0], names[1]}
    reason, said = _refused(put(layout(files, entry(names[-1], making.INDEX))))
    assert (reason, "nested" in said) == (Reason.ARCHIVE_INVALID, True)


# dir:


def _folder(body: bytes, files: Files) -> Files:
    blobs = {name.rpartition("/")[2]: blob for name, blob in files.items()}
    return {**blobs, "manifest.json": body, "version": b"Directory Transport Version: 1.1\n"}


def test_an_image_of_a_folder(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    of = put_image(files, _ONE)
    body = files[f"blobs/sha256/{of[7:]}"]
    (image,) = read(f"dir:{unpacked(_folder(body, files), tmp_path / 'dir-5pec!')}")
    assert (image.id, image.digest, image.name, image.source) == (digest(_ONE), of, None, "dir")
    assert (image.size, image.platform) == (len(b"a layer"), AMD64)


def test_a_folder_may_hold_an_index(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    one, arm = put_image(files, _ONE), put_image(files, _ARM)
    of = put_index(files, [(one, "linux/amd64"), (arm, "linux/arm64")])
    flat = _folder(files[f"blobs/sha256/{of[7:]}"], files)
    for each in (one, arm):
        flat[f"{each[7:]}.manifest.json"] = flat.pop(each[7:])
    name = f"dir:{unpacked(flat, tmp_path)}"
    (image,) = read(name, Platform("linux", "arm64"))
    assert (image.id, image.digests) == (digest(_ARM), {of, arm})
    assert _refused(name, Platform("linux", "s390x"))[0] is Reason.IMAGE_UNKNOWN


# How it is packed


def _xz(body: bytes, preset: int = 6) -> bytes:
    return lzma.compress(body, preset=preset)


_PACKERS: dict[str, t.Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "two gzips": lambda body: gzip.compress(body[:700]) + gzip.compress(body[700:]),
    "gzip and zeros": lambda body: gzip.compress(body) + bytes(1000),
    "bzip2": bz2.compress,
    "xz": _xz,
    "two xzs": lambda body: _xz(body[:700]) + bytes(8) + _xz(body[700:]),
    "xz -8": functools.partial(_xz, preset=8),
}


@pytest.mark.parametrize("pack", _PACKERS.values(), ids=_PACKERS)
def test_a_compressed_archive_says_the_same(write: Write, pack: t.Callable[[bytes], bytes]) -> None:
    plain = packed(docker_archive((_ONE, "a:1"), (_TWO, "b:1")))
    expected = read(f"docker-archive:{write(plain)}")
    assert read(f"docker-archive:{write(pack(plain))}") == expected
    files: Files = {}
    plain = packed(layout(files, entry(put_image(files, _ONE), ref_name="app:1")))
    expected = read(f"oci-archive:{write(plain)}")
    assert read(f"oci-archive:{write(pack(plain))}") == expected


@pytest.mark.parametrize(("pack", "library"), [(bz2.compress, "bz2"), (_xz, "lzma")])
def test_a_python_without_a_decompressor_says_so(
    write: Write, monkeypatch: pytest.MonkeyPatch, pack: t.Callable[[bytes], bytes], library: str
) -> None:
    path = write(pack(packed(docker_archive((_ONE, "a:1")))))
    monkeypatch.setitem(sys.modules, library, None)
    reason, said = _refused(f"docker-archive:{path}")
    assert (reason, library in said) == (Reason.ARCHIVE_UNREADABLE, True)


def test_a_document_that_passed_by_unrecognised_is_fetched_in_another_pass(write: Write) -> None:
    body = b"\n  " + _ONE
    (image,) = read(f"docker-archive:{write(gzip.compress(packed(docker_archive((body, 'a:1')))))}")
    assert image.id == digest(body)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(write: Write, form: int) -> None:
    long = "a" * 90 + "/" + "b" * 90 + ".json"
    item = {"Config": long, "RepoTags": ["a:1"], "Layers": []}
    path = write(packed({f"./{long}": _ONE, "./manifest.json": making.as_json([item])}, form))
    assert read(f"docker-archive:{path}")[0].id == digest(_ONE)


def test_names_that_only_long_headers_can_hold(write: Write) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        long = "é" * 1000
        item = {"Config": long, "RepoTags": [], "Layers": [f"{long}/layer"]}
        links = [
            member(long, _ONE),
            member("layer", b"12345"),
            member(f"{long}/layer", type=tarfile.SYMTYPE, linkname="../layer"),
            member("manifest.json", making.as_json([item])),
        ]
        (image,) = read(f"docker-archive:{write(packed(links, form))}")
        assert (image.id, image.size) == (digest(_ONE), 5)


def test_an_archive_may_end_without_zeros_or_padding(write: Write) -> None:
    body = packed(docker_archive((_ONE, "a:1")))
    for end in (len(body) - 512, len(body) - 1024, len(body) - 1024 - 100):
        assert read(f"docker-archive:{write(body[:end])}")[0].id == digest(_ONE)


def test_stores_and_registries_are_not_for_this_reader() -> None:
    with pytest.raises(ImageError) as refused:
        making.images_of(Source(Transport.DOCKER_DAEMON, selector="app:1"), AMD64)
    assert refused.value.reason is Reason.UNSUPPORTED_TRANSPORT
