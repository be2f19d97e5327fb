# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""gzip, bzip2, xz and zstd, with a bound on memory: a piece at a time, and no window larger than 32 MiB."""

from __future__ import annotations

import importlib
import typing as t
import zlib

from ..._pure.archive_contents import invalid
from ..._pure.errors import ImageError
from ..._pure.reasons import Reason
from . import files

PIECE = 64 * 1024
#: As a power of two, for zstd: 32 MiB, which is also the dictionary of «xz -8».
_WINDOW_LOG = 25
_XZ_MEMORY = 40 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_DAMAGED = "it is damaged, or cut off: it cannot be decompressed"
_NO_ZSTD = (
    "it is compressed by zstd, for which this Python needs the library zstandard (Debian, Fedora: python3-zstandard) or"
    " backports.zstd; Python 3.14 needs none"
)


#: RFC 1952, section 2.3.1.
GZIP_MAGIC = b"\x1f\x8b"


class Compressed:
    """The compressed file; C(consumed) is how many bytes of it were read."""

    def __init__(self, descriptor: int) -> None:
        self.consumed = 0
        self._descriptor = descriptor

    def read(self, length: int = PIECE) -> bytes:
        """The next bytes, at most a piece; none where the file ends.

        Raises:
            ImageError: The disk does not give them.
        """
        body = files.read_at(self._descriptor, min(length, PIECE) if length > 0 else PIECE, self.consumed, "it")
        self.consumed += len(body)
        return body


class _Decompressor(t.Protocol):
    """What bz2, lzma and compression.zstd have in common."""

    @property
    def eof(self) -> bool:
        """Whether its stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether it has given all that it can without more input."""

    @property
    def unused_data(self) -> bytes:
        """What came after the end of its stream."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take input, give at most so much output."""


Pieces = t.Callable[[Compressed], t.Iterator[bytes]]


class _Gzip:
    """zlib's decompressor with the manners of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def pieces_of(beginning: bytes) -> Pieces | None:
    """How to decompress a file that begins so; None if it is not compressed.

    Raises:
        ImageError: No library for it is there.
    """
    if beginning.startswith(GZIP_MAGIC):
        return _by(_Gzip, zlib.error)
    if beginning.startswith(b"BZh"):
        return _by(_built_in("bz2").BZ2Decompressor, OSError, ValueError)
    if beginning.startswith(b"\xfd7zXZ\0"):
        lzma = _built_in("lzma")
        return _by(lambda: _xz(lzma), lzma.LZMAError, EOFError)
    if beginning.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd()
    return None


def _xz(lzma: t.Any) -> _Decompressor:
    return t.cast(_Decompressor, lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY))


def _built_in(name: str) -> t.Any:
    """A part of the standard library without which a Python can be built."""
    library = _library(name)
    if library is None:
        raise ImageError(
            f"to decompress it this Python lacks {name}, without which it was built", Reason.ARCHIVE_UNREADABLE
        )
    return library


def _by(make: t.Callable[[], _Decompressor], *errors: type[Exception]) -> Pieces:
    def pieces(compressed: Compressed) -> t.Iterator[bytes]:
        rest = compressed.read()
        while rest:
            decompressor = make()
            while not decompressor.eof:
                if not rest and decompressor.needs_input:
                    rest = compressed.read()
                    if not rest:
                        raise invalid(_DAMAGED)
                try:
                    piece = decompressor.decompress(rest, PIECE)
                except errors as error:
                    raise invalid(_explained(error)) from None
                rest = b""
                if piece:
                    yield piece
            # Another stream may follow, as from «cat a.gz b.gz», and zeros as filling.
            rest = decompressor.unused_data.lstrip(b"\0")
            while not rest:
                more = compressed.read()
                if not more:
                    break
                rest = more.lstrip(b"\0")

    return pieces


def _explained(error: Exception) -> str:
    if type(error).__name__ == "LZMAError" and "emory" in str(error):
        return f"to decompress it needs more than {_XZ_MEMORY >> 20} MiB of memory; compress it by «xz -8» or less"
    if "indow" in str(error) or "emory" in str(error):
        return f"to decompress it needs a window of more than {1 << (_WINDOW_LOG - 20)} MiB; compress it without --long"
    return _DAMAGED


def _zstd() -> Pieces:
    """Python 3.14's own zstd, the same as a library, or the older one that distributions have."""
    for name in ("compression.zstd", "backports.zstd"):
        library = _library(name)
        if library is not None:
            return _by(_zstd_maker(library), library.ZstdError)
    library = _library("zstandard")
    if library is not None:
        return _by_zstandard(library)
    raise ImageError(_NO_ZSTD, Reason.ARCHIVE_UNREADABLE)


def _library(name: str) -> t.Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _zstd_maker(library: t.Any) -> t.Callable[[], _Decompressor]:
    options = {library.DecompressionParameter.window_log_max: _WINDOW_LOG}
    return lambda: t.cast(_Decompressor, library.ZstdDecompressor(options=options))


def _by_zstandard(library: t.Any) -> Pieces:
    def pieces(compressed: Compressed) -> t.Iterator[bytes]:
        decompressor = library.ZstdDecompressor(max_window_size=1 << _WINDOW_LOG)
        reader = decompressor.stream_reader(compressed, read_size=PIECE, read_across_frames=True)
        while True:
            try:
                piece = reader.read(PIECE)
            except library.ZstdError as error:
                raise invalid(_explained(error)) from None
            if not piece:
                return
            yield piece

    return pieces
