# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image builder: bytes that are the same every time, and differ exactly where asked."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile

import pytest
from lablib.ocibuild import MEDIA, Kind, PlatformImage, build, build_index, needs_interpreter, sha256

PROGRAM = b"not a real program, only its bytes matter"


def make(
    version: str = "1",
    kind: Kind = Kind.GOOD,
    platform: str = "linux/amd64",
    media: str = "oci",
    recompress: bool = False,
) -> PlatformImage:
    return build(
        platform,
        version=version,
        kind=kind,
        labels={"a": "b"},
        config={},
        media=MEDIA[media],
        recompress=recompress,
        program=PROGRAM,
    )


def elf(*, interpreted: bool) -> bytes:
    """A 64-bit little-endian ELF header with one program header."""
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<Q", head, 0x20, 64)
    struct.pack_into("<HH", head, 0x36, 56, 1)
    return bytes(head) + struct.pack("<I", 3 if interpreted else 1) + bytes(52)


def test_same_input_same_bytes() -> None:
    assert make() == make()


def test_another_version_is_another_image_id_on_the_same_system_layer() -> None:
    one, two = make("1"), make("2")
    assert one.config.digest != two.config.digest
    assert one.manifest.digest != two.manifest.digest
    assert one.layers[0] == two.layers[0]


def test_recompressing_keeps_the_image_id_and_changes_every_other_digest() -> None:
    one, two = make(), make(recompress=True)
    assert one.config == two.config
    assert one.manifest.digest != two.manifest.digest
    assert all(left.digest != right.digest for left, right in zip(one.layers, two.layers))


@pytest.mark.parametrize("recompress", [False, True])
def test_diff_ids_are_of_the_uncompressed_layers(recompress: bool) -> None:
    image = make(recompress=recompress)
    unpacked = [sha256(gzip.decompress(layer.data)) for layer in image.layers]
    assert json.loads(image.config.data)["rootfs"]["diff_ids"] == unpacked


@pytest.mark.parametrize("media", sorted(MEDIA))
def test_manifest_describes_what_there_is(media: str) -> None:
    image = make(media=media)
    manifest = json.loads(image.manifest.data)
    assert manifest["mediaType"] == image.manifest.media_type == MEDIA[media].manifest
    assert manifest["config"] == {
        "mediaType": MEDIA[media].config,
        "digest": image.config.digest,
        "size": len(image.config.data),
    }
    assert [layer["digest"] for layer in manifest["layers"]] == [layer.digest for layer in image.layers]


def test_media_families_share_the_image_id() -> None:
    assert make(media="oci").config.digest == make(media="docker").config.digest


def test_index_names_platforms_with_their_variants() -> None:
    images = (make(), make(platform="linux/arm64/v8"))
    entries = json.loads(build_index(images, MEDIA["oci"]).data)["manifests"]
    assert [entry["platform"] for entry in entries] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
    ]
    assert [entry["digest"] for entry in entries] == [image.manifest.digest for image in images]


def test_an_image_that_cannot_start_has_no_such_entrypoint() -> None:
    image = make(kind=Kind.NO_START)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.layers[1].data))) as tar:
        assert json.loads(image.config.data)["config"]["Entrypoint"][0].lstrip("/") not in tar.getnames()


def test_a_dynamic_program_is_recognised() -> None:
    assert needs_interpreter(elf(interpreted=True))
    assert not needs_interpreter(elf(interpreted=False))
    assert needs_interpreter(b"#!/bin/sh\n")
