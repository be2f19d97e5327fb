# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""dockerd's images, by docker's command: C(info) and C(images) side by side, then one C(inspect)."""

from __future__ import annotations

import concurrent.futures
import typing as t

from .._pure import docker_images, manifests
from .._pure.image_facts import ImageFacts
from .._pure.platforms import Platform
from .._pure.reasons import Reason
from .command import Command
from .content_store import ContentStore

#: containerd's own root, and that of a containerd which dockerd started, below dockerd's.
_CONTAINERD = "/var/lib/containerd"
_OWN_CONTAINERD = "containerd/daemon"


class Docker:
    """The dockerd that docker's command reaches for the user who runs this process.

    Raises:
        StoreError: docker's command is not installed.
    """

    def __init__(self) -> None:
        remedy = "install docker's command (docker-ce-cli, docker-cli, docker.io)"
        self._docker = Command.found("docker", remedy, Reason.ENGINE_FAILED)
        self._daemon = docker_images.Daemon(by_manifest=False, root="")

    def images(self) -> tuple[ImageFacts, ...]:
        """List all images; platform, time, size and labels are left out.

        Raises:
            StoreError: dockerd could not be asked.
        """
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            info = pool.submit(self._docker.json, "info", "--format={{json .}}")
            listing = pool.submit(
                self._docker.call, "images", "--all", "--no-trunc", "--digests", "--format={{json .}}"
            )
            output = listing.result()
            self._daemon = docker_images.daemon(info.result())
        return docker_images.listed(output, self._daemon)

    def details(self, ids: t.Sequence[str]) -> dict[str, ImageFacts]:
        """Inspect images by docker's ID; what has vanished is missing.

        Raises:
            StoreError: dockerd could not be asked.
        """
        if not ids:
            return {}
        found = docker_images.inspected(self._docker.json("image", "inspect", *ids, tolerant=True), self._daemon)
        if not self._daemon.by_manifest:
            return found
        return {key: with_id(facts, self._daemon.root) for key, facts in found.items()}


def with_id(facts: ImageFacts, root: str) -> ImageFacts:
    """An image of containerd's store with its ID, where that can be read; C(root) is dockerd's folder."""
    content = ContentStore([_CONTAINERD, f"{root}/{_OWN_CONTAINERD}"])
    config_digest = _config_digest(str(facts.engine_id), facts.platform, content)
    return facts if config_digest is None else docker_images.with_config(facts, config_digest)


def _config_digest(digest: str, platform: Platform | None, content: ContentStore) -> str | None:
    """The config digest behind a manifest, or behind an index's instance for the platform that docker shows."""
    try:
        parsed = _parsed(digest, content)
        if isinstance(parsed, manifests.Index) and platform is not None:
            parsed = _parsed(parsed.choose(platform).digest, content)
    except manifests.ManifestError:
        return None
    return parsed.config_digest if isinstance(parsed, manifests.Manifest) else None


def _parsed(digest: str, content: ContentStore) -> manifests.Manifest | manifests.Index | None:
    body = content.blob(digest)
    return None if body is None else manifests.parse(body)
