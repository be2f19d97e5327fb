# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of any bytes: whatever they are, an image or a refusal is all that comes out."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import tarfile
import tempfile
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import Source, Transport
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.making import (
    AMD64,
    INDEX,
    ONE,
    TWO,
    Files,
    as_json,
    digest,
    docker_archive,
    docker_item,
    entry,
    images_of,
    layout,
    member,
    packed,
    put_blob,
    put_image,
    put_index,
)

_PACKED = (Transport.DOCKER_ARCHIVE, Transport.OCI_ARCHIVE)
_REASONS = {Reason.ARCHIVE_INVALID, Reason.IMAGE_UNKNOWN}


def _both() -> Files:
    files: Files = {}
    item = docker_item(files, ONE, "a:1")
    of = put_index(files, [(put_image(files, TWO), "linux/amd64")])
    return {**layout(files, entry(of, INDEX, ref_name="a:1")), "manifest.json": as_json([item])}


_HYBRID = packed(_both())
_DIGESTS = {digest(ONE), digest(TWO)}
_PACKERS: tuple[t.Callable[[bytes], bytes], ...] = (bytes, gzip.compress, bz2.compress, lzma.compress)


def _read(body: bytes, transport: Transport, **choice: t.Any) -> tuple[ImageFacts, ...]:
    """What is read; nothing if it is refused, which must be in words that can be shown."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        try:
            return images_of(Source(transport, file.name, **choice), AMD64)
        except ImageError as error:
            refused = error
    # Without a library for it, nothing is known of what zstd compressed.
    assert refused.reason in _REASONS or body.startswith(b"\x28\xb5\x2f\xfd")
    assert str(refused).isprintable()
    return ()


_ANY = st.sampled_from(_PACKED)


@given(st.binary(max_size=3000), st.sampled_from([b"", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0"]), _ANY)
def test_any_bytes(body: bytes, magic: bytes, transport: Transport) -> None:
    assert _read(magic + body, transport) == ()


@given(
    st.lists(st.tuples(st.integers(0, len(_HYBRID) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, len(_HYBRID)),
    st.sampled_from(_PACKERS),
    _ANY,
)
def test_a_sound_archive_with_other_bytes_in_it(
    changes: list[tuple[int, int]], end: int, pack: t.Callable[[bytes], bytes], transport: Transport
) -> None:
    """What is still believed has the digests of the images that were in it."""
    body = bytearray(_HYBRID)
    for place, value in changes:
        body[place] = value
    for image in _read(pack(bytes(body[: end or None])), transport):
        assert image.id in _DIGESTS


@given(st.data(), st.sampled_from(_PACKERS[1:]), _ANY)
def test_a_compressed_archive_with_other_bytes_in_it(
    data: st.DataObject, pack: t.Callable[[bytes], bytes], transport: Transport
) -> None:
    body = bytearray(pack(_HYBRID))
    for _change in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    for image in _read(bytes(body), transport):
        assert image.id in _DIGESTS


@given(st.permutations(sorted(_both().items())), st.sampled_from(_PACKERS))
def test_the_order_of_members_changes_nothing(order: list[tuple[str, bytes]], pack: t.Callable[[bytes], bytes]) -> None:
    body = pack(packed(member(*one) for one in order))
    assert [image.id for image in _read(body, Transport.DOCKER_ARCHIVE)] == [digest(ONE)]
    assert [image.id for image in _read(body, Transport.OCI_ARCHIVE)] == [digest(TWO)]


_FLAGS = st.sampled_from([b"0", b"\0", b"1", b"2", b"3", b"5", b"6", b"7", b"L", b"K", b"x", b"g", b"S", b"Z"])
_PATHS = st.sampled_from(["manifest.json", "index.json", "config.json", "./a", "a/b", "../a", "/a", "blobs", "\xff"])


@given(
    st.lists(st.tuples(_PATHS, _FLAGS, _PATHS, st.binary(max_size=600) | st.just(ONE)), max_size=8),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    _ANY,
)
def test_any_members(described: list[tuple[str, bytes, str, bytes]], form: int, transport: Transport) -> None:
    members = [member(name, body, type=flag, linkname=link) for name, flag, link, body in described]
    for image in _read(packed(members, form)[: -2 * tarfile.BLOCKSIZE] + _HYBRID, transport):
        assert image.id in _DIGESTS


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["config.json", "manifest.json", digest(ONE), "a:1", "\ud800", "../x"])
)
_KEYS = st.sampled_from(
    ["Config", "RepoTags", "Layers", "manifests", "digest", "mediaType", "annotations", "platform", "config", "layers",
     "size", "os", "architecture", "variant", "schemaVersion", "org.opencontainers.image.ref.name"]
) | st.text(max_size=5)  # fmt: skip
_DOCUMENTS = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5)
)


@given(_DOCUMENTS, _DOCUMENTS, _DOCUMENTS, st.sampled_from([{}, {"index": 0}, {"selector": "a:1"}]), _ANY)
def test_any_documents(
    top: object, manifest: object, config: object, choice: dict[str, t.Any], transport: Transport
) -> None:
    files: Files = {"manifest.json": as_json(top), "index.json": as_json(top), "config.json": as_json(config)}
    put_blob(files, ONE)
    _read(packed(files), transport, **choice)
    blobs: Files = {}
    one = {"schemaVersion": 2, "config": {"digest": put_blob(blobs, as_json(config))}, "layers": manifest}
    for body in (as_json(manifest), as_json(one), as_json({"manifests": [manifest]}), as_json({"manifests": manifest})):
        of = put_blob(blobs, body)
        item = {"Config": "config.json", "Layers": manifest, "RepoTags": config}
        made = {**layout(blobs, entry(of)), "manifest.json": as_json([item]), "config.json": as_json(config)}
        _read(packed(made), transport, **choice)


@given(_DOCUMENTS)
def test_any_documents_in_a_folder(top: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("manifest.json", "index.json"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(as_json(top))
        for transport in (Transport.OCI, Transport.DIR):
            with contextlib.suppress(ImageError):
                images_of(Source(transport, folder), AMD64)


def test_the_sound_archive_is_sound() -> None:
    """Or the tests above would see nothing but refusals."""
    assert {image.id for transport in _PACKED for image in _read(_HYBRID, transport)} == _DIGESTS
    assert docker_archive((ONE, "a:1"))
