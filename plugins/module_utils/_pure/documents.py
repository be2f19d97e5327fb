# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""JSON documents of images, from strangers: read at a cost in time and memory that has a bound."""

from __future__ import annotations

import json
import typing as t

#: What the engines themselves read at most of a manifest or config (containers/image, internal/iolimits: 4 MiB).
MOST_BYTES = 4 * 1024 * 1024
#: Of anything: three bytes of JSON can become a hundred bytes of Python, so bytes alone bound nothing.
_MOST_VALUES = 150_000
_MOST = 2**63 - 1


class DocumentError(ValueError):
    """The body is not a JSON object, or is one that no image has."""


def load_object(body: bytes, what: str) -> dict[str, t.Any]:
    """Decode a JSON object; numbers that are no sizes (C(int64), not negative) are read as -1.

    Raises:
        DocumentError: It names C(what) and says what is wrong.
    """
    document = load(body, what)
    if not isinstance(document, dict):
        raise DocumentError(f"{what} is not a JSON object")
    return document


def load(body: bytes, what: str) -> t.Any:
    """Decode JSON as C(load_object) does, whatever it is.

    Raises:
        DocumentError: It names C(what) and says what is wrong.
    """
    if len(body) > MOST_BYTES:
        raise DocumentError(f"{what} is larger than {MOST_BYTES} bytes")
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES:
        raise DocumentError(f"{what} has more than {_MOST_VALUES} values")
    try:
        return json.loads(body.decode("utf-8"), parse_int=_size, parse_float=_no_size, parse_constant=_no_size)
    except (ValueError, RecursionError):
        raise DocumentError(f"{what} is not JSON") from None


def sound(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can name and UTF-8 cannot hold; Go reads them so too."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _size(digits: str) -> int:
    """A size in bytes, as Go counts them. Python before 3.11 would take minutes for a number of a million digits."""
    number = int(digits) if len(digits) <= len(str(_MOST)) else -1
    return number if 0 <= number <= _MOST else -1


def _no_size(_text: str) -> int:
    return -1
