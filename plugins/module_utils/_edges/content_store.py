# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Blobs of containerd's content store, read from its folder: what a digest names is believed because its hash is that digest."""

from __future__ import annotations

import pathlib
import typing as t

from .._pure.manifests import digest_of
from .._pure.references import is_digest

#: Where containerd keeps blobs below its root (io.containerd.content.v1.content).
_BLOBS = "io.containerd.content.v1.content/blobs/sha256"
#: In bytes; what the engines themselves read at most of a manifest.
_LARGEST = 4 * 1024 * 1024


class ContentStore:
    """The stores below some roots; one that is not there, or that this user may not read, holds nothing."""

    def __init__(self, roots: t.Sequence[str]) -> None:
        self._folders = [pathlib.Path(root, _BLOBS) for root in roots]

    def blob(self, digest: str) -> bytes | None:
        """The manifest or index of that digest, None where it cannot be had."""
        if not is_digest(digest):
            return None
        for folder in self._folders:
            try:
                with (folder / digest[len("sha256:") :]).open("rb") as file:
                    body = file.read(_LARGEST)
            except OSError:
                continue
            if digest_of(body) == digest:
                return body
        return None
