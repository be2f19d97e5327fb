# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door for pulls: settings in, report out. It knows nothing of Ansible."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from .._edges import containers_conf
from .._edges.credentials import CredentialFiles
from .._edges.podman_pull import PodmanTransfers
from .._edges.podman_store import PodmanStore
from .._edges.state import StateFile
from .._edges.store_lock import StoreLock
from .._images.pull import Options, Pull, World
from .._images.pull_report import PullReport
from .._pure.disk_space import Headroom
from .._pure.errors import InputError
from .._pure.platforms import Platform
from .._pure.pull_policies import parse_pull_policy
from .._pure.references import Reference
from .._pure.short_names import ShortNames
from .._pure.signature_policy import SignaturePolicy
from .._pure.state import State
from .joining import registry_client
from .settings import (
    LOCK_SECONDS,
    LONGEST_TIMEOUT,
    REGISTRY_SECONDS,
    REGISTRY_WIDTH,
    WIDEST,
    Access,
    must_be_in_range,
    must_be_reachable,
)
from .sources import HostSources

if t.TYPE_CHECKING:
    from .._images.pull_protocols import Registry
    from .._pure.records import HostFacts

_MOST_RETRIES = 100


@dataclass(frozen=True)
class PullSettings:
    """What a caller may set. C(timeout) bounds each image's transfer, in seconds; C(retries) is None for podman's own.

    C(registry_timeout) bounds one request to a registry, in seconds, C(lock_timeout) the wait for other runs.
    """

    names: tuple[str, ...]
    policy: str = "missing"
    platform: str | None = None
    headroom: str = "0"
    lift_holds: bool = False
    retries: int | None = None
    timeout: float = 3600.0
    parallel: int = 3
    registry_timeout: float = REGISTRY_SECONDS
    lock_timeout: float = LOCK_SECONDS
    access: Access = field(default_factory=Access)


def pull(settings: PullSettings, *, check_mode: bool) -> PullReport:
    """Have the images in the store of the user who runs this process; in check mode only say what would be done.

    Raises:
        InputError: A setting is unusable.
        BusyError: Another run did not end in time; nothing was changed.
        EngineError: The host could not be looked at; nothing was changed.
        MissingLibraryError: requests is needed and not there.
    """
    options = _options(settings)
    files = CredentialFiles(settings.access.credentials, settings.access.authfile)
    transfers = PodmanTransfers(
        files.for_podman,
        verify_tls=settings.access.validate_certs,
        retries=settings.retries,
        timeout=settings.timeout,
    )

    def registry(host: HostFacts) -> Registry:
        return registry_client(
            settings.access, files, host.registries, REGISTRY_WIDTH, timeout=settings.registry_timeout
        )

    lock = StoreLock("image_pull")
    glanced = lock.glance()

    def alone() -> t.ContextManager[bool]:
        return lock.held(settings.lock_timeout, glanced)

    run = Pull(World(PodmanStore(transfers), registry, HostSources(), HostRules(), alone), options)
    report = run.check(settings.names) if check_mode else run.run(settings.names)
    return replace(report, warnings=(*report.warnings, *files.warnings()))


def _options(settings: PullSettings) -> Options:
    if not settings.names:
        raise InputError("name is empty, so nothing would be pulled; it must hold at least one image")
    must_be_in_range("timeout", settings.timeout, LONGEST_TIMEOUT)
    must_be_in_range("registry_timeout", settings.registry_timeout, LONGEST_TIMEOUT)
    must_be_in_range("lock_timeout", settings.lock_timeout, LONGEST_TIMEOUT, least=0)
    must_be_in_range("parallel", settings.parallel, WIDEST)
    if settings.retries is not None:
        must_be_in_range("retries", settings.retries, _MOST_RETRIES, least=0)
    must_be_reachable(settings.access)
    return Options(
        parse_pull_policy(settings.policy),
        Platform.parse(settings.platform) if settings.platform else None,
        Headroom.parse(settings.headroom),
        settings.lift_holds,
        settings.parallel,
        REGISTRY_WIDTH,
    )


class HostRules:
    """What this host says about names, signatures and holds; its files are read once, and only where they are asked."""

    def __init__(self) -> None:
        self._short_names: ShortNames | None = None
        self._signatures: SignaturePolicy | None = None
        self._state = StateFile()

    def candidates(self, reference: Reference, search: t.Sequence[str]) -> tuple[Reference, ...]:
        """What a reference may mean, in order."""
        if self._short_names is None:
            self._short_names = containers_conf.short_names()
        return self._short_names.candidates(reference, search)

    def signatures(self) -> SignaturePolicy:
        """The host's policy.json."""
        if self._signatures is None:
            self._signatures = containers_conf.signature_policy()
        return self._signatures

    def state(self) -> State:
        """What this collection remembers."""
        return self._state.read().at(datetime.now(timezone.utc))

    def lift(self, reference: str, platform: Platform) -> None:
        """Forget the holds of a reference."""
        if self.state().lifted(reference, platform) != self.state():
            self._state.change(lambda state: state.lifted(reference, platform))
