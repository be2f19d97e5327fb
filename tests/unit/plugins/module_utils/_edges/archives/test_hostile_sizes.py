# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that claim to be huge, or are: bounded memory and time, nothing written. Each is a real file on the disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pathlib
import tarfile
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives import making
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.making import (
    GIB,
    ONE,
    SOUND,
    Files,
    as_json,
    config,
    digest,
    docker,
    docker_archive,
    header_of,
    member,
    packed,
    read,
    sparse,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.measuring import (
    cheap,
    measured,
    refused_as_invalid,
)


def test_two_gib_of_layers_cost_nothing(tmp_path: pathlib.Path) -> None:
    layer = f"{'0' * 64}/layer.tar"
    item = {"Config": f"{making.hexadecimal(ONE)}.json", "RepoTags": ["a:1"], "Layers": [layer]}
    rest = packed({str(item["Config"]): ONE, "manifest.json": as_json([item])})
    name = sparse(tmp_path, header_of(layer, 2 * GIB), 2 * GIB, rest)
    found = measured(name)
    assert found.ids == [digest(ONE)]
    assert found.seconds < 0.5
    assert found.mib < 8
    assert read(name)[0].size == 2 * GIB


def test_a_layer_of_more_than_eight_gib(tmp_path: pathlib.Path) -> None:
    """Its size does not fit into the octal digits of a header: GNU writes it in binary, pax as a record."""
    item = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["layer"]}
    rest = packed({"config.json": ONE, "manifest.json": as_json([item])})
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        header = member("layer", size=9 * GIB)[0].tobuf(form)
        assert read(sparse(tmp_path, header, 9 * GIB, rest))[0].size == 9 * GIB


@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
def test_ten_gib_of_json(tmp_path: pathlib.Path, name: str) -> None:
    item = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": []}
    rest = packed({"manifest.json": as_json([item])})
    found = cheap(sparse(tmp_path, header_of(name, 10 * GIB), 10 * GIB, rest))
    assert (found.reason, f"{10 * GIB} bytes" in found.said) == ("archive_invalid", True)
    assert found.seconds < 0.5


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE])
def test_a_name_of_ten_gib(tmp_path: pathlib.Path, kind: bytes) -> None:
    found = cheap(sparse(tmp_path, header_of("x", 10 * GIB, type=kind), 10 * GIB, packed(SOUND)))
    assert (found.reason, "claims a name" in found.said) == ("archive_invalid", True)
    assert found.seconds < 0.5


def test_global_attributes_of_ten_gib_are_passed_over(tmp_path: pathlib.Path) -> None:
    header = header_of("x", 10 * GIB, type=tarfile.XGLTYPE)
    assert cheap(sparse(tmp_path, header, 10 * GIB, packed(SOUND))).ids == [digest(ONE)]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE])
def test_negative_and_impossible_sizes(tmp_path: pathlib.Path, kind: bytes) -> None:
    for size in (
        b"\xff" * 12,
        b"\x80" + b"\xff" * 11,
        b"\x80\0\0\0" + b"\x80" + bytes(7),
        b"-0000000012",
        b"777 7777777",
    ):
        header = bytearray(header_of("manifest.json", 0, type=kind))
        header[124:136] = size.ljust(12, b"\0")
        header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
        said = refused_as_invalid(docker(tmp_path, bytes(header) + packed(SOUND)))
        assert "negative or impossible" in said or "a number in a header" in said


@pytest.mark.parametrize("size", ["-1", "9" * 30, "0x10", "", "9223372036854775808"])
def test_impossible_sizes_in_attributes(tmp_path: pathlib.Path, size: str) -> None:
    record = f" size={size}\n"
    record = f"{len(record) + (1 if len(record) < 9 else 2)}{record}"
    members = [member("x", record.encode(), type=tarfile.XHDTYPE), *(member(*one) for one in SOUND.items())]
    name = docker(tmp_path, packed(members))
    if size:
        assert "size in a" in refused_as_invalid(name)
    else:
        assert read(name)[0].id == digest(ONE)


