# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The one place where the engine meets Ansible: errors become fail_json, a missing library becomes a respawn."""

from __future__ import annotations

import importlib.util
import signal
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from .._pure.errors import EngineError, InputError, MissingLibraryError

#: Where distributions install what their python3-dbus and python3-requests packages are built for.
_SYSTEM_INTERPRETERS = ("/usr/bin/python3", "/usr/libexec/platform-python", "/usr/local/bin/python3")


def run(module: AnsibleModule, body: t.Callable[[], dict[str, t.Any]], libraries: t.Sequence[str]) -> t.NoReturn:
    """Run a module's body and end the module: with its result, or with one clear failure.

    C(libraries) are those that the body may import; where the running interpreter lacks one, the module starts again
    under an interpreter of the system that has them all. What the body returns under C(failed) decides how it ends.
    """
    _respawn_where_libraries_are(libraries)
    _turn_signals_into_exits()
    try:
        result = body()
    except InputError as error:
        module.fail_json(msg=str(error))
    except MissingLibraryError as error:
        module.fail_json(msg=missing_required_lib(error.package), exception=error.traceback)
    except EngineError as error:
        module.fail_json(msg=str(error), reason=error.reason.value)
    warnings = result.pop("warned", ())
    for warning in warnings:
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def _respawn_where_libraries_are(libraries: t.Sequence[str]) -> None:
    if has_respawned() or all(importlib.util.find_spec(name) for name in libraries):
        return
    for interpreter in _SYSTEM_INTERPRETERS:
        # Cores before 2.21 probe for one library only, so each is asked for by itself.
        if all(probe_interpreters_for_module([interpreter], name) for name in libraries):
            respawn_module(interpreter)


def _turn_signals_into_exits() -> None:
    """A module that is told to end leaves like any other: what it must remove, it removes."""

    def leave(received: int, _frame: object) -> t.NoReturn:
        raise SystemExit(128 + received)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
