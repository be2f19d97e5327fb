# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What docker says of images, as L(image_facts).

Docker's ID of an image is the digest of its config, except where dockerd keeps images in containerd's store: there it is
the digest of the manifest or index, and the config digest has to be read from that.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from .errors import StoreError
from .image_configs import utc
from .image_facts import ImageFacts
from .platforms import Platform
from .reasons import Reason
from .records import image_id
from .references import DOCKER_HUB, InvalidReferenceError, Reference, is_digest

HOLDER = "docker"
_NONE = "<none>"
_CONTAINERD_STORE = "io.containerd.snapshotter.v1"


@dataclass(frozen=True)
class Daemon:
    """A dockerd: C(by_manifest) says that its IDs are digests of manifests, C(root) is its folder."""

    by_manifest: bool
    root: str


def daemon(document: object) -> Daemon:
    """The dockerd of C(docker info --format json). A dockerd that says nothing of stores has only the one."""
    entry = document if isinstance(document, dict) else {}
    status = entry.get("DriverStatus")
    pairs = [pair for pair in status if isinstance(pair, list)] if isinstance(status, list) else []
    root = entry.get("DockerRootDir")
    return Daemon(["driver-type", _CONTAINERD_STORE] in pairs, root if isinstance(root, str) else "")


def listed(output: str, store: Daemon) -> tuple[ImageFacts, ...]:
    """The images of C(docker images --format json): a line for each name.

    Raises:
        StoreError: docker printed something else.
    """
    found: dict[str, ImageFacts] = {}
    for line in output.splitlines():
        try:
            row = json.loads(line)
            identity = image_id(row["ID"])
        except (ValueError, KeyError, TypeError, RecursionError):
            identity = None
        if identity is None:
            raise StoreError(f"docker images printed something that is no image: {line[:200]!r}", Reason.ENGINE_FAILED)
        known = found.get(identity) or _bare(identity, store)
        repository, tag, digest = (str(row.get(key) or _NONE) for key in ("Repository", "Tag", "Digest"))
        tags = [full_name(f"{repository}:{tag}")] if _NONE not in (repository, tag) else []
        digests = [full_name(f"{repository}@{digest}")] if repository != _NONE and is_digest(digest) else []
        found[identity] = _named(known, (*known.tags, *tags), (*known.repo_digests, *digests))
    return tuple(found.values())


def inspected(document: object, store: Daemon) -> dict[str, ImageFacts]:
    """The images of C(docker image inspect), by docker's ID.

    Raises:
        StoreError: docker printed something else.
    """
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise StoreError("docker image inspect printed something other than a list of objects", Reason.ENGINE_FAILED)
    found = {}
    for entry in document:
        identity = image_id(entry.get("Id"))
        if identity is None:
            raise StoreError("docker image inspect printed an image without a valid ID", Reason.ENGINE_FAILED)
        found[identity] = _facts(entry, _bare(identity, store))
    return found


def with_config(facts: ImageFacts, config_digest: str) -> ImageFacts:
    """An image of containerd's store whose manifest was read."""
    return replace(facts, id=config_digest, reason=None)


def full_name(name: str) -> str:
    """A name with the registry and namespace that docker leaves out; as it is where it is no reference."""
    try:
        reference = Reference.parse(name)
        return reference.name if reference.registry else reference.within(DOCKER_HUB).name
    except InvalidReferenceError:
        return name


def _bare(identity: str, store: Daemon) -> ImageFacts:
    if store.by_manifest:
        return ImageFacts(None, HOLDER, engine_id=identity, digests=frozenset({identity}), reason=Reason.ID_NOT_CONFIG)
    return ImageFacts(identity, HOLDER)


def _named(facts: ImageFacts, tags: t.Iterable[str], repo_digests: t.Iterable[str]) -> ImageFacts:
    tags, repo_digests = tuple(dict.fromkeys(tags)), tuple(dict.fromkeys(repo_digests))
    digests = [name.rpartition("@")[2] for name in repo_digests]
    return replace(
        facts,
        name=next(iter((*tags, *repo_digests)), None),
        tags=tags,
        repo_digests=repo_digests,
        digest=next(iter(digests), facts.engine_id),
        digests=facts.digests | set(digests),
    )


def _facts(entry: t.Mapping[str, t.Any], bare: ImageFacts) -> ImageFacts:
    tags, repo_digests = (
        [full_name(name) for name in names if isinstance(name, str) and _NONE not in name]
        for names in (entry.get("RepoTags") or [], entry.get("RepoDigests") or [])
        if isinstance(names, list)
    )
    os, architecture, variant = (str(entry.get(key) or "") for key in ("Os", "Architecture", "Variant"))
    settings = entry.get("Config")
    labels = settings.get("Labels") if isinstance(settings, dict) else None
    size = entry.get("Size")
    return replace(
        _named(bare, tags, [name for name in repo_digests if is_digest(name.rpartition("@")[2])]),
        platform=Platform.normalised(os, architecture, variant) if os and architecture else None,
        created=utc(entry.get("Created")),
        size=size if isinstance(size, int) and size >= 0 else None,
        labels={key: text for key, text in labels.items() if isinstance(text, str)} if isinstance(labels, dict) else {},
    )
