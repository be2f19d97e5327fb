# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers of tar members, beside what Python's own tarfile writes and reads."""

from __future__ import annotations

import contextlib
import tarfile
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import archive_headers as headers
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.archive_headers import (
    BLOCK,
    Header,
    HeaderError,
    Kind,
    Member,
)

_FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
_TYPES = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.CONTTYPE: Kind.FILE,
    tarfile.LNKTYPE: Kind.HARD_LINK,
    tarfile.SYMTYPE: Kind.SYMBOLIC_LINK,
    tarfile.DIRTYPE: Kind.OTHER,
    tarfile.FIFOTYPE: Kind.OTHER,
    tarfile.CHRTYPE: Kind.OTHER,
    tarfile.BLKTYPE: Kind.OTHER,
}


def _written(name: str, form: int = tarfile.GNU_FORMAT, **attributes: t.Any) -> bytes:
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info.tobuf(form)


def _read(blocks: bytes) -> Member:
    """The one member whose headers these are."""
    special: dict[Kind, bytes] = {}
    position = 0
    while True:
        header = headers.parse(blocks[position : position + BLOCK])
        position += BLOCK
        if not header.is_special:
            assert position == len(blocks)
            return headers.member(header, special, position)
        special[header.kind] = blocks[position : position + header.size]
        position += header.size + -header.size % BLOCK


def _summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=80).filter(
    lambda name: name not in (".", "..")
)


@given(
    st.lists(_NAMES, min_size=1, max_size=6),
    st.sampled_from(sorted(_TYPES)),
    st.integers(0, 2**62),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_what_tarfile_writes_is_read(parts: list[str], flag: bytes, size: int, link: str, form: int) -> None:
    name = "/".join(parts)
    kind = _TYPES[flag]
    found = _read(_written(name, form, type=flag, size=size, linkname=link))
    has_data = flag in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
    assert (found.kind, found.name, found.size) == (kind, name, size if has_data else 0)
    assert found.link == link


@pytest.mark.parametrize("form", _FORMS)
def test_a_prefix_belongs_to_the_name(form: int) -> None:
    name = "a" * 60 + "/" + "b" * 60
    assert _read(_written(name, form)).name == name


def test_gnu_headers_have_no_prefix() -> None:
    """GNU tar keeps times and a list of holes where ustar has the prefix."""
    block = bytearray(_written("name"))
    block[345:357] = b"12345670123\0"
    assert headers.parse(_summed(block)).name == b"name"


def test_an_old_folder_is_a_file_whose_name_ends_in_a_slash() -> None:
    block = _written("folder/", type=tarfile.AREGTYPE, size=7)
    assert headers.parse(block) == Header(Kind.OTHER, b"folder/", b"", 0, has_data=False, extended=False)


@pytest.mark.parametrize("name", ["./a//b/./c", "a/x/../b/c"])
def test_names_are_cleaned(name: str) -> None:
    assert _read(_written(name)).name == "a/b/c"


@pytest.mark.parametrize("name", ["/a", "//a", "..", "../a", "a/../../b", "./../a"])
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(HeaderError, match="leads out"):
        _read(_written(name))


@pytest.mark.parametrize(
    ("name", "link", "meant"),
    [
        ("a/b", "c", "a/c"),
        ("a/b", "../c", "c"),
        ("a/b", "./c/../d", "a/d"),
        ("a", "b", "b"),
        ("a", "/etc/passwd", "/etc/passwd"),
        ("a", "../../etc/passwd", "../../etc/passwd"),
    ],
)
def test_what_a_link_means(name: str, link: str, meant: str) -> None:
    assert headers.target(name, link) == meant


def test_signed_checksums_are_right_too() -> None:
    block = bytearray(_written("\xe9" * 20))
    block[148:156] = b" " * 8
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % signed
    assert headers.parse(bytes(block)).name == ("\xe9" * 20).encode()
    block[148:156] = b"%06o\0 " % (signed + 1)
    with pytest.raises(HeaderError, match="checksum"):
        headers.parse(bytes(block))


@pytest.mark.parametrize(
    "field", [b"-0000000001", b"8", b"1 1", b"0x10", b"\xff" * 12, b"\xff" + bytes(11), b"\x80\0\0\1" + bytes(8)]
)
def test_a_size_that_is_none(field: bytes) -> None:
    block = bytearray(_written("name"))
    block[124:136] = field.ljust(12, b"\0")
    with pytest.raises(HeaderError):
        headers.parse(_summed(block))


@pytest.mark.parametrize("field", [b"", b"   ", b" 17 ", b"17\0 ", b"00000000017"])
def test_a_size_may_be_filled_with_anything(field: bytes) -> None:
    block = bytearray(_written("name"))
    block[124:136] = field.ljust(12, b"\0")
    assert headers.parse(_summed(block)).size == (15 if field.strip() else 0)


@pytest.mark.parametrize("records", [{}, {b"path": b"x=y", b"comment": b""}, {b"size": b"1" * 99, b"a": b"\n 5 b=c\n"}])
def test_records_are_read(records: dict[bytes, bytes]) -> None:
    body = b""
    for key, value in records.items():
        rest = b" " + key + b"=" + value + b"\n"
        length = next(n for n in range(len(rest), len(rest) + 9) if n == len(rest) + len(str(n)))
        body += str(length).encode() + rest
    assert headers.pax(body) == records


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b" a=b\n",
        b"0 a=b\n",
        b"-6 a=b\n",
        b"7 a=b\n",
        b"99 a=b\n",
        b"6 a=b ",
        b"5 =b\n",
        b"4 a\n",
        b"2 \n",
        b"1 ",
        b"999999999 a=b\n",
    ],
)
def test_records_that_are_none(body: bytes) -> None:
    with pytest.raises(HeaderError, match="pax"):
        headers.pax(body)


