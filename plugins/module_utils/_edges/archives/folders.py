# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""An image in a folder: an OCI layout that is not packed, or podman's C(dir:)."""

from __future__ import annotations

import os

from ..._pure.archive_contents import invalid
from ..._pure.documents import MOST_BYTES
from ..._pure.texts import printable
from . import files


class Folder:
    """The files of a folder. Only the names that layouts have are asked for, never one that somebody wrote into them."""

    def __init__(self, path: str) -> None:
        self._path = path

    def has(self, name: str) -> bool:
        """Whether something of that name is there."""
        return os.path.lexists(os.path.join(self._path, name))

    def read(self, name: str) -> bytes:
        """The content of a small regular file.

        Raises:
            ImageError: It is missing, cannot be read, is no regular file, or is larger than any document of an image.
        """
        with files.opened(self._existing(name), name) as descriptor:
            body = files.read_at(descriptor, MOST_BYTES + 1, 0, name)
        if len(body) > MOST_BYTES:
            raise invalid(f"{printable(name)} is larger than the {MOST_BYTES} bytes that any document of an image has")
        return body

    def size(self, name: str) -> int:
        """The size of a regular file in bytes.

        Raises:
            ImageError: It is missing, cannot be read, or is no regular file.
        """
        with files.opened(self._existing(name), name) as descriptor:
            return os.fstat(descriptor).st_size

    def _existing(self, name: str) -> str:
        if not self.has(name):
            raise invalid(f"{printable(name)} is missing in it")
        return os.path.join(self._path, name)
