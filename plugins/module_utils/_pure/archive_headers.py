# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Headers of tar members: ustar, GNU and pax (POSIX.1-2017 pax(1), tar(5)), read as Go's archive/tar reads them.

Python's own tarfile reads a long name or a pax header of any size into memory, and keeps every member. Here nothing is
longer than a hostile archive may make it. No I/O.
"""

from __future__ import annotations

import enum
import posixpath
import typing as t
from dataclasses import dataclass

from .texts import printable

BLOCK = 512
#: Of a GNU long name or a pax header, in bytes (Go's maxSpecialFileSize).
MOST_SPECIAL = 1024 * 1024
_LONGEST_NAME = 4096
_MOST_BYTES = 2**63 - 1
_ZEROS = bytes(BLOCK)
_SPACES = b" " * 8


class HeaderError(ValueError):
    """The bytes are no tar header."""


class Kind(enum.Enum):
    """What a header is of. OTHER are folders, devices, pipes and sparse files."""

    FILE = "file"
    SYMBOLIC_LINK = "symbolic link"
    HARD_LINK = "hard link"
    OTHER = "folder, device, pipe or sparse file"
    LONG_NAME = "name of the next member"
    LONG_LINK = "target of the next member"
    PAX = "attributes of the next member"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMBOLIC_LINK,
    b"L": Kind.LONG_NAME,
    b"K": Kind.LONG_LINK,
    b"x": Kind.PAX,
}
#: Links, devices, folders, pipes: whatever size they claim, no data follows.
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")


@dataclass(frozen=True)
class Header:
    """One header block. C(size) is of the data after it, in bytes without padding.

    C(extended) means that a block of GNU tar's list of holes follows first.
    """

    kind: Kind
    name: bytes
    link: bytes
    size: int
    has_data: bool
    extended: bool

    @property
    def is_special(self) -> bool:
        """Whether its data belongs to the header of the next member."""
        return self.kind in (Kind.LONG_NAME, Kind.LONG_LINK, Kind.PAX)


class Member(t.NamedTuple):
    """One member: where its data begins in the archive, and its size in bytes."""

    kind: Kind
    name: str
    link: str
    offset: int
    size: int


def is_end(block: bytes) -> bool:
    """Whether this block begins the end of the archive."""
    return block == _ZEROS


def parse(block: bytes) -> Header:
    """Read one header block.

    Raises:
        HeaderError: Its checksum is wrong, or a number in it is none.
    """
    if len(block) != BLOCK:
        raise HeaderError("it is no tar archive, or cut off: it ends inside a header")
    summed = block[:148] + _SPACES + block[156:]
    checksum, unsigned = _number(block[148:156]), sum(summed)
    # Some old tars summed signed bytes.
    if checksum != unsigned and checksum != unsigned - 256 * sum(byte >> 7 for byte in summed):
        raise HeaderError("it is no tar archive, or damaged: a header has a wrong checksum")
    name, link, flag = _text(block[:100]), _text(block[157:257]), block[156:157]
    prefix = _text(block[345:500]) if block[257:265] == b"ustar\x0000" else b""
    is_folder = flag == b"\0" and name.endswith(b"/")
    has_data = not is_folder and flag not in _WITHOUT_DATA
    return Header(
        Kind.OTHER if is_folder else _KINDS.get(flag, Kind.OTHER),
        prefix + b"/" + name if prefix else name,
        link,
        _number(block[124:136]) if has_data else 0,
        has_data,
        flag == b"S" and block[482] != 0,
    )


def is_extended(block: bytes) -> bool:
    """Whether after this block of GNU tar's list of holes there is one more."""
    return len(block) == BLOCK and block[504] != 0


def pax(body: bytes) -> dict[bytes, bytes]:
    """The records of a pax header.

    Raises:
        HeaderError: They are none.
    """
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(body):
        space = body.find(b" ", position, position + 8)
        digits = body[position:space]
        if space < 0 or not digits.isdigit():
            raise HeaderError("a pax header is damaged")
        end = position + int(digits)
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if end > len(body) or body[end - 1 : end] != b"\n" or not key or not equals or end <= space:
            raise HeaderError("a pax header is damaged")
        records[key] = value
        position = end
    return records


def member(header: Header, special: t.Mapping[Kind, bytes], offset: int) -> Member:
    """Put a header together with the special ones before it; its data begins at C(offset).

    Raises:
        HeaderError: One is damaged, or the name is absolute or leads out of the archive.
    """
    records = pax(special.get(Kind.PAX, b""))
    sparse = any(key.startswith(b"GNU.sparse.") for key in records)
    name = _text(special.get(Kind.LONG_NAME, b"")) or records.get(b"path") or header.name
    link = _text(special.get(Kind.LONG_LINK, b"")) or records.get(b"linkpath") or header.link
    if max(len(name), len(link)) > _LONGEST_NAME or b"\0" in name + link:
        raise HeaderError("the name of a member is too long, or holds a null byte")
    size = header.size
    if header.has_data and records.get(b"size"):
        size = _decimal(records[b"size"])
    return Member(Kind.OTHER if sparse else header.kind, _inside(name), _decoded(link), offset, size)


def clean(name: str) -> str:
    """The name as members are kept by: without C(./) and the like."""
    return posixpath.normpath(name)


def target(name: str, link: str) -> str:
    """The member that a symbolic link of that name means."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), link))


def _inside(name: bytes) -> str:
    """The name without C(./) and the like."""
    path = clean(_decoded(name))
    if path.startswith("/") or path.split("/")[0] == "..":
        raise HeaderError(f"the name of a member leads out of the archive: {printable(path)}")
    return path


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form for sizes of 8 GiB and more."""
    if field[0] & 0x80:
        number = int.from_bytes(field, "big", signed=True) + (1 << (8 * len(field) - 1))
        return _size(number)
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise HeaderError("it is no tar archive, or damaged: a number in a header is none")
    return _size(int(digits, 8) if digits else 0)


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > len(str(_MOST_BYTES)):
        raise HeaderError("a size in a pax header is damaged")
    return _size(int(digits))


def _size(number: int) -> int:
    if not 0 <= number <= _MOST_BYTES:
        raise HeaderError("a size in a header is negative or impossible")
    return number
