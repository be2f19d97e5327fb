# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Join edges to the flow: each outside system is connected only where something is to be asked of it."""

from __future__ import annotations

import contextlib
import pathlib
import threading
import typing as t

from .._edges.procfs import ProcFs
from .._pure.errors import EngineError, InputError, MissingLibraryError, UnitError
from .settings import REGISTRY_SECONDS, Access, Settings

if t.TYPE_CHECKING:
    from .._edges.accounts import Account
    from .._edges.ahead import Ahead
    from .._edges.credentials import CredentialFiles
    from .._edges.registry import RegistryClient
    from .._edges.systemd import ServiceManager
    from .._pure.health import GateOptions
    from .._pure.records import HostFacts
    from .._pure.references import Reference
    from .._pure.registries import RegistriesConf
    from .._update.discover import Discovery
    from .._update.protocols import Registry


class Registries:
    """How the flow comes to a registry client, when it needs one, and what is begun before."""

    def __init__(self, access: Access, files: CredentialFiles) -> None:
        self._access = access
        self._files = files
        self._client: RegistryClient | None = None
        self._beginning: threading.Thread | None = None

    def begin(self, host: t.Callable[[], HostFacts], references: t.Collection[Reference], width: int) -> None:
        """Import the libraries and connect, beside the work of whoever calls this; C(host) may take its time."""
        import_ahead()
        self._beginning = threading.Thread(target=self._begin, args=(host, references, width), daemon=True)
        self._beginning.start()

    def connect(self, discovery: Discovery, width: int) -> Registry:
        """The client; C(width) threads will ask it."""
        if self._beginning is not None:
            self._beginning.join()
        return self._client or self._made(discovery.snapshot.host, width)

    def _begin(self, host: t.Callable[[], HostFacts], references: t.Collection[Reference], width: int) -> None:
        from .._edges import ahead, containers_conf  # noqa: PLC0415

        # A connection takes a round trip and podman's answer a while: both pass at once where nothing forbids it.
        begun = {} if containers_conf.may_lead_elsewhere() else ahead.begun(_hosts(references), width)
        with contextlib.suppress(EngineError, InputError):  # Told where it is really needed.
            client = self._made(host(), width, begun)
            client.knock(references)
            self._client = client

    def _made(self, host: HostFacts, width: int, begun: t.Mapping[str, Ahead] | None = None) -> RegistryClient:
        return registry_client(self._access, self._files, host.registries, width, begun)


def _hosts(references: t.Iterable[Reference]) -> set[str]:
    """Who is asked for these where registries.conf says nothing else."""
    from .._pure.registries import RegistriesConf  # noqa: PLC0415

    return {RegistriesConf().endpoint(reference).host for reference in references}


def import_ahead() -> None:
    """Import what asking registries takes, beside the work of whoever calls this: it takes as long as a call of podman."""

    def load() -> None:
        from .._edges.transport import import_libraries  # noqa: PLC0415

        with contextlib.suppress(MissingLibraryError):  # Told when a registry is asked.
            import_libraries()

    threading.Thread(target=load, daemon=True).start()


def registry_client(
    access: Access,
    files: CredentialFiles,
    conf: RegistriesConf,
    width: int,
    begun: t.Mapping[str, Ahead] | None = None,
    timeout: float = REGISTRY_SECONDS,
) -> RegistryClient:
    """A client for all registries, set up as the caller and registries.conf say; C(begun) as it takes it.

    C(timeout) is that of one request, in seconds.
    """
    # Imported only where a registry is asked.
    from .._edges.registry import RegistryClient  # noqa: PLC0415
    from .._edges.transport import TlsOptions  # noqa: PLC0415

    tls = TlsOptions(access.validate_certs, access.ca_path)
    return RegistryClient(conf, files, tls, timeout=timeout, width=width, budget=access.request_budget, begun=begun)


def gate_options(settings: Settings) -> GateOptions:
    """How units are judged; the operator's command bound to the edge that runs it."""
    from .._edges import health_command  # noqa: PLC0415 (only where units are judged)
    from .._pure.health import GateOptions  # noqa: PLC0415

    argv = settings.health_command
    return GateOptions(
        settings.settle, settings.wait_healthy, (lambda unit: health_command.check(argv, unit)) if argv else None
    )


def service_manager(settings: Settings, stack: contextlib.ExitStack) -> t.Callable[[], ServiceManager]:
    """How the flow comes to systemd, when it needs it; closed with C(stack)."""
    connected: list[ServiceManager] = []

    def connect() -> ServiceManager:
        if not connected:
            from .._edges.systemd import ServiceManager  # noqa: PLC0415 (only where systemd is asked)

            address = _bus_of(settings.user) if settings.user else None
            hurried = settings.parallel > Settings.parallel
            manager = ServiceManager(timeout=settings.timeout, address=address, hurried=hurried)
            connected.append(stack.enter_context(manager))
        return connected[0]

    return connect


def process_table(settings: Settings) -> ProcFs:
    """The processes, as the service manager knows them that will be asked."""
    return ProcFs(user_manager=_this_user().manager if settings.user else None)


def _this_user() -> Account:
    from .._edges import accounts  # noqa: PLC0415 (only where units are a user's)

    return accounts.current()


def _bus_of(user: str) -> str:
    """The address of a user's own bus, where pam_systemd(8) says that it is. This process is the user's."""
    bus = pathlib.Path(_this_user().runtime_folder, "bus")
    if not bus.exists():
        raise UnitError(f"{user} has no D-Bus at {bus}: the package dbus-user-session, or lingering, may be missing")
    return f"unix:path={bus}"
