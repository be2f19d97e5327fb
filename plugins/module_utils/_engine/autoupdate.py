# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine's front door for updates: settings in, report out. It knows nothing of Ansible."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._edges.podman import FirstLook
from .._edges.second_engine import SecondEngine
from .alone import alone
from .settings import Settings, must_be_owner, must_be_usable

if t.TYPE_CHECKING:
    from .._update.planned import Planned
    from .._update.report import Report


def autoupdate(settings: Settings, *, check_mode: bool) -> Report:
    """Run the whole flow over the containers of the system, of a user, or of everybody; in check mode only say what it would do.

    Raises:
        InputError: A setting is unusable.
        BusyError: Another run, or podman's own, did not end in time; nothing was changed.
        EngineError: The host could not be looked at; nothing was changed.
        MissingLibraryError: dbus-python or requests is needed and not there.
    """
    must_be_owner(settings)
    must_be_usable(settings)
    if settings.everyone:
        from .everyone import update_everyone  # noqa: PLC0415 (where it is asked for)

        def run(own: Settings, may_have_containers: bool) -> dict[str, t.Any]:
            return _one_of_all(own, check_mode=check_mode).to_result(()) if may_have_containers else {}

        return update_everyone(settings, run, check_mode=check_mode)
    plan = _planned(settings)
    with alone(settings.caller, settings.lock_timeout, changes=not check_mode):
        begun = FirstLook()
        second = SecondEngine(settings.lock_timeout)
        if not check_mode and second.running() is not None:
            second.wait()
            begun = FirstLook()
        # podman is at work by now: importing the rest takes about as long, most of all where Ansible has just sent it.
        from .updating import update  # noqa: PLC0415

        return update(settings, begun, plan, check_mode=check_mode)


def _one_of_all(settings: Settings, *, check_mode: bool) -> Report:
    """A run for one of everybody, who has a last plan of their own where plans are followed."""
    if not settings.follow_plan:
        return autoupdate(settings, check_mode=check_mode)
    from .planning import following  # noqa: PLC0415 (most runs follow none)

    follower, why = following(settings)
    report = autoupdate(follower, check_mode=check_mode)
    return replace(report, warnings=(*report.warnings, why)) if follower.repair_only else report


def _planned(settings: Settings) -> Planned | None:
    if settings.plan is None:
        return None
    from .planning import planned  # noqa: PLC0415 (most runs follow none)

    return planned(settings)
