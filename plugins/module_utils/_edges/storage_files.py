# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The files of podman's storage (containers/storage), where podman's command does not tell: read, never written.

podman leaves an image with a missing layer out of its listing (5.x), or refuses to list anything (4.3), and nowhere says
that an ID is not the config digest. A file that is not there, or not as expected, tells nothing and is no error.
"""

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

from .._pure import podman_images
from .._pure.image_configs import ImageConfig, ImageConfigError, parse_config
from .._pure.platforms import Platform
from .._pure.podman_images import StoredImage

#: In bytes. The index has about 1.5 KiB for each image; a config is seldom above 20 KiB.
_LARGEST_INDEX = 64 * 1024 * 1024
_LARGEST_CONFIG = 4 * 1024 * 1024


class StorageFiles:
    """The storage of one user: C(driver) and C(roots) as C(podman info) names them."""

    def __init__(self, driver: str, roots: t.Sequence[str]) -> None:
        self._folders = [pathlib.Path(root, f"{driver}-images") for root in roots] if driver else []

    def images(self) -> dict[str, StoredImage]:
        """All images of the index, by podman's ID; the user's own storage wins over those that are only read."""
        found: dict[str, StoredImage] = {}
        for folder in self._folders:
            for image in podman_images.stored(_json(folder / "images.json")):
                found.setdefault(image.engine_id, image)
        return found

    def platform(self, image: StoredImage) -> Platform | None:
        """The platform with its variant, which podman's command leaves out."""
        config = self.config(image)
        return config.platform if config else None

    def config(self, image: StoredImage) -> ImageConfig | None:
        """The image's config."""
        for folder in self._folders if image.config_digest else ():
            # How containers/storage names what is kept under a name that is not plain.
            name = "=" + base64.b64encode(str(image.config_digest).encode()).decode()
            body = _read(folder / image.engine_id[len("sha256:") :] / name, _LARGEST_CONFIG)
            if body is not None:
                try:
                    return parse_config(body)
                except ImageConfigError:
                    return None
        return None


def _json(path: pathlib.Path) -> t.Any:
    try:
        return json.loads(_read(path, _LARGEST_INDEX) or b"[]")
    except (ValueError, RecursionError):
        return []


def _read(path: pathlib.Path, largest: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            body = file.read(largest + 1)
    except OSError:
        return None
    return body if len(body) <= largest else None
