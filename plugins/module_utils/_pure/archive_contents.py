# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What all archives, layouts and folders of images have in common: files by name, and what makes facts of them.

Nothing is looked at but manifests, indexes and configs, and every one that a digest names must have that digest. How
they are fetched is the holder's: a tar file, a compressed one, a folder.
"""

from __future__ import annotations

import typing as t

from .errors import ImageError
from .image_configs import ImageConfig, ImageConfigError, parse_config
from .image_facts import ImageFacts
from .image_names import Transport
from .manifests import Index, Manifest, ManifestError, NoInstanceError, digest_of, parse
from .platforms import Platform
from .reasons import Reason
from .references import InvalidReferenceError, Reference
from .texts import printable

#: Of manifests and configs in all, in bytes: thousands of ordinary ones.
MOST_READ = 64 * 1024 * 1024
#: More than anybody saves at once; each costs a manifest and a config.
MOST_IMAGES = 1000
_LOCALHOST = "localhost"


class Holder(t.Protocol):
    """Files by name, whatever they are in."""

    def has(self, name: str) -> bool:
        """Whether something of that name is there."""

    def read(self, name: str) -> bytes:
        """The content of a small regular file.

        Raises:
            ImageError: It is missing, is no regular file, or is larger than any document of an image.
        """

    def size(self, name: str) -> int:
        """The size of a regular file in bytes.

        Raises:
            ImageError: It is missing, or is no regular file.
        """


class Documents:
    """The documents in a holder, of which only so much is read."""

    def __init__(self, holder: Holder) -> None:
        self.has = holder.has
        self.size = holder.size
        self._holder = holder
        self._left = MOST_READ

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            ImageError: It cannot be had.
        """
        body = self._holder.read(name)
        self._left -= len(body)
        if self._left < 0:
            raise invalid(f"its manifests and configs have more than {MOST_READ} bytes in all")
        return body

    def blob(self, name: str, digest: str) -> bytes:
        """The content of a file that must have the digest.

        Raises:
            ImageError: It cannot be had, or has another.
        """
        body = self.read(name)
        if digest_of(body) != digest:
            raise invalid(f"the content of {printable(name)} has another digest than its name says")
        return body


def invalid(message: str) -> ImageError:
    """The archive is damaged, or is not what its transport says."""
    return ImageError(message, Reason.ARCHIVE_INVALID)


def unknown(message: str) -> ImageError:
    """The archive is sound, and does not hold what was asked for."""
    return ImageError(message, Reason.IMAGE_UNKNOWN)


def several(value: object, what: str) -> list[t.Any]:
    """A list of images.

    Raises:
        ImageError: It is none, or is longer than any.
    """
    if not isinstance(value, list):
        raise invalid(f"{what} holds no list of images")
    if len(value) > MOST_IMAGES:
        raise invalid(f"{what} lists {len(value)} images, more than the {MOST_IMAGES} that are looked at")
    return value


def numbered(images: t.Sequence[t.Any], index: int) -> t.Any:
    """The image of C(:@index).

    Raises:
        ImageError: There are not so many.
    """
    if not 0 <= index < len(images):
        raise unknown(f"there is no image @{index}: it holds {len(images)}")
    return images[index]


def stored(name: str) -> Reference:
    """The name that podman gives to what it loads: C(localhost/) stands before a short one (libimage, NormalizeName).

    Raises:
        InvalidReferenceError: It is no reference.
    """
    return Reference.parse(name).within(_LOCALHOST)


def unusable(error: InvalidReferenceError) -> ImageError:
    """A name in the archive is no reference; podman then refuses the archive, too."""
    return invalid(f"it gives an image an unusable name: {error}")


def manifest(body: bytes, name: str) -> Manifest | Index:
    """Read a manifest or an index.

    Raises:
        ImageError: It is neither.
    """
    try:
        return parse(body, printable(name))
    except ManifestError as error:
        raise invalid(str(error)) from None


def config(body: bytes, name: str) -> ImageConfig:
    """Read a config.

    Raises:
        ImageError: It is none.
    """
    try:
        return parse_config(body)
    except ImageConfigError as error:
        raise invalid(f"{printable(name)}: {error}") from None


class LackingPlatformError(ImageError):
    """An index is fine, but holds nothing for the platform."""


def instance(index: Index, platform: Platform) -> str:
    """The digest of what an index holds for the platform.

    Raises:
        LackingPlatformError: It holds nothing.
    """
    try:
        return index.choose(platform).digest
    except NoInstanceError as error:
        raise LackingPlatformError(str(error), Reason.IMAGE_UNKNOWN) from None


def facts(
    transport: Transport,
    image_id: str,
    read: ImageConfig,
    *,
    size: int,
    names: t.Sequence[Reference] = (),
    chosen: Reference | None = None,
    digests: t.Sequence[str] = (),
) -> ImageFacts:
    """Put together what is known of one image; C(chosen) is the name that it was asked for by, if any."""
    name = chosen or (names[0] if names else None)
    return ImageFacts(
        id=image_id,
        source=transport.value,
        name=name.name if name else None,
        digest=digests[0] if digests else None,
        digests=frozenset(digests),
        tags=tuple(dict.fromkeys(one.name for one in names if not one.digest)),
        repo_digests=tuple(dict.fromkeys(one.name for one in names if one.digest)),
        platform=read.platform,
        created=read.created,
        size=size,
        labels=read.labels,
    )
