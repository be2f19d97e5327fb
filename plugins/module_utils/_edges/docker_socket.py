# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""One image of dockerd, asked over its socket as podman does: docker's command need not be there (Docker Engine API)."""

from __future__ import annotations

import http.client
import os
import socket
import typing as t
import urllib.parse

from .._pure import docker_images
from .._pure.documents import DocumentError, load_object
from .._pure.errors import ImageError
from .._pure.image_facts import ImageFacts
from .._pure.platforms import Platform
from .._pure.reasons import Reason
from .._pure.references import is_digest
from .._pure.texts import printable
from .docker import with_id

_SOCKET = "/var/run/docker.sock"
_SECONDS = 60.0
_LONGEST = 4 * 1024 * 1024
_OK, _NOT_FOUND = 200, 404


class DockerSocket:
    """The dockerd of C(DOCKER_HOST), if that is a socket of this host, or else the system's."""

    def image(self, name: str) -> ImageFacts:
        """The image that dockerd has under a name, a digest or an ID; C(id) is None where it is not a config digest.

        Raises:
            ImageError: C(image_unknown), or C(engine_failed) where dockerd cannot be asked.
        """
        found = self._get(f"/images/{urllib.parse.quote(name, safe='')}/json")
        if found is None:
            raise ImageError(f"dockerd has no image {printable(name)!r}", Reason.IMAGE_UNKNOWN)
        daemon = docker_images.daemon(self._get("/info"))
        engine_id = found.get("Id")
        if not is_digest(engine_id):
            raise ImageError("dockerd answers with an image that has no ID", Reason.ENGINE_FAILED)
        os_, architecture, variant = (found.get(key) for key in ("Os", "Architecture", "Variant"))
        known = isinstance(os_, str) and isinstance(architecture, str) and os_ and architecture
        facts = ImageFacts(
            id=None if daemon.by_manifest else engine_id,
            source="docker",
            engine_id=engine_id if daemon.by_manifest else None,
            platform=Platform.normalised(str(os_), str(architecture), str(variant or "")) if known else None,
            reason=Reason.ID_NOT_CONFIG if daemon.by_manifest else None,
        )
        if not daemon.by_manifest:
            return facts
        return with_id(facts, daemon.root)

    def _get(self, path: str) -> dict[str, t.Any] | None:
        place = _path(os.environ.get("DOCKER_HOST") or "")
        connection = _UnixConnection(place)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(_LONGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            said = (error.strerror if isinstance(error, OSError) else None) or error
            raise ImageError(f"dockerd cannot be asked at {printable(place)}: {said}", Reason.ENGINE_FAILED) from None
        finally:
            connection.close()
        if answer.status == _NOT_FOUND:
            return None
        try:
            if answer.status == _OK:
                return load_object(body, "dockerd's answer")
        except DocumentError as error:
            raise ImageError(str(error), Reason.ENGINE_FAILED) from None
        raise ImageError(f"dockerd answers {answer.status}", Reason.ENGINE_FAILED)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket of this host."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def _path(host: str) -> str:
    return host[len("unix://") :] if host.startswith("unix://") else _SOCKET