def test_more_members_than_any_archive_has(tmp_path: pathlib.Path) -> None:
    found = cheap(docker(tmp_path, gzip.compress(header_of("x", 0) * 50_001, 1)))
    assert (found.reason, "members" in found.said) == ("archive_invalid", True)


def _numbered(numbers: range) -> t.Iterator[bytes]:
    """Headers of empty members with names of 60 digits: tarfile would take seconds for as many."""
    header = bytearray(header_of("0" * 60, 0))
    rest = sum(header[60:148]) + sum(header[156:]) + 8 * 32
    for number in numbers:
        header[:60] = b"%060d" % number
        header[148:156] = b"%06o\0 " % (rest + sum(header[:60]))
        yield bytes(header)


def test_as_many_members_as_are_looked_at_and_all_different(tmp_path: pathlib.Path) -> None:
    body = b"".join(_numbered(range(49_900))) + packed(SOUND)
    assert cheap(docker(tmp_path, gzip.compress(body, 1))).ids == [digest(ONE)]


def test_names_that_are_longer_than_any(tmp_path: pathlib.Path) -> None:
    assert "too long" in refused_as_invalid(docker(tmp_path, packed([member("a" * 4097)])))
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as file:
        for number in range(2100):
            file.write(header_of(f"{number:04}" + "n" * 4000, 0))
        file.write(packed(SOUND))
    found = cheap(docker(tmp_path, stream.getvalue()))
    assert (found.reason, "names" in found.said) == ("archive_invalid", True)


def _bomb(compress: t.Callable[[bytes], bytes]) -> bytes:
    """A member of 16 GiB of zeros; streams that follow one another are one file."""
    piece = compress(bytes(16 * 1024 * 1024))
    return compress(header_of("manifest.json", 16 * GIB)) + piece * 1024


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_a_bomb(tmp_path: pathlib.Path, compress: t.Callable[[bytes], bytes]) -> None:
    found = cheap(docker(tmp_path, _bomb(compress)))
    assert (found.reason, "compressed more than" in found.said) == ("archive_invalid", True)


def test_a_large_layer_that_compresses_well_is_no_bomb(tmp_path: pathlib.Path) -> None:
    layer = bytes(100 * 1024 * 1024)
    item = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["layer"]}
    body = packed({"layer": layer, "config.json": ONE, "manifest.json": as_json([item])})
    found = cheap(docker(tmp_path, gzip.compress(body, 1)))
    assert found.ids == [digest(ONE)]
    assert found.mib < 16


def test_a_dictionary_that_is_too_large(tmp_path: pathlib.Path) -> None:
    found = cheap(docker(tmp_path, lzma.compress(packed(SOUND), preset=9)))
    assert (found.reason, "xz -8" in found.said) == ("archive_invalid", True)
    assert cheap(docker(tmp_path, lzma.compress(packed(SOUND), preset=8))).ids == [digest(ONE)]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_a_damaged_or_cut_stream(tmp_path: pathlib.Path, compress: t.Callable[[bytes], bytes]) -> None:
    body = compress(packed(docker_archive((ONE, "a:1"), (os.urandom(5000), "b:1"))))
    for cut in (7, 20, len(body) // 2, len(body) - 600):
        assert "damaged" in refused_as_invalid(docker(tmp_path, body[:cut]))
    middle = len(body) // 2
    assert refused_as_invalid(docker(tmp_path, body[:middle] + os.urandom(64) + body[middle + 64 :]))


def test_documents_are_kept_only_up_to_a_bound(tmp_path: pathlib.Path) -> None:
    """More JSON than is kept passes by; what is asked for is fetched in another pass, but not for ever."""
    filler = b"[" + b" " * (1024 * 1024 - 2) + b"]"
    for images, reason in ((1, None), (9, "archive_invalid")):
        files: Files = {f"filler-{number}": filler for number in range(8)}
        items = [making.docker_item(files, config(str(number))) for number in range(images)]
        body = packed({**files, "manifest.json": as_json(items)})
        assert cheap(docker(tmp_path, gzip.compress(body, 1))).reason == reason
