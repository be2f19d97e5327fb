# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door for comparing images with registries. Nothing is changed."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from .._edges.credentials import CredentialFiles
from .._edges.podman_images import PodmanImages
from .._images.compare import Compared, compare
from .._pure.comparisons import Comparison
from .._pure.platforms import Platform
from .._pure.reasons import ImageStatus
from .._pure.records import HostFacts
from .._pure.texts import printable
from .joining import import_ahead, registry_client
from .settings import (
    LONGEST_TIMEOUT,
    REGISTRY_SECONDS,
    REGISTRY_WIDTH,
    WIDEST,
    Access,
    must_be_in_range,
    must_be_reachable,
)

if t.TYPE_CHECKING:
    from .._images.registry_protocols import Registry

_MOST_NAMED = 5


@dataclass(frozen=True)
class DigestSettings:
    """What a caller may ask. C(timeout) bounds each request in seconds."""

    names: tuple[str, ...]
    platform: str | None = None
    registry_parallel: int = REGISTRY_WIDTH
    timeout: float = REGISTRY_SECONDS
    access: Access = field(default_factory=Access)


@dataclass(frozen=True)
class DigestReport:
    """What was found, and what there is to warn about."""

    compared: Compared
    warnings: tuple[str, ...]

    def to_result(self, fail_on: t.Collection[str]) -> dict[str, t.Any]:
        """What C(image_digest_info) returns; C(fail_on) are the statuses that make it a failure."""
        compared = self.compared
        unusable = bool(compared.unusable)
        return {
            "changed": False,
            "failed": unusable or any(_status(one).value in fail_on for one in compared.images),
            "warned": self.warnings,
            "images": [_row(one) for one in compared.images],
            "registries": [asdict(usage) for usage in compared.registries],
            "msg": self._sentence(),
        }

    def _sentence(self) -> str:
        images = self.compared.images
        if not images:
            return "No image was named."
        noun = "image" if len(images) == 1 else "images"
        counted = f"{len(images)} {noun}: {', '.join(filter(None, map(self._counted, ImageStatus)))}."
        return " ".join([counted, *(f"{printable(str(one.error))}." for one in self.compared.unusable[:_MOST_NAMED])])

    def _counted(self, status: ImageStatus) -> str:
        of_it = [one for one in self.compared.images if one.status is status]
        if not of_it:
            return ""
        named = ""
        if status is ImageStatus.UNKNOWN:
            shown = [
                f"{printable(one.query)}: {one.reason.value if one.reason else '-'}" for one in of_it[:_MOST_NAMED]
            ]
            more = [f"and {len(of_it) - len(shown)} more"] if len(of_it) > len(shown) else []
            named = f" ({', '.join(shown + more)})"
        return f"{len(of_it)} {status.value}{named}"


def digests(settings: DigestSettings) -> DigestReport:
    """Compare images in the storage of the user who runs this process with their registries.

    Raises:
        InputError: A setting is unusable.
        StoreError: podman could not be asked.
        MissingLibraryError: requests is needed and not there.
    """
    _must_be_usable(settings)
    platform = Platform.parse(settings.platform) if settings.platform else None
    files = CredentialFiles(settings.access.credentials, settings.access.authfile)
    if settings.names:
        import_ahead()
        compared = compare(
            PodmanImages(), _connect(settings, files), settings.names, platform, settings.registry_parallel
        )
    else:
        compared = Compared((), ())
    return DigestReport(compared, tuple(dict.fromkeys((*_warnings(compared), *files.warnings()))))


def _connect(settings: DigestSettings, files: CredentialFiles) -> t.Callable[[HostFacts, int], Registry]:
    def connect(host: HostFacts, width: int) -> Registry:
        return registry_client(settings.access, files, host.registries, width, timeout=settings.timeout)

    return connect


def _must_be_usable(settings: DigestSettings) -> None:
    must_be_in_range("registry_parallel", settings.registry_parallel, WIDEST)
    must_be_in_range("registry_timeout", settings.timeout, LONGEST_TIMEOUT)
    must_be_reachable(settings.access)


def _warnings(compared: Compared) -> t.Iterator[str]:
    for one in compared.images:
        if one.status is ImageStatus.UNKNOWN and one not in compared.unusable:
            yield printable(f"{one.query}: unknown: {one.reason.value if one.reason else '-'}: {one.error}")
        for passed in one.remote.passed_over if one.remote else ():
            yield printable(f"{one.query}: {passed}")


def _status(one: Comparison) -> ImageStatus:
    return t.cast("ImageStatus", one.status)


def _row(one: Comparison) -> dict[str, t.Any]:
    local, remote = one.local, one.remote
    return {
        "name": one.query,
        "status": _status(one).value,
        "reason": one.reason.value if one.reason else None,
        "error": one.error,
        "local": {"id": local.id, "digests": sorted(local.digests)} if local else None,
        "remote": {
            "digest": remote.digest,
            "platform_digest": remote.platform_digest,
            "id": remote.id,
            "media_type": remote.media_type,
            "size": remote.size,
            "registry": remote.registry,
        }
        if remote
        else None,
    }
