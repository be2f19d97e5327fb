# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What podman says of containers and images, as typed records. Reading its JSON is done here, running it is not."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from .errors import InputError, StoreError
from .platforms import Platform
from .references import is_digest
from .registries import RegistriesConf

_HEX_ID = re.compile(r"[a-f0-9]{64}\Z")
#: «Up 8 seconds (starting)»; a container that has ended says «Exited (1) 8 seconds ago».
_HEALTH = re.compile(r"\(([a-z]{1,20})\)\s*\Z")
_OLDEST_VERSION = (4, 3)
UNIT_LABEL = "PODMAN_SYSTEMD_UNIT"
#: podman-auto-update(1): the path of the authfile for the container's image.
AUTHFILE_LABEL = "io.containers.autoupdate.authfile"


@dataclass(frozen=True)
class ListedContainer:
    """One line of C(podman ps): enough to find the candidates and to see what runs after a restart."""

    id: str
    name: str
    image_id: str | None
    image_name: str
    labels: t.Mapping[str, str]
    state: str
    pod: str | None
    is_infra: bool
    #: In seconds since the epoch, as of podman's clock; it changes with every start of the same container.
    started_at: int = 0
    #: Whether it has a healthcheck of its own: podman says its state behind how long it is up.
    has_healthcheck: bool = False
    #: What that healthcheck said last: C(starting), C(healthy) or C(unhealthy).
    health: str | None = None

    @property
    def unit_label(self) -> str | None:
        """The unit that the creating podman process was told to belong to."""
        return self.labels.get(UNIT_LABEL)


@dataclass(frozen=True)
class ContainerDetails:
    """What only C(podman container inspect) tells of one container."""

    id: str
    image_name: str
    create_command: tuple[str, ...]
    conmon_pid: int
    has_anonymous_volume: bool


@dataclass(frozen=True)
class ImageRecord:
    """One image of local storage.

    C(id) is C(sha256:…); C(digests) are all that are recorded for it; C(names) are its tags. C(platform) is without
    variant, which podman does not report, and None where the image came from a list that leaves it out. C(labels) are
    those that its containers inherit.
    """

    id: str
    digest: str | None
    digests: frozenset[str]
    names: tuple[str, ...]
    platform: Platform | None
    labels: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_digest(self) -> str | None:
        """The digest to show where several are recorded: podman's own choice."""
        return self.digest or min(self.digests, default=None)


@dataclass(frozen=True)
class HostFacts:
    """What C(podman info) tells: its version, the host's platform, and the registries as it has parsed them."""

    podman_version: tuple[int, ...]
    platform: Platform
    registries: RegistriesConf

    def must_be_supported(self) -> None:
        """Refuse a podman that is too old.

        Raises:
            StoreError: It names the version.
        """
        if self.podman_version < _OLDEST_VERSION:
            version = ".".join(map(str, self.podman_version)) or "unknown"
            raise StoreError(f"podman on this host is {version}; this collection needs 4.3 or newer")


@dataclass(frozen=True)
class Snapshot:
    """A host's containers (of any state) at the start of a run, and images: at least those that candidates run."""

    containers: tuple[ListedContainer, ...]
    images: t.Mapping[str, ImageRecord]
    host: HostFacts


def image_id(text: object) -> str | None:
    """An image ID with the C(sha256:) prefix that podman leaves out, or None for what is none."""
    if not isinstance(text, str):
        return None
    bare = text[len("sha256:") :] if text.startswith("sha256:") else text
    return f"sha256:{bare}" if _HEX_ID.match(bare) else None


def is_container_id(text: object) -> bool:
    """Whether the text is a full container or pod ID."""
    return isinstance(text, str) and _HEX_ID.match(text) is not None


def load(output: str, what: str) -> t.Any:
    """Decode podman's JSON; no output at all is an empty list, as podman prints for no containers.

    Raises:
        StoreError: It is not JSON.
    """
    try:
        return json.loads(output) if output.strip() else []
    except (ValueError, RecursionError):
        raise StoreError(f"{what} printed something that is not JSON: {output[:200]!r}") from None


def listed_containers(document: object) -> tuple[ListedContainer, ...]:
    """The containers of C(podman ps --all --format json)."""
    return tuple(_listed_container(entry) for entry in objects(document, "podman ps"))


