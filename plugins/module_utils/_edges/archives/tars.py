# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""tar archives, packed or not, read in place: only headers and small documents, and nothing is ever written."""

from __future__ import annotations

import typing as t

from ..._pure import archive_headers as headers
from ..._pure.archive_contents import invalid
from ..._pure.archive_headers import BLOCK, HeaderError, Kind, Member
from ..._pure.documents import MOST_BYTES
from ..._pure.texts import printable
from .streams import Stream, cut_off

#: Members of an archive, and headers of any kind: what «docker save» of hundreds of images has.
_MOST_HEADERS = 50_000
_MOST_NAMES = 8 * 1024 * 1024
#: JSON of a compressed archive that is kept while it passes by, because what refers to it often comes last.
_MOST_KEPT = 8 * 1024 * 1024
#: How often a compressed archive is read again for a document that was not kept.
_MOST_PASSES = 8


class Tar:
    """The members of a tar archive by name.

    podman looks into a docker-archive in place, so that the first of two members of one name counts, a symbolic link is
    followed once, and a hard link has no content. It unpacks an oci-archive, so that there the last one counts
    (C(unpacked)), and a hard link is the member that it names.
    """

    def __init__(self, opened: t.Callable[[], Stream], *, unpacked: bool) -> None:
        self._opened = opened
        self._unpacked = unpacked
        self._kept: dict[int, bytes] = {}
        self._passes = 0
        self._members: dict[str, Member] = {}
        stream = opened()
        self._compressed = stream.is_compressed
        room = _MOST_KEPT if stream.is_compressed else 0
        for member in walk(stream):
            if unpacked or member.name not in self._members:
                self._members[member.name] = member
            if member.kind is Kind.FILE and 0 < member.size <= room:
                room -= self._keep(stream, member)

    def has(self, name: str) -> bool:
        """Whether there is a member of that name."""
        return name in self._members

    def size(self, name: str) -> int:
        """The size of a regular member in bytes.

        Raises:
            ImageError: It is missing, or is no regular file.
        """
        return self._regular(name).size

    def read(self, name: str) -> bytes:
        """The content of a small regular member.

        Raises:
            ImageError: It is missing, is no regular file, or is larger than any document of an image.
        """
        member = self._regular(name)
        if member.size > MOST_BYTES:
            raise invalid(
                f"{printable(name)} has {member.size} bytes, more than the {MOST_BYTES} that any document of an image has"
            )
        kept = self._kept.get(member.offset)
        if kept is not None:
            return kept
        if self._compressed:
            self._passes += 1
            if self._passes > _MOST_PASSES:
                raise invalid("it is compressed, and would have to be read too often; decompress it")
        stream = self._opened()
        stream.skip(member.offset)
        return _exactly(stream, member.size)

    def _keep(self, stream: Stream, member: Member) -> int:
        """Keep a member if it may be a document; says how many bytes that takes."""
        if member.size > MOST_BYTES:
            return 0
        beginning = stream.read(1)
        if beginning not in (b"{", b"["):
            return 0
        self._kept[member.offset] = beginning + _exactly(stream, member.size - 1)
        return member.size

    def _regular(self, name: str) -> Member:
        # A name that a document gives is compared with those in the archive, and leads nowhere else.
        member = self._members.get(headers.clean(name))
        if member is not None and member.kind is Kind.SYMBOLIC_LINK:
            member = self._members.get(headers.target(member.name, member.link))
        elif member is not None and member.kind is Kind.HARD_LINK and self._unpacked:
            member = self._members.get(headers.clean(member.link))
        if member is None:
            raise invalid(f"{printable(name)} is missing in it")
        if member.kind is not Kind.FILE:
            raise invalid(f"{printable(name)} is no regular file in it, but a {member.kind.value}")
        return member


def walk(stream: Stream) -> t.Iterator[Member]:
    """Every member in order. The stream then stands at the beginning of its data, of which the caller may read.

    Raises:
        ImageError: It is no tar archive, is damaged, or has more members or longer names than any archive of images.
    """
    names = 0
    special: dict[Kind, bytes] = {}
    for _count in range(_MOST_HEADERS):
        block = stream.read(BLOCK)
        if not block or headers.is_end(block):
            _must_be_the_end(stream, block)
            return
        try:
            header = headers.parse(block)
            if header.is_special:
                special[header.kind] = _special(stream, header.size)
                continue
            if header.extended:
                _skip_holes(stream)
            member = headers.member(header, special, stream.position)
        except HeaderError as error:
            raise invalid(str(error)) from None
        names += len(member.name) + len(member.link)
        if names > _MOST_NAMES:
            raise invalid("the names of its members are longer than those of any archive of images")
        special = {}
        yield member
        stream.skip(member.offset + member.size - stream.position)
        # Where the archive ends inside the padding, all data is there: Go does not mind either.
        stream.read(-member.size % BLOCK)
    raise invalid(f"it has more than {_MOST_HEADERS} members")


def _must_be_the_end(stream: Stream, block: bytes) -> None:
    """Two blocks of zeros are the end; so is the end of the file, with one or none."""
    if block and stream.read(BLOCK).strip(b"\0"):
        raise invalid("it is no tar archive, or damaged: there is something after its end")
    if stream.position == 0:
        raise invalid("it is empty")


def _special(stream: Stream, size: int) -> bytes:
    if size > headers.MOST_SPECIAL:
        raise HeaderError(f"a header claims a name or attributes of {size} bytes")
    body = _exactly(stream, size)
    stream.read(-size % BLOCK)
    return body


def _skip_holes(stream: Stream) -> None:
    for _count in range(_MOST_HEADERS):
        block = stream.read(BLOCK)
        if not headers.is_extended(block):
            return
    raise HeaderError("a sparse file has an impossible number of holes")


def _exactly(stream: Stream, length: int) -> bytes:
    body = stream.read(length)
    if len(body) < length:
        raise cut_off()
    return body
