# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Shapes of JSON: whether a value of a stranger's is built as it must be, before anything is done with it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

_LONGEST = 4096
_MOST_ENTRIES = 20_000


@dataclass(frozen=True)
class ListOf:
    """A list whose entries all have one shape."""

    entry: t.Any


@dataclass(frozen=True)
class Maybe:
    """Null, or this shape."""

    shape: t.Any


@dataclass(frozen=True)
class OneOf:
    """One of these texts."""

    texts: frozenset[str]


def fits(value: object, shape: t.Any) -> bool:
    """Whether the value has the shape.

    A shape is C(str) (of at most 4096 characters), C(bool), C(int) or C(float) (neither negative), a dict of shapes (an
    object that has at least these keys), or one of the classes here.
    """
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(key in value and fits(value[key], one) for key, one in shape.items())
    if isinstance(shape, Maybe):
        return value is None or fits(value, shape.shape)
    if isinstance(shape, ListOf):
        whole = isinstance(value, list) and len(value) <= _MOST_ENTRIES
        return whole and all(fits(one, shape.entry) for one in t.cast("list[t.Any]", value))
    if isinstance(shape, OneOf):
        return isinstance(value, str) and value in shape.texts
    if shape is str:
        return isinstance(value, str) and len(value) <= _LONGEST and _can_be_written(value)
    if shape in (int, float):
        kinds = (int, float) if shape is float else (int,)
        # Neither infinite nor no number at all, which Python's JSON lets through; and no whole number beyond 64 bits.
        return isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < 2**63
    return isinstance(value, bool)


def _can_be_written(text: str) -> bool:
    """Whether it has no halves of surrogate pairs, which JSON can name and UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def picked(value: t.Any, shape: t.Any) -> t.Any:
    """A copy of what has the shape, without any keys that the shape does not know."""
    if isinstance(shape, Maybe):
        return None if value is None else picked(value, shape.shape)
    if isinstance(shape, ListOf):
        return [picked(one, shape.entry) for one in value]
    if isinstance(shape, dict):
        return {key: picked(value[key], one) for key, one in shape.items()}
    return value
