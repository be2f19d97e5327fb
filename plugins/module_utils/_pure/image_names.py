# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Every way to name an image: a reference, an image ID, or a source behind a transport (containers-transports(5)).

What a name says is decided here without looking anywhere; whether it is there is for the stores.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .references import Reference


class Transport(str, enum.Enum):
    """What stands before the first colon, and where the image then is."""

    DOCKER = "docker"
    CONTAINERS_STORAGE = "containers-storage"
    DOCKER_DAEMON = "docker-daemon"
    DOCKER_ARCHIVE = "docker-archive"
    OCI = "oci"
    OCI_ARCHIVE = "oci-archive"
    DIR = "dir"


@dataclass(frozen=True)
class ImageId:
    """A name that is an image ID: C(id) is C(sha256:<64 hex>)."""

    id: str


@dataclass(frozen=True)
class Source:
    """An image behind a transport other than C(docker).

    C(path) is the file or folder of an archive, layout or C(dir:), and empty for the two stores. C(selector) is what
    follows the path as it was written (a reference, a layout's free name; for the stores the whole name), C(index) the
    number of C(:@index). Neither is set where the source is asked for the one image that it holds.
    """

    transport: Transport
    path: str = ""
    selector: str | None = None
    index: int | None = None


ImageName = t.Union[Reference, ImageId, Source]
