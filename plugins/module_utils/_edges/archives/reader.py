# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Images in archives, layouts and folders, read without any container engine."""

from __future__ import annotations

import pathlib
import typing as t

from ..._pure.archive_contents import Documents, invalid
from ..._pure.archive_docker import docker_images
from ..._pure.archive_layouts import folder_image, layout_images
from ..._pure.errors import ImageError
from ..._pure.image_facts import ImageFacts
from ..._pure.image_names import Source, Transport
from ..._pure.platforms import Platform
from ..._pure.reasons import Reason
from ..._pure.texts import printable
from . import files
from .decompression import GZIP_MAGIC
from .folders import Folder
from .streams import stream
from .tars import Tar


def images_of(source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
    """All images that C(source) names, in the order of the archive: one if it has a selector or an index.

    Of a multi-platform index that is the image for C(platform).

    Raises:
        ImageError: C(archive_unreadable), C(archive_invalid), C(image_unknown) where the selector, the index or the
            platform names nothing, C(unsupported_transport) for a store or a registry.
    """
    read = _READERS.get(source.transport)
    if read is None:
        raise ImageError(f"{printable(str(source))} is in no archive or folder", Reason.UNSUPPORTED_TRANSPORT)
    try:
        return read(source, platform)
    except ImageError as error:
        raise ImageError(f"{printable(str(source))}: {error}", error.reason) from None


def is_gzipped(source: Source) -> bool:
    """Whether the archive is a file that gzip(1) has compressed.

    Raises:
        ImageError: C(archive_unreadable).
    """
    with files.opened(source.path, "it") as descriptor:
        return files.read_at(descriptor, len(GZIP_MAGIC), 0, "it") == GZIP_MAGIC


def _docker_archive(source: Source, _platform: Platform) -> tuple[ImageFacts, ...]:
    _must_be_packed(source)
    with files.opened(source.path, "it") as descriptor:
        return docker_images(Documents(Tar(lambda: stream(descriptor), unpacked=False)), source)


def _oci_archive(source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
    _must_be_packed(source)
    with files.opened(source.path, "it") as descriptor:
        return layout_images(Documents(Tar(lambda: stream(descriptor), unpacked=True)), source, platform)


def _oci(source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
    _must_be_a_folder(source)
    return layout_images(Documents(Folder(source.path)), source, platform)


def _dir(source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
    _must_be_a_folder(source)
    return (folder_image(Documents(Folder(source.path)), platform),)


def _must_be_packed(source: Source) -> None:
    if files.is_folder(source.path):
        raise invalid("it is a folder and no archive; name an unpacked OCI layout with oci:, podman's folder with dir:")
    if not pathlib.Path(source.path).is_file():
        raise invalid("it is no regular file, but a pipe, a socket or a device")


def _must_be_a_folder(source: Source) -> None:
    if not files.is_folder(source.path):
        if not pathlib.Path(source.path).is_file():
            raise invalid("it is no folder and no regular file, but a pipe, a socket or a device")
        raise invalid("it is no folder; name an archive with oci-archive: or docker-archive:")


_READERS: dict[Transport, t.Callable[[Source, Platform], tuple[ImageFacts, ...]]] = {
    Transport.DOCKER_ARCHIVE: _docker_archive,
    Transport.OCI_ARCHIVE: _oci_archive,
    Transport.OCI: _oci,
    Transport.DIR: _dir,
}
