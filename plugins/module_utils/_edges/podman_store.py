# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""One podman store, for pulling: its images and names, its disk, its transfers."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from .._pure.disk_space import Disk
from .._pure.local_lookup import AskEngine
from .._pure.manifests import Index
from .._pure.platforms import Platform
from .._pure.podman_images import key_of
from .._pure.pull_decisions import Pulled, Stored
from .._pure.references import is_digest
from .podman import Podman
from .podman_images import PodmanImages
from .podman_pull import PodmanTransfers

#: An entry of the list of layers has about 500 bytes, and a host a few thousand layers.
_LONGEST = 64 * 1024 * 1024
_LAYER_LISTS = ("layers.json", "volatile-layers.json")


class PodmanStore:
    """The store of the user who runs this process."""

    def __init__(self, transfers: PodmanTransfers) -> None:
        self._transfers = transfers
        self._images = PodmanImages()
        self._podman = Podman()

    def stored(self) -> Stored:
        """The host and all its images, with platforms; those that are damaged say so.

        Raises:
            StoreError: podman failed.
        """
        host, images = self._images.look()
        details = self._images.details(map(key_of, images))
        return Stored(host, tuple(details.values()), self._images.names())

    def answer(self, asked: AskEngine) -> str | Index | None:
        """What only podman knows for a look-up: an image ID or None for a name, an index for a list.

        Raises:
            StoreError: podman failed.
        """
        if asked.name is not None:
            return self._images.resolve([asked.name]).get(asked.name)
        return self._images.instances(asked.manifest_list or "")

    def disk(self) -> Disk | None:
        """The file system of the storage; None where it cannot be told.

        containers/storage lists the layers in files of its own. Where they cannot be read, no layer counts as there.
        """
        driver, root = self._images.storage()
        try:
            numbers = os.statvfs(root) if root else None
        except OSError:
            numbers = None
        if numbers is None:
            return None
        layers: set[str] = set()
        for name in _LAYER_LISTS:
            layers |= _digests(pathlib.Path(root) / f"{driver}-layers" / name)
        return Disk(numbers.f_bavail * numbers.f_frsize, numbers.f_blocks * numbers.f_frsize, frozenset(layers))

    def pull(self, source: str, platform: Platform | None) -> Pulled:
        """Transfer one source; see L(podman_pull)."""
        return self._transfers.pull(source, platform)

    def tag(self, image_id: str, *names: str) -> None:
        """Give an image names."""
        self._podman.tag(image_id, *names)

    def untag(self, image_id: str, name: str) -> None:
        """Take a name from an image; the image stays."""
        self._podman.untag(image_id, name)


def _digests(path: pathlib.Path) -> set[str]:
    """The digests that registries use for the layers of a list (C(compressed-diff-digest)), and those unpacked."""
    try:
        with path.open("rb") as file:
            entries: t.Any = json.loads(file.read(_LONGEST))
    except (OSError, ValueError, RecursionError):
        return set()
    found: set[str] = set()
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and not _is_incomplete(entry):
            found |= {one for one in (entry.get("compressed-diff-digest"), entry.get("diff-digest")) if is_digest(one)}
    return found


def _is_incomplete(entry: dict[str, t.Any]) -> bool:
    """Whether a transfer died over the layer; the storage removes it when it is next opened."""
    flags = entry.get("flags")
    return isinstance(flags, dict) and bool(flags.get("incomplete"))
