# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The bytes of an archive in order: of a plain file, or out of a compressed one, never more than a piece in memory."""

from __future__ import annotations

import os
import typing as t

from ..._pure.archive_contents import invalid
from ..._pure.errors import ImageError
from . import files
from .decompression import Compressed, Pieces, pieces_of

#: What is larger and was compressed more than this many times is a bomb: layers are compressed 2 to 10 times.
_SUSPICIOUS_BYTES = 512 * 1024 * 1024
_SUSPICIOUS_RATIO = 100


class Stream(t.Protocol):
    """Bytes that are read from the beginning; C(position) is how many were read or skipped."""

    position: int
    is_compressed: bool

    def read(self, length: int) -> bytes:
        """The next bytes; fewer only where the archive ends.

        Raises:
            ImageError: They cannot be had.
        """

    def skip(self, length: int) -> None:
        """Pass over bytes.

        Raises:
            ImageError: The archive ends before.
        """


class Plain:
    """A file that is not compressed: to skip costs nothing."""

    is_compressed = False

    def __init__(self, descriptor: int) -> None:
        self.position = 0
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def read(self, length: int) -> bytes:
        """The next bytes; fewer only where the archive ends."""
        body = files.read_at(self._descriptor, length, self.position, "the archive")
        self.position += len(body)
        return body

    def skip(self, length: int) -> None:
        """Pass over bytes."""
        if length > self._size - self.position:
            raise cut_off()
        self.position += length


class Decompressed:
    """A compressed file: to skip costs as much as to read, but no memory."""

    is_compressed = True

    def __init__(self, descriptor: int, pieces: Pieces) -> None:
        self.position = 0
        self._compressed = Compressed(descriptor)
        self._pieces = pieces(self._compressed)
        self._ahead = b""
        self._produced = 0

    def read(self, length: int) -> bytes:
        """The next bytes; fewer only where the archive ends."""
        parts = []
        while length > 0 and self._filled():
            parts.append(self._ahead[:length])
            self._ahead = self._ahead[length:]
            length -= len(parts[-1])
            self.position += len(parts[-1])
        return b"".join(parts)

    def skip(self, length: int) -> None:
        """Pass over bytes."""
        while length > 0:
            if not self._filled():
                raise cut_off()
            passed = min(length, len(self._ahead))
            self._ahead = self._ahead[passed:]
            length -= passed
            self.position += passed

    def _filled(self) -> bool:
        """Whether there is a byte ahead."""
        if not self._ahead:
            self._ahead = next(self._pieces, b"")
            self._produced += len(self._ahead)
            if self._produced > max(_SUSPICIOUS_BYTES, _SUSPICIOUS_RATIO * self._compressed.consumed):
                raise invalid(
                    f"it is compressed more than {_SUSPICIOUS_RATIO} times, as no archive of images is; decompress it"
                    " yourself if you trust it"
                )
        return bool(self._ahead)


def stream(descriptor: int) -> Stream:
    """The archive's bytes from its beginning.

    Raises:
        ImageError: It is compressed in a way that cannot be read here.
    """
    pieces = pieces_of(files.read_at(descriptor, 6, 0, "it"))
    return Plain(descriptor) if pieces is None else Decompressed(descriptor, pieces)


def cut_off() -> ImageError:
    """The archive ends too early."""
    return invalid("it is cut off: it ends inside a member")
