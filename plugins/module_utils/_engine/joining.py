# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Join edges to the flow: each outside system is connected only where something is to be asked of it."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._pure.errors import MissingLibraryError
from .settings import REGISTRY_SECONDS, Access, Settings

if t.TYPE_CHECKING:
    from .._edges.credentials import CredentialFiles
    from .._update.discover import Discovery
    from .._update.protocols import Registry, Units


def registries(access: Access, files: CredentialFiles) -> t.Callable[[Discovery, int], Registry]:
    """How the flow comes to a registry client, when it needs one."""

    def connect(discovery: Discovery, width: int) -> Registry:
        # Imported only where a registry is asked.
        from .._edges.registry import RegistryClient  # noqa: PLC0415
        from .._edges.transport import TlsOptions  # noqa: PLC0415

        tls = TlsOptions(access.validate_certs, access.ca_path)
        conf = discovery.snapshot.host.registries
        return RegistryClient(conf, files, tls, timeout=REGISTRY_SECONDS, width=width)

    return connect


def prepare_registries() -> None:
    """Import what asking registries takes, beside the work of whoever calls this: it takes as long as a call of podman."""

    def load() -> None:
        from .._edges.transport import import_libraries  # noqa: PLC0415

        with contextlib.suppress(MissingLibraryError):  # Told when a registry is asked.
            import_libraries()

    threading.Thread(target=load, daemon=True).start()


def system_bus(settings: Settings, stack: contextlib.ExitStack) -> t.Callable[[], Units]:
    """How the flow comes to systemd, when it needs it; closed with C(stack)."""
    connected: list[Units] = []

    def connect() -> Units:
        if not connected:
            from .._edges.systemd import SystemBus  # noqa: PLC0415 (only where systemd is asked)

            connected.append(stack.enter_context(SystemBus(timeout=settings.timeout)))
        return connected[0]

    return connect
