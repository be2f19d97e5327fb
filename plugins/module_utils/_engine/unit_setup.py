# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Bring a host's units to what their definitions say: parameters in, result out."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._edges import accounts, acting, process
from .._edges.unit_checks import UnitChecker, quadlet_generator
from .._edges.unit_folders import UnitFolders, packaged
from .._edges.unit_manager import UnitManager
from .._pure.definition_reading import read_definitions
from .._pure.errors import InputError
from .._pure.other_units import units_to_find, unknown_units
from .._pure.unit_files import checked_group
from .._pure.unit_styles import OLDEST_PODMAN, Folder, Rendered, Style, Target, Version, parse_version, rendered
from .._units.changes import Change
from .._units.flow import Row, Setup, SetupFlow
from .alone import alone
from .settings import LONGEST_TIMEOUT, must_be_in_range

_VERSION_SECONDS = 30.0
#: What a host without podman is taken for in a check: it is about to be installed.
_EXPECTED_PODMAN = (5, 0)
_EXPECTED_PATH = "/usr/bin/podman"


@dataclass(frozen=True)
class SetupSettings:
    """What is asked for. C(entries) are the module's own; C(timeout) is in seconds, for each start of units.

    C(lock_timeout) is how long other runs are waited for where units are to be started or stopped, in seconds.
    """

    entries: t.Sequence[t.Mapping[str, t.Any]]
    style: str
    user: str | None
    group: str
    timeout: float
    lock_timeout: float
    check: bool


def set_up(settings: SetupSettings) -> dict[str, t.Any]:
    """Do it, as the user whose units they are.

    Raises:
        InputError: Something that is asked for is impossible; nothing was changed.
        BusyError: Another run did not end in time; nothing was changed.
    """
    must_be_in_range("lock_timeout", settings.lock_timeout, LONGEST_TIMEOUT, least=0)
    account = _account(settings)
    # Asked before the process becomes the user's: podman wants a runtime folder even to say this.
    podman = process.find_program("podman")
    version = _version(podman) if podman else None
    if account is None:
        folders = UnitFolders.of_user(f"/home/{settings.user}")
        return _result(settings, folders, version, user=True, warned=[f"there is no user {settings.user} yet"])
    user = account.uid != 0
    folders = UnitFolders.of_user(account.home) if user else UnitFolders.of_system()
    warned: list[str] = []
    if user and not accounts.has_subordinate_ids(account):
        text = (
            f"{account.name} has no subordinate IDs in /etc/subuid and /etc/subgid, so podman cannot run for this user"
        )
        if not settings.check:
            raise InputError(text)
        warned.append(text)
    return acting.run_as(account, lambda: _result(settings, folders, version, user=user, warned=warned))


def _account(settings: SetupSettings) -> accounts.Account | None:
    """Whose units they are; None in a check for a user that does not exist yet."""
    if settings.user is None:
        return accounts.current()
    account = accounts.find(settings.user)
    if account is None and not settings.check:
        raise InputError(f"there is no user {settings.user[:64]!r}")
    if account and os.geteuid() not in (0, account.uid):
        raise InputError(f"only root can set up units of {account.name}; use become")
    return account


