# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a host's own engine is started with: options, and the path of its settings."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import InputError

#: Options that are on or off, and those that take a value, after an equals sign or as the next word.
_SWITCHES = ("--repair", "--validate")
_VALUES: dict[str, t.Collection[str] | None] = {"--follow": ("plan", "registry"), "--scope": ("system", "all")}
_LONGEST = 4096


@dataclass(frozen=True)
class EngineWords:
    """What was asked for. C(path) is the file of settings; C(validate) only reads it, and looks for the libraries.

    C(repair) only finishes or undoes what an earlier run was interrupted in. C(follow) is C(plan) or C(registry), where it is
    not to be as the settings say.
    C(scope) is C(all) where root updates everybody's containers, and not the system's alone.
    """

    path: str
    validate: bool = False
    repair: bool = False
    scope: str = "system"
    follow: str | None = None


def read_words(words: t.Sequence[str]) -> EngineWords:
    """The words after the program's name.

    Raises:
        InputError: They are none that the engine knows; it says which there are.
    """
    given: dict[str, t.Any] = {}
    paths: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            paths.append(word)
        elif word in _SWITCHES:
            given[_field(word)] = True
        elif name in _VALUES and (equals or left):
            given[_field(name)] = _choice(name, value if equals else left.pop(0))
        else:
            raise InputError(_usage())
    if len(paths) != 1 or not 0 < len(paths[0]) <= _LONGEST:
        raise InputError(_usage())
    return EngineWords(paths[0], **given)


def _field(option: str) -> str:
    return option.strip("-").replace("-", "_")


def _choice(name: str, value: str) -> str:
    choices = _VALUES[name]
    if choices is not None and value not in choices:
        raise InputError(f"{name} may be {', '.join(sorted(choices))}, not {value[:64]!r}")
    return value


def _usage() -> str:
    options = [*_SWITCHES, *(f"{name} VALUE" for name in _VALUES)]
    return "usage: engine.pyz " + " ".join(f"[{option}]" for option in options) + " FILE"
