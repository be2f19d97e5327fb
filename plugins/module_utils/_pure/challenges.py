# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""C(WWW-Authenticate) challenges (RFC 9110, section 11.6.1): what a registry wants to see before it answers."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_SCHEME = re.compile(rf"({_WORD})(?=[ \t,]|\Z)(?![ \t]*=)")
_PARAMETER = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_BETWEEN = " \t,"
#: A challenge names a realm, a service and a scope; a longer header is not worth reading.
_LONGEST = 8192


@dataclass(frozen=True)
class Challenge:
    """One challenge: the scheme in lower case and its parameters, with lower-case names."""

    scheme: str
    parameters: t.Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read all challenges of a header; commas may stand within and between them. What cannot be read ends the list."""
    header = header[:_LONGEST]
    challenges = []
    position = _skip(header, 0)
    while scheme := _SCHEME.match(header, position):
        position = _skip(header, scheme.end())
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            name, quoted, plain = parameter.groups()
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if plain is None else plain)
            position = _skip(header, parameter.end())
        challenges.append(Challenge(scheme.group(1).lower(), parameters))
    return tuple(challenges)


def _skip(header: str, position: int) -> int:
    """The position of what follows spaces and the commas of (possibly empty) list elements."""
    while position < len(header) and header[position] in _BETWEEN:
        position += 1
    return position