def _result(
    settings: SetupSettings, folders: UnitFolders, version: Version | None, *, user: bool, warned: t.Sequence[str]
) -> dict[str, t.Any]:
    definitions = read_definitions(settings.entries)
    group = checked_group(settings.group)
    told = list(warned)
    podman = process.find_program("podman")
    generator = quadlet_generator(user=user)
    if podman is None or version is None:
        if definitions and not settings.check:
            raise InputError("podman is not installed on this host; the role's entry point prerequisites installs it")
        told += ["podman is not installed yet: the files are those for podman 5"] if definitions else []
    target = Target(
        podman=podman or _EXPECTED_PATH,
        version=version or _EXPECTED_PODMAN,
        quadlet=generator is not None or podman is None,
        kube_folder=folders.folders[Folder.KUBE],
        group=group,
    )
    units = [rendered(definition, Style(settings.style), target) for definition in definitions]
    told += [
        f"{service} is a unit of a package too: the one that is made here hides {path}"
        for unit in units
        if unit.files
        for service in unit.services
        if (path := packaged(service, user=user))
    ]
    manager = UnitManager(user=user, timeout=settings.timeout)
    ready = manager.ready(wait=not settings.check)
    if not ready and not settings.check:
        raise InputError(
            "systemd does not answer" + ("; does the user linger (loginctl enable-linger)?" if user else "")
        )
    told += unknown_units(definitions, manager.facts(units_to_find(definitions))) if ready else []
    checker = UnitChecker(user=user) if podman and ready else None
    setup = _run(SetupFlow(folders, manager, checker, group), units, settings)
    return _told(setup, [*told, *(warning for unit in units for warning in unit.warnings)], check=settings.check)


def _run(flow: SetupFlow, units: t.Sequence[Rendered], settings: SetupSettings) -> Setup:
    """Run the flow. What starts or stops units does so alone, and is decided when nobody else is at work any more."""
    foreseen = flow.run(units, check=True)
    if settings.check:
        return foreseen
    restarts = any(row.operation != "none" for row in foreseen.rows)
    with alone("container_units", settings.lock_timeout, changes=restarts):
        return flow.run(units, check=False)


def _version(podman: str) -> Version:
    try:
        answer = process.run([podman, "--version"], timeout=_VERSION_SECONDS)
    except process.ProcessTimeoutError:
        raise InputError(f"podman --version did not end within {_VERSION_SECONDS:.0f} s; nothing was changed") from None
    except OSError as error:
        raise InputError(f"podman cannot be run: {error.strerror}; nothing was changed") from None
    version = parse_version(answer.output) if answer.code == 0 else None
    if version is None:
        raise InputError(f"podman --version failed with exit code {answer.code}; nothing was changed")
    if version < OLDEST_PODMAN:
        raise InputError(
            f"podman {'.'.join(map(str, version))} is too old; {'.'.join(map(str, OLDEST_PODMAN))} or newer is needed"
        )
    return version


def _told(setup: Setup, warned: t.Sequence[str], *, check: bool) -> dict[str, t.Any]:
    failed = [row for row in setup.rows if row.error]
    changed = sum(row.changed for row in setup.rows)
    would = "would be " if check else ""
    msg = f"{changed} of {len(setup.rows)} units {would}changed" if setup.rows else "there are no units"
    if failed:
        msg = "; ".join(f"{row.name}: {row.error}" for row in failed)
    return {
        "changed": bool(changed),
        "failed": bool(failed),
        "msg": msg,
        "units": [_row(row) for row in sorted(setup.rows, key=lambda row: row.unit)],
        "diff": _diff(setup),
        "warned": list(warned),
    }


def _row(row: Row) -> dict[str, t.Any]:
    return {
        "name": row.name,
        "kind": row.kind or None,
        "style": row.style or None,
        "unit": row.unit,
        "services": list(row.services),
        "files": list(row.files),
        "definition": row.definition,
        "operation": row.operation,
        "enablement": row.enablement,
        "error": row.error,
    }


def _diff(setup: Setup) -> list[dict[str, str]]:
    """One entry for each file, and one for what is done with the units."""

    def shown(change: Change) -> dict[str, str]:
        return {
            "before_header": change.path if change.before is not None else "(no file)",
            "after_header": change.path if change.after is not None else "(no file)",
            "before": change.before or "",
            "after": change.after or "",
        }

    diffs = [shown(change) for change in (*setup.changes.writes, *setup.changes.removals)]
    done = [
        f"{row.unit}: {word}\n"
        for row in setup.rows
        for word in (row.operation, row.enablement)
        if word not in ("none", "unchanged")
    ]
    if done:
        diffs.append({"before_header": "units", "after_header": "units", "before": "", "after": "".join(done)})
    return diffs
