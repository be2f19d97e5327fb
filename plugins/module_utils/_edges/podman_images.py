# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""All images of podman's store by a handful of calls, however many are asked for: C(images) and C(info) side by side, one C(inspect).

A damaged image must not hide the others. podman 5.x leaves it out of the listing, 4.3 lists nothing at all then, and both
refuse to inspect any image in the same call. So what only the storage's own index knows is asked for by itself, and a
call that fails is halved until the culprit is alone.
"""

from __future__ import annotations

import concurrent.futures
import json
import typing as t
from dataclasses import replace

from .._pure import manifests, podman_images, records
from .._pure.errors import StoreError
from .._pure.image_facts import ImageFacts
from .._pure.podman_images import StoredImage
from .._pure.reasons import Reason
from .._pure.records import HostFacts
from .command import Command, podman_info
from .storage_files import StorageFiles

#: Architectures whose images differ in variants, which podman's command leaves out.
_WITH_VARIANTS = frozenset({"arm", "arm64", "amd64"})
#: A filter that all images pass and damaged ones do not: podman 4.3 fails without one where an image is damaged.
_ONLY_SOUND = "--filter=label!=io.github.podfleet.autoupdate.none"
_UNKNOWN = "image not known"
_OF_A_LIST = ("choosing image instance", "no image found in manifest list")


class PodmanImages:
    """The images of the user who runs this process.

    Raises:
        StoreError: podman is not installed.
    """

    def __init__(self) -> None:
        self._podman = Command.podman()
        self._graph: tuple[str, tuple[str, ...]] = ("", ())
        self._files = StorageFiles(*self._graph)
        self._stored: dict[str, StoredImage] = {}
        self._known: dict[str, ImageFacts] = {}
        self._suspects: set[str] = set()

    def look(self, filters: t.Sequence[str] = ()) -> tuple[HostFacts, tuple[ImageFacts, ...]]:
        """The host, and all images or those that pass podman's own C(filters).

        Platforms are left out, and only a look at details tells what is damaged.

        Raises:
            StoreError: podman failed, or is too old.
        """
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            info = pool.submit(podman_info, self._podman)
            listing = pool.submit(self._list, filters)
            facts = records.host_facts(info.result())
            listed = listing.result()
        facts.must_be_supported()
        self._graph = podman_images.graph(info.result())
        self._files = StorageFiles(*self._graph)
        stored = self._stored = self._files.images()
        if listed is None and not stored:
            raise self._podman.failure(self._podman.query(*_listing(filters)), "images")
        images = (podman_images.as_stored(one, stored.get(podman_images.key_of(one))) for one in listed or ())
        self._known = {podman_images.key_of(one): one for one in images}
        # What passes a filter cannot be told without podman.
        self._suspects = set() if filters else set(stored) - set(self._known)
        self._known.update({key: podman_images.only_stored(stored[key]) for key in sorted(self._suspects)})
        return facts, tuple(self._known.values())

    def details(self, keys: t.Iterable[str]) -> dict[str, ImageFacts]:
        """Inspect images, by podman's ID; what has vanished since the look is missing.

        Raises:
            StoreError: podman failed otherwise than for a damaged image.
        """
        wanted = [key for key in dict.fromkeys(keys) if key in self._known]
        lists = {key: self._known[key] for key in wanted if self._known[key].is_manifest_list}
        images = [key for key in wanted if key not in lists]
        found = self._inspect([key for key in images if key not in self._suspects])
        found.update(self._inspect([key for key in images if key in self._suspects]))
        detailed = {}
        for key, one in found.items():
            image = self._stored.get(key)
            facts = podman_images.as_stored(one, image)
            if image and facts.platform and facts.platform.architecture in _WITH_VARIANTS:
                facts = replace(facts, platform=self._files.platform(image) or facts.platform)
            detailed[key] = facts
        return {**lists, **detailed}

    def names(self) -> dict[str, str]:
        """All names that the last look saw, C(repository@digest) too, with podman's IDs of their images."""
        named = {tag: key for key, facts in self._known.items() for tag in facts.tags}
        for key, image in reversed(tuple(self._stored.items())):  # The user's own storage comes first, and wins.
            named.update(dict.fromkeys(image.names, key))
        return named

    def storage(self) -> tuple[str, str]:
        """The storage's driver and the folder that it writes to; empty where podman does not tell."""
        driver, roots = self._graph
        return driver, roots[0] if roots else ""

    def resolve(self, names: t.Iterable[str]) -> dict[str, str | None]:
        """The ID of the image that podman itself takes each name for; None for none."""
        asked = list(dict.fromkeys(names))
        if not asked:
            return {}
        done = self._podman.query("image", "inspect", "--format={{.Id}}", "--", *asked)
        ids = [records.image_id(line) for line in done.output.split()]
        # podman says nothing in the place of a name that it does not know.
        if len(ids) == len(asked):
            return dict(zip(asked, ids))
        if len(asked) == 1:
            return {asked[0]: None if _UNKNOWN in done.errors else self._damaged(asked[0])}
        return {name: image for one in asked for name, image in self.resolve([one]).items()}

    def instances(self, key: str) -> manifests.Index:
        """What a manifest list holds.

        Raises:
            StoreError: podman printed no list.
        """
        document = self._podman.json("manifest", "inspect", _bare(key))
        if isinstance(document, dict) and document.get("manifests", []) is None:
            return manifests.Index(())  # How podman prints a list that nothing was added to yet.
        try:
            parsed = manifests.parse(json.dumps(document).encode())
        except manifests.ManifestError as error:
            raise StoreError(f"podman manifest inspect {key}: {error}") from None
        if not isinstance(parsed, manifests.Index):
            raise StoreError(f"podman manifest inspect {key} printed a manifest, not a list")
        return parsed

    def _list(self, filters: t.Sequence[str]) -> tuple[ImageFacts, ...] | None:
        """The listing, or None where not even the sound images can be listed."""
        for more in ([], [_ONLY_SOUND]):
            done = self._podman.query(*_listing(filters), *more)
            if done.code == 0:
                return podman_images.listed(records.load(done.output, "podman images"))
            if filters and not _is_damage(done.errors):
                raise self._podman.failure(done, "images")
        return None

    def _inspect(self, keys: t.Sequence[str]) -> dict[str, ImageFacts]:
        if not keys:
            return {}
        done = self._podman.query("image", "inspect", *map(_bare, keys))
        if done.code == 0 or done.output.strip():
            # Names that were not known are left out, and the rest is there.
            return podman_images.inspected(records.load(done.output, "podman image inspect"))
        if len(keys) > 1:
            middle = len(keys) // 2
            return {**self._inspect(keys[:middle]), **self._inspect(keys[middle:])}
        if _UNKNOWN in done.errors:
            return {}
        return {keys[0]: self._not_shown(keys[0], done.errors)}

    def _not_shown(self, key: str, errors: str) -> ImageFacts:
        """An image that podman refuses to show: a damaged one, unless it stumbles over a manifest list beside it.

        podman 4.3 looks for the image's parent among all that have no name, and gives up at a list that holds nothing for
        this host. Then the image's own config tells what podman does not.
        """
        facts, image = self._known[key], self._stored.get(key)
        config = self._files.config(image) if image and any(word in errors for word in _OF_A_LIST) else None
        if config is None:
            return replace(facts, corrupted=True, reason=Reason.CORRUPTED)
        return replace(facts, platform=config.platform, created=config.created, labels=config.labels)

    def _damaged(self, name: str) -> str | None:
        """The image that podman refuses to show for a short name, because it is damaged."""
        ending = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
        by_name = [key for key, one in self._known.items() for tag in one.tags if f"/{tag}".endswith(f"/{ending}")]
        by_id = [key for key in self._known if _bare(key).startswith(name)]
        return next(iter(by_name or by_id), None)


def _listing(filters: t.Sequence[str]) -> list[str]:
    return ["images", "--all", "--no-trunc", "--format=json", *(f"--filter={one}" for one in filters)]


def _is_damage(errors: str) -> bool:
    return "remove the image to resolve" in errors or "removing the image to resolve" in errors


def _bare(key: str) -> str:
    return key[len("sha256:") :]
