# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The filters of C(podman images --filter), checked before podman is asked (podman-images(1)).

podman takes some nonsense in silence and then finds nothing: a pattern that is none, an ID with C(sha256:), a label
without name. Here it is an error that says what is wrong.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t

from .errors import ImageError, InputError
from .image_names import Source, Transport, parse_image_name
from .texts import printable

_LONGEST = 1024
_MOST = 100
#: Go's strconv.ParseBool.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_ID = re.compile(r"(?:sha256:)?([a-f0-9]{1,64})\Z")
_DIGEST = re.compile(r"sha256:[a-f0-9]{1,64}\Z")
#: Go's time.ParseDuration.
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)\Z")
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?\Z")
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?)?)?"
    r"(?:Z|[-+][0-9]{2}:[0-9]{2})?\Z"
)
#: One element of a Go path.Match pattern: a class, an escaped character, or any other character.
_PATTERN = re.compile(r"(?:\[\^?(?:\\.|[^\]\\-])(?:-?(?:\\.|[^\]\\-]))*\]|\\.|[^\[\\])+\Z")


def checked(filters: t.Sequence[str]) -> tuple[str, ...]:
    """What to give to C(podman images), a C(--filter) each, from C(KEY=VALUE) and C(KEY!=VALUE).

    Raises:
        InputError: A filter is unusable, or two contradict each other.
    """
    if len(filters) > _MOST:
        raise InputError(f"filters: at most {_MOST} are possible, {len(filters)} were given")
    said: dict[tuple[str, str], str] = {}
    result = []
    for text in filters:
        key, operator, value = _split(text)
        try:
            value = _CHECKS[key](value)
        except InputError as error:
            raise InputError(f"filters: {printable(text)!r}: {error}") from None
        if key in _ONCE and said.setdefault((key, operator), value) != value:
            raise InputError(f"filters: {key} is given more than once with different values")
        result.append(f"{key}{operator}{value}")
    return tuple(result)


def _split(text: str) -> tuple[str, str, str]:
    """Split as podman does, which looks for C(!=) first."""
    operator = "!=" if "!=" in text else "="
    key, found, value = text.partition(operator)
    shown = printable(text)
    if not found:
        raise InputError(f"filters: {shown!r} is not KEY=VALUE or KEY!=VALUE")
    if key not in _CHECKS:
        raise InputError(f"filters: {shown!r}: podman has no filter {key!r}; it has {', '.join(sorted(_CHECKS))}")
    if len(text) > _LONGEST or not text.isprintable():
        raise InputError(f"filters: {shown!r} is too long or holds characters that cannot be printed")
    # podman 4.3 reads the option as comma-separated values; the part after the comma would be a filter of its own.
    if "," in value or '"' in value:
        raise InputError(f"filters: {shown!r}: a value cannot hold a comma or a double quote")
    return key, operator, value


def _bool(value: str) -> str:
    if value in _TRUE:
        return "true"
    if value in _FALSE:
        return "false"
    raise InputError("the value must be true or false")


def _containers(value: str) -> str:
    if value == "external":
        raise InputError("podman can tell external containers only when it prunes; the value must be true or false")
    return _bool(value)


def _image(value: str) -> str:
    try:
        name = parse_image_name(value)
    except ImageError as error:
        raise InputError(f"the value must name a local image: {error}") from None
    elsewhere = isinstance(name, Source) and name.transport is not Transport.CONTAINERS_STORAGE
    if elsewhere or value.startswith("docker://"):
        raise InputError("the value must name a local image, and this names one elsewhere")
    return value


def _time(value: str) -> str:
    date = _DATE.match(value)
    try:
        if date:
            day, hour, minute, second = date.groups()
            dt.datetime.fromisoformat(f"{day}T{hour or '00'}:{minute or '00'}:{second or '00'}")
            return value
    except ValueError as error:
        raise InputError(f"there is no such time: {error}") from None
    if _DURATION.match(value) or _SECONDS.match(value):
        return value
    raise InputError(
        "the value must be a time (2026-01-31, 2026-01-31T08:00:00+01:00), a duration before now (90m, 24h; no days)"
        " or seconds since 1970"
    )


def _label(value: str) -> str:
    if not value.partition("=")[0]:
        raise InputError("the label's name is missing")
    return value


def _id(value: str) -> str:
    found = _ID.match(value)
    if not found:
        raise InputError("the value must be the hex digits that an image ID begins with")
    # podman compares what it prints, which is without sha256:.
    return found[1]


def _digest(value: str) -> str:
    if not _DIGEST.match(value):
        raise InputError("the value must be sha256: and the hex digits that a digest begins with")
    return value


def _reference(value: str) -> str:
    if not _PATTERN.match(value):
        raise InputError("the value must be a name or a pattern of a name (*, ?, [a-z])")
    return value


_CHECKS: dict[str, t.Callable[[str], str]] = {
    "after": _image,
    "before": _image,
    "containers": _containers,
    "dangling": _bool,
    "digest": _digest,
    "id": _id,
    "intermediate": _bool,
    "label": _label,
    "manifest": _bool,
    "readonly": _bool,
    "reference": _reference,
    "since": _image,
    "until": _time,
}
#: podman refuses to be told two things about these.
_ONCE = frozenset({"containers", "dangling", "intermediate", "manifest", "readonly"})
