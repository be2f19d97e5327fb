# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Files of strangers, opened so that nothing can hang or surprise: regular files only, whatever the name leads to."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import typing as t

from ..._pure.archive_contents import invalid
from ..._pure.errors import ImageError
from ..._pure.reasons import Reason
from ..._pure.texts import printable


def unreadable(error: OSError | ValueError, what: str) -> ImageError:
    """The system does not let this process read it."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ImageError(f"{printable(what)} cannot be read: {words}", Reason.ARCHIVE_UNREADABLE)


def is_folder(path: str) -> bool:
    """Whether the path leads to a folder.

    Raises:
        ImageError: C(archive_unreadable): there is nothing, or it cannot be reached.
    """
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise unreadable(error, what_is(path)) from None


def what_is(path: str) -> str:
    """How messages name a source: by the path that is opened, which a colon or another folder can make a surprise."""
    given = pathlib.Path(path)
    return (
        path
        if given.is_absolute()
        else f"{pathlib.Path.cwd() / given} (the path is not absolute, and ~ means nothing in it)"
    )


@contextlib.contextmanager
def opened(path: str, what: str) -> t.Iterator[int]:
    """The descriptor of a regular file, which C(what) names in messages. Symbolic links are followed, as podman does.

    Raises:
        ImageError: It cannot be opened, or is no regular file.
    """
    try:
        # Opening a pipe would wait for its other end, and opening a device can do anything: look first.
        found = os.stat(path)
        regular = stat.S_ISREG(found.st_mode)
        # A file of the kernel's (proc(5)) says so too; reading one can wait for ever, or do something.
        if regular and not found.st_size:
            raise invalid(f"{printable(what)} is empty")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC) if regular else -1
    except (OSError, ValueError) as error:
        raise unreadable(error, what) from None
    if descriptor < 0:
        raise invalid(f"{printable(what)} is no regular file")
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise invalid(f"{printable(what)} is no regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def read_at(descriptor: int, length: int, offset: int, what: str) -> bytes:
    """C(length) bytes from C(offset), or what is left of the file.

    Raises:
        ImageError: The disk does not give them.
    """
    pieces = []
    while length > 0:
        try:
            piece = os.pread(descriptor, length, offset)
        except OSError as error:
            raise unreadable(error, what) from None
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)
