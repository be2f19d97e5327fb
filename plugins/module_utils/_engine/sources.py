# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Sources behind a transport, each read where it is."""

from __future__ import annotations

from dataclasses import replace

from .._pure.image_facts import ImageFacts
from .._pure.image_names import Source, Transport
from .._pure.platforms import Platform
from .._pure.references import Reference, is_digest


class HostSources:
    """The archives, layouts and folders of this host, and its dockerd."""

    def images_of(self, source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
        """The images that a source holds, or the one that it names.

        Raises:
            EngineError: It cannot be read, or holds nothing of that name.
        """
        if source.transport is Transport.DOCKER_DAEMON:
            return (_of_docker(source),)
        from .._edges.archives.reader import images_of  # noqa: PLC0415 (only where one is read)

        return images_of(source, platform)

    def is_gzipped(self, source: Source) -> bool:
        """Whether the archive is compressed with gzip.

        Raises:
            EngineError: It cannot be read.
        """
        from .._edges.archives.reader import is_gzipped  # noqa: PLC0415 (only where one is read)

        return is_gzipped(source)


def _of_docker(source: Source) -> ImageFacts:
    """The image of dockerd, under the name that podman gives it: none for an ID or a digest."""
    from .._edges.docker_socket import DockerSocket  # noqa: PLC0415 (only where dockerd is asked)

    selector = source.selector or ""
    facts = DockerSocket().image(selector)
    reference = None if is_digest(selector) else Reference.parse(selector)
    return replace(facts, tags=(reference.canonical,) if reference and not reference.digest else ())