def test_attributes_come_before_the_header_and_long_names_before_both() -> None:
    header = headers.parse(_written("header", size=1))
    attributes = {Kind.PAX: b"14 path=attrs\n10 size=5\n"}
    found = headers.member(header, attributes, 7)
    assert found == Member(Kind.FILE, "attrs", "", 7, 5)
    found = headers.member(header, {**attributes, Kind.LONG_NAME: b"long\0rest"}, 7)
    assert found.name == "long"


def test_a_sparse_file_is_no_file_to_read() -> None:
    header = headers.parse(_written("GNUSparseFile.1/name", size=1))
    sparse = {Kind.PAX: b"22 GNU.sparse.major=1\n"}
    assert headers.member(header, sparse, 0).kind is Kind.OTHER
    block = bytearray(_written("name", type=tarfile.GNUTYPE_SPARSE, size=9))
    assert headers.parse(bytes(block)) == Header(Kind.OTHER, b"name", b"", 9, has_data=True, extended=False)
    block[482] = 1
    assert headers.parse(_summed(block)).extended
    assert headers.is_extended(bytes(504) + b"\1" + bytes(7))
    assert not headers.is_extended(bytes(512))
    assert not headers.is_extended(b"")


@pytest.mark.parametrize(
    "special",
    [
        {Kind.LONG_NAME: b"n" * 4097},
        {Kind.LONG_LINK: b"n" * 4097},
        {Kind.PAX: b"11 path=a\0\n"},
        {Kind.PAX: b"15 linkpath=\0b\n"},
    ],
)
def test_impossible_names(special: dict[Kind, bytes]) -> None:
    with pytest.raises(HeaderError):
        headers.member(headers.parse(_written("header")), special, 0)


@given(st.binary(min_size=BLOCK, max_size=BLOCK), st.booleans(), st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_do_anything_but_tell_or_be_refused(block: bytes, sound: bool, name: bytes, records: bytes) -> None:
    with contextlib.suppress(HeaderError):
        header = headers.parse(_summed(bytearray(block)) if sound else block)
        assert 0 <= header.size < 2**63
        found = headers.member(header, {Kind.LONG_NAME: name, Kind.PAX: records}, 0)
        assert not found.name.startswith(("/", "../"))
