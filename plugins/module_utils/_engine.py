# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door: settings in, report out. It joins the edges to the flow, and knows nothing of Ansible."""

from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t
from dataclasses import dataclass, field

from ._edges.credentials import CredentialFiles
from ._edges.podman import Podman
from ._edges.procfs import ProcFs
from ._pure.credentials import Credential
from ._pure.errors import InputError, MissingLibraryError, UnitError
from ._pure.policies import Policy
from ._pure.reasons import Status
from ._pure.selection import Selection
from ._update.discover import Discovery, discover
from ._update.flow import Options, Update, World
from ._update.report import Report, identity, row_warning, unchecked_warning

if t.TYPE_CHECKING:
    from ._pure.units import UnitFacts
    from ._update.protocols import Registry, Units

#: Measured: more at once gains nothing on a registry's side, and is impolite.
_REGISTRY_WIDTH = 8
_REGISTRY_SECONDS = 30.0
_LONGEST_TIMEOUT = 24 * 3600
_WIDEST = 100


@dataclass(frozen=True)
class Settings:
    """What a caller may set. C(timeout) bounds a restart, in seconds."""

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    policies: frozenset[Policy] = frozenset(Policy)
    rollback: bool = True
    timeout: float = 180.0
    parallel: int = 8
    credentials: t.Mapping[str, Credential] = field(default_factory=dict)
    authfile: str | None = None
    validate_certs: bool | None = None
    ca_path: str | None = None


def autoupdate(settings: Settings, *, check_mode: bool) -> Report:
    """Run the whole flow over the system's containers; in check mode only say what it would do.

    Raises:
        InputError: A setting is unusable.
        EngineError: The host could not be looked at; nothing was changed.
        MissingLibraryError: dbus-python or requests is needed and not there.
    """
    _must_be_root()
    _must_be_usable(settings)
    selection = Selection.parse(settings.only, settings.exclude)
    files = CredentialFiles(settings.credentials, settings.authfile)
    with contextlib.ExitStack() as stack:
        podman = Podman(stack.enter_context(files.for_podman()), verify_tls=settings.validate_certs)
        world = World(podman, ProcFs(), _registries(settings, files), _system_bus(settings, stack))
        update = Update(
            world,
            Options(selection, settings.policies, settings.rollback, settings.parallel, _REGISTRY_WIDTH),
        )
        return update.check() if check_mode else update.run()


@dataclass(frozen=True)
class Inventory:
    """The workloads of a host with their units' states, and what there is to warn about."""

    discovery: Discovery
    units: t.Mapping[str, UnitFacts]
    warnings: tuple[str, ...]

    def to_result(self) -> dict[str, t.Any]:
        """What C(autoupdate_info) returns."""
        rows = []
        for workload in self.discovery.workloads:
            facts = self.units.get(workload.unit or "")
            image = self.discovery.snapshot.images.get(workload.image_id or "")
            rows.append(
                {
                    **identity(workload),
                    "pinned": workload.finding is not None and workload.finding.status is Status.PINNED,
                    "reason": workload.finding.reason.value if workload.finding and workload.finding.reason else None,
                    "error": workload.finding.error if workload.finding else None,
                    "running": {
                        "id": workload.image_id,
                        "digest": workload.image_digest,
                        "digests": sorted(workload.digests),
                        "platform": str(image.platform) if image and image.platform else None,
                    },
                    "unit_state": {
                        "load_state": facts.load_state,
                        "active_state": facts.active_state,
                        "sub_state": facts.sub_state,
                        "job_running": facts.job_running,
                    }
                    if facts
                    else None,
                    "warnings": [reason.value for reason in workload.warnings],
                }
            )
        return {"changed": False, "workloads": rows, "warned": self.warnings}


def inventory(settings: Settings) -> Inventory:
    """Find the workloads of a host. No registry is asked, nothing is changed.

    Raises:
        InputError: A setting is unusable.
        EngineError: The host could not be looked at.
    """
    _must_be_root()
    _must_be_usable(settings)
    selection = Selection.parse(settings.only, settings.exclude)
    discovery = discover(Podman(), ProcFs(), selection, settings.policies)
    warnings = discovery.pattern_warnings()
    names = {one.unit for one in discovery.workloads if one.unit and one.finding is None}
    units: dict[str, UnitFacts] = {}
    try:
        with contextlib.ExitStack() as stack:
            units = _system_bus(settings, stack)().facts(names) if names else {}
    except (UnitError, MissingLibraryError) as error:
        warnings.append(unchecked_warning(error))
    warnings += [row_warning(one, reason) for one in discovery.workloads for reason in one.warnings]
    return Inventory(discovery, units, tuple(warnings))


def _registries(settings: Settings, files: CredentialFiles) -> t.Callable[[Discovery], Registry]:
    def connect(discovery: Discovery) -> Registry:
        # Imported only where a registry is asked.
        from ._edges.registry import RegistryClient  # noqa: PLC0415
        from ._edges.transport import TlsOptions  # noqa: PLC0415

        tls = TlsOptions(settings.validate_certs, settings.ca_path)
        conf = discovery.snapshot.host.registries
        return RegistryClient(conf, files.book(), tls, timeout=_REGISTRY_SECONDS, width=_REGISTRY_WIDTH)

    return connect


def _system_bus(settings: Settings, stack: contextlib.ExitStack) -> t.Callable[[], Units]:
    connected: list[Units] = []

    def connect() -> Units:
        if not connected:
            from ._edges.systemd import SystemBus  # noqa: PLC0415 (only where systemd is asked)

            connected.append(stack.enter_context(SystemBus(timeout=settings.timeout)))
        return connected[0]

    return connect


def _must_be_root() -> None:
    if os.geteuid() != 0:
        raise InputError("scope system means root's containers: run as root, in Ansible with become: true")


def _must_be_usable(settings: Settings) -> None:
    for name, most in (("timeout", _LONGEST_TIMEOUT), ("parallel", _WIDEST)):
        if not 0 < getattr(settings, name) <= most:
            raise InputError(f"{name} must be between 1 and {most}, not {getattr(settings, name)}")
    if not settings.policies:
        raise InputError("policies is empty, so nothing would be looked at; leave it out, or name registry or local")
    if settings.ca_path is not None and not pathlib.Path(settings.ca_path).is_file():
        raise InputError(f"ca_path: {settings.ca_path} is not there, or is not a file on this host")
