# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Restarts of named units: settings in, result out. It knows nothing of Ansible."""

from __future__ import annotations

import contextlib
import typing as t

from .._edges.definitions import Definitions
from .._edges.podman import Podman
from .._edges.second_engine import SecondEngine
from .._pure.errors import InputError
from .._pure.ownership import is_service_name
from .._pure.texts import printable
from .._update.gate import Gate
from .._update.restart import Condition, Restarting, RestartRow
from .alone import alone
from .joining import gate_options, process_table, service_manager
from .remembering import HostMemory
from .settings import Settings, must_be_owner, must_be_usable

if t.TYPE_CHECKING:
    from .._update.protocols import Units

_MOST_UNITS = 1000
_SHORT = len("sha256:") + 12


def restart_units(
    settings: Settings, unit_names: t.Sequence[str], condition: str, *, check_mode: bool
) -> dict[str, t.Any]:
    """Restart units and judge them; in check mode only say which.

    Raises:
        InputError: A name or setting is unusable; nothing was done.
        BusyError: Another run, or podman's own, did not end in time; nothing was changed.
        EngineError: The host could not be looked at; nothing was changed.
        MissingLibraryError: dbus-python is needed and not there.
    """
    must_be_owner(settings)
    must_be_usable(settings)
    wanted = checked_names(unit_names)
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone("unit_restart", settings.lock_timeout, changes=not check_mode))
        if not check_mode:
            SecondEngine(settings.lock_timeout).wait()
        podman = Podman()
        bus = service_manager(settings, stack)

        def gate(units: Units) -> Gate:
            return Gate(podman, units, gate_options(settings))

        run = Restarting(podman, process_table(settings), bus, Definitions(bus), Condition(condition), HostMemory())
        rows = (run.check(wanted) if check_mode else run.run(wanted, gate)) if wanted else []
        return _told(rows, run.warnings, settings.user, check_mode=check_mode)


def checked_names(unit_names: t.Sequence[str]) -> list[str]:
    """The names of services, each once; like systemctl(1), C(web) means C(web.service).

    Raises:
        InputError: One is not the name of a service that can be started.
    """
    if len(unit_names) > _MOST_UNITS:
        raise InputError(f"name holds more than {_MOST_UNITS} units; restart them in several tasks")
    whole = [one if one.endswith(".service") else f"{one}.service" for one in unit_names]
    for given, name in zip(unit_names, whole):
        if not is_service_name(name):
            raise InputError(
                f"name: {given[:80]!r} is not the name of a service that can be restarted; write for example web.service"
            )
    return list(dict.fromkeys(whole))


def _told(
    rows: t.Sequence[RestartRow], warnings: t.Sequence[str], user: str | None, *, check_mode: bool
) -> dict[str, t.Any]:
    restarted = [row for row in rows if row.restarted]
    failed = [row for row in rows if row.failed]
    skipped = [row for row in rows if row.reason and not row.failed and not row.restarted]
    would = "would be " if check_mode else ""
    msg = f"{len(restarted)} of {len(rows)} units {would}restarted"
    if failed:
        msg += "; " + "; ".join(f"{row.unit}: {row.reason.value if row.reason else ''}: {row.error}" for row in failed)
    return {
        "changed": bool(restarted),
        "failed": bool(failed),
        "units": [_row(row, user) for row in rows],
        "msg": printable(msg),
        "diff": _diff(restarted),
        "warned": [*warnings, *(printable(f"{row.unit}: not restarted: {row.error}") for row in skipped)],
    }


def _row(row: RestartRow, user: str | None) -> dict[str, t.Any]:
    facts = row.facts
    return {
        "unit": row.unit,
        "scope": "user" if user else "system",
        "user": user,
        "stale": row.stale,
        "restarted": row.restarted,
        "reason": row.reason.value if row.reason else None,
        "error": row.error,
        "dependents": None if row.dependents is None else list(row.dependents),
        "job_result": row.job_result,
        "active_state": facts.active_state if facts else None,
        "sub_state": facts.sub_state if facts else None,
        "main_pid": facts.main_pid if facts else None,
        "n_restarts": facts.n_restarts if facts else None,
        "duration": None if row.duration is None else round(row.duration, 3),
    }


def _diff(restarted: t.Sequence[RestartRow]) -> dict[str, str]:
    before, after = [], []
    for row in restarted:
        before.append(f"{row.unit}:")
        after.append(f"{row.unit}: restarted")
        for name, image, old, new in row.moves:
            before.append(printable(f"  {name} ({image}): {old[:_SHORT]}"))
            after.append(printable(f"  {name} ({image}): {new[:_SHORT]}"))
    return {
        "before_header": "units",
        "after_header": "units",
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }
