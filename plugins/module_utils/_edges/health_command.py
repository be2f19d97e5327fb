# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""A command of the operator that says whether a unit is well: any program, without a shell, bounded in time."""

from __future__ import annotations

import typing as t

from .._pure.texts import printable
from . import process

_SECONDS = 60.0
_MESSAGE_LENGTH = 300


def check(arguments: t.Sequence[str], unit: str, *, seconds: float = _SECONDS) -> str | None:
    """Run the command with the unit's name in C(UNIT); None if it ends with 0, else what is wrong."""
    name = printable(arguments[0])
    try:
        done = process.run(arguments, timeout=seconds, environment={"UNIT": unit})
    except process.ProcessTimeoutError:
        return f"health_command {name} did not end within {seconds:.0f} s for {unit}"
    except (OSError, ValueError) as error:
        return f"health_command {name} could not be run: {error}"
    if done.code == 0:
        return None
    said = printable(" ".join((done.errors.strip() or done.output.strip()).split())[-_MESSAGE_LENGTH:])
    return f"health_command {name} ended with {done.code} for {unit}{': ' if said else ''}{said}"