def _listed_container(entry: t.Mapping[str, t.Any]) -> ListedContainer:
    names = entry.get("Names") or []
    pod = entry.get("Pod")
    health = _HEALTH.search(str(entry.get("Status") or ""))
    return ListedContainer(
        id=_container_id(entry.get("Id"), "podman ps"),
        name=str(names[0]) if names else "",
        image_id=image_id(entry.get("ImageID")),
        image_name=str(entry.get("Image") or ""),
        labels=_strings(entry.get("Labels")),
        state=str(entry.get("State") or ""),
        pod=pod if is_container_id(pod) else None,
        is_infra=bool(entry.get("IsInfra")),
        started_at=started if isinstance(started := entry.get("StartedAt"), int) else 0,
        has_healthcheck=health is not None,
        health=health.group(1) if health else None,
    )


def container_details(document: object) -> dict[str, ContainerDetails]:
    """The containers of C(podman container inspect), by ID."""
    details = (_container_details(entry) for entry in objects(document, "podman container inspect"))
    return {one.id: one for one in details}


def _container_details(entry: t.Mapping[str, t.Any]) -> ContainerDetails:
    config, state = entry.get("Config") or {}, entry.get("State") or {}
    mounts = [mount for mount in entry.get("Mounts") or [] if isinstance(mount, dict)]
    return ContainerDetails(
        id=_container_id(entry.get("Id"), "podman container inspect"),
        image_name=str(entry.get("ImageName") or ""),
        create_command=tuple(str(argument) for argument in config.get("CreateCommand") or []),
        conmon_pid=int(state.get("ConmonPid") or 0),
        # podman names an anonymous volume with 64 hex digits; a person never does.
        has_anonymous_volume=any(
            mount.get("Type") == "volume" and is_container_id(mount.get("Name")) for mount in mounts
        ),
    )


def images(document: object) -> tuple[ImageRecord, ...]:
    """The images of C(podman images --format json) or C(podman image inspect); the two share these keys."""
    return tuple(_image(entry) for entry in objects(document, "podman images"))


def _image(entry: t.Mapping[str, t.Any]) -> ImageRecord:
    identity = image_id(entry.get("Id"))
    if identity is None:
        raise StoreError("podman images printed an image without a valid ID")
    digest = entry.get("Digest") if is_digest(entry.get("Digest")) else None
    recorded = {str(name).rpartition("@")[2] for name in entry.get("RepoDigests") or []}
    os, architecture = entry.get("Os"), entry.get("Architecture") or entry.get("Arch")
    return ImageRecord(
        id=identity,
        digest=digest,
        digests=frozenset(one for one in (*recorded, digest) if is_digest(one)),
        names=tuple(str(name) for name in entry.get("RepoTags") or entry.get("Names") or []),
        platform=_platform(str(os or ""), str(architecture or "")),
        labels=_strings(entry.get("Labels")),
    )


def _platform(os: str, architecture: str) -> Platform | None:
    """What an image says of itself; nothing where it cannot be meant: it is written to files, which must be readable again."""
    try:
        return Platform.parse(f"{os}/{architecture}") if "/" not in f"{os}{architecture}" else None
    except InputError:
        return None


def host_facts(document: object) -> HostFacts:
    """The facts of C(podman info --format json)."""
    if not isinstance(document, dict):
        raise StoreError("podman info printed something other than an object")
    host, version = document.get("host") or {}, document.get("version") or {}
    return HostFacts(
        podman_version=tuple(map(int, re.findall(r"\d+", str(version.get("Version") or ""))[:3])),
        platform=Platform.normalised(
            str(host.get("os") or "linux"), str(host.get("arch") or ""), str(host.get("variant") or "")
        ),
        registries=RegistriesConf.from_podman_info(document.get("registries")),
    )


def objects(document: object, what: str) -> list[dict[str, t.Any]]:
    """The entries of what C(what) printed.

    Raises:
        StoreError: It is not a list of objects.
    """
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise StoreError(f"{what} printed something other than a list of objects")
    return document


def _strings(value: object) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _container_id(value: object, what: str) -> str:
    if not is_container_id(value):
        raise StoreError(f"{what} printed a container without a valid ID")
    return t.cast("str", value)
