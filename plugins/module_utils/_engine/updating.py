# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""A run over the system's containers: edges joined to the flow."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from .._edges import private_files
from .._edges.credentials import CredentialFiles
from .._edges.definitions import Definitions
from .._edges.podman import FirstLook, Podman
from .._edges.second_engine import SecondEngine, enabled
from .._edges.store_lock import StoreLock
from .._pure.reasons import Reason
from .._pure.selection import Selection
from .._update.flow import Options, Update, World
from .._update.memory import MemoryOptions
from .._update.report import Report
from .joining import Registries, gate_options, process_table, service_manager
from .remembering import HostMemory
from .settings import Settings

if t.TYPE_CHECKING:
    from .._update.planned import Planned


def update(settings: Settings, begun: FirstLook, planned: Planned | None = None, *, check_mode: bool) -> Report:
    """Run the whole flow from what was begun; in check mode only say what it would do.

    Raises:
        InputError: A setting is unusable.
        EngineError: The host could not be looked at; nothing was changed.
        MissingLibraryError: dbus-python or requests is needed and not there.
    """
    selection = Selection.parse(settings.only, settings.exclude, settings.user)
    files = CredentialFiles(settings.access.credentials, settings.access.authfile)
    with contextlib.ExitStack() as stack:
        podman = Podman(authfiles=files.for_podman, verify_tls=settings.access.validate_certs, begun=begun)
        memory = HostMemory()
        registries, bus = Registries(settings.access, files), service_manager(settings, stack)
        world = World(
            podman,
            process_table(settings),
            registries.connect,
            bus,
            registries.begin,
            memory,
            Definitions(bus),
            SecondEngine(settings.lock_timeout),
            StoreLock(settings.caller).holder,
        )
        whole = Update(
            world,
            Options(
                selection,
                settings.policies,
                settings.rollback,
                settings.parallel,
                settings.registry_parallel,
                MemoryOptions(
                    settings.keep,
                    settings.prune,
                    settings.holds,
                    settings.lift_holds,
                    settings.bad_images,
                    planned.plan.id if planned else None,
                ),
                settings.back,
                allow_unsafe_rollback=settings.allow_unsafe_rollback,
                trust_labels=settings.trust_labels,
                limit=settings.limit,
                max_failures=settings.max_failures,
                gate=gate_options(settings),
                planned=planned,
                stage=settings.stage,
            ),
        )
        if not check_mode:
            private_files.sweep()
            memory.tidy()
        if settings.repair_only:
            report = whole.repair(check_mode=check_mode)
        else:
            report = whole.check() if check_mode else whole.run()
        warnings = (*report.warnings, *files.warnings(), *_two_engines(settings))
        return replace(report, warnings=warnings, user=settings.user)


def _two_engines(settings: Settings) -> list[str]:
    """A warning where podman's own updates are enabled for the same containers."""
    units = enabled(user=settings.user is not None)
    if not units:
        return []
    whose = f"{settings.user}'s" if settings.user else "this host's"
    return [
        f"{Reason.SECOND_ENGINE.value}: {' and '.join(units)} of {whose} service manager update the same containers;"
        " let only one engine look after them"
    ]
