# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""How values of the playbooks' variables are read: each reader is given the variable's name and refuses what cannot be meant."""

from __future__ import annotations

import typing as t

from .._pure.errors import InputError
from .._pure.selection import Selection
from .._pure.texts import harmless

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def boolean(name: str, value: object) -> bool:
    """A truth, or one of the words that YAML and surveys have for it.

    Raises:
        InputError: It is neither.
    """
    found = value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
    if found is None:
        raise InputError(f"{name}: {harmless(value)!r} is neither true nor false")
    return found


def number(name: str, value: object, most: int, *, least: int = 0, digits: int | None = None) -> int:
    """A whole number, or a text of at most C(digits) digits: by default as many as C(most) has.

    Raises:
        InputError: It is none, or out of bounds.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    sound = text.isascii() and text.isdigit() and len(text) <= (digits or len(str(most)))
    if not (sound and least <= int(text) <= most):
        raise InputError(f"{name}: {harmless(value)!r} is no number from {least} to {most}")
    return int(text)


def patterns(name: str, value: t.Any) -> list[str]:
    """Patterns of C(only) or C(exclude): a list, or a text with commas or a line for each.

    Raises:
        InputError: One is unusable.
    """
    parts = value.replace("\n", ",").split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"{name}: write a list of patterns, such as [unit:web*]")
    found = [str.__str__(part).strip() for part in parts if part.strip()]
    try:
        Selection.parse(found, ())
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    return found
