# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Image configs (OCI image spec, C(config.md); Docker's are the same here): platform, time and labels of one image.

The config is what an image ID is the digest of. No I/O; every byte is hostile input.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t
from dataclasses import dataclass, field

from .documents import DocumentError, load_object, sound
from .platforms import Platform

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d{0,20})?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))\Z",
    re.ASCII,
)
#: Go's zero time, which is what the engines write where an image says nothing.
_NEVER = "0001-01-01T00:00:00Z"


class ImageConfigError(ValueError):
    """The body is not an image config."""


@dataclass(frozen=True)
class ImageConfig:
    """What a config tells; C(created) is RFC 3339 in UTC. None where the config does not say."""

    platform: Platform | None
    created: str | None
    labels: t.Mapping[str, str] = field(default_factory=dict)


def parse_config(body: bytes) -> ImageConfig:
    """Read an image config. Fields that are missing, or are not what the spec says, count as not said.

    Raises:
        ImageConfigError: The body is not a JSON object, or is one that no image has.
    """
    try:
        document = load_object(body, "the image config")
    except DocumentError as error:
        raise ImageConfigError(str(error)) from None
    settings = document.get("config")
    labels = settings.get("Labels") if isinstance(settings, dict) else None
    return ImageConfig(_platform(document), utc(document.get("created")), _texts(labels))


def utc(value: object) -> str | None:
    """An RFC 3339 time in UTC, as podman prints it; None if it is none, or is Go's zero time."""
    found = _TIME.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    day, clock, fraction, sign, hours, minutes = found.groups()
    try:
        moment = dt.datetime.strptime(f"{day}T{clock}", "%Y-%m-%dT%H:%M:%S")
        if sign:
            ahead = dt.timedelta(hours=int(hours), minutes=int(minutes))
            moment = moment - ahead if sign == "+" else moment + ahead
    except (ValueError, OverflowError):
        return None
    fraction = (fraction or "").rstrip("0")
    text = f"{moment.isoformat()}{'.' if fraction else ''}{fraction}Z"
    return None if text == _NEVER else text


def _platform(document: dict[str, t.Any]) -> Platform | None:
    os, architecture, variant = (document.get(key) for key in ("os", "architecture", "variant"))
    if not (isinstance(os, str) and os and isinstance(architecture, str) and architecture):
        return None
    return Platform.normalised(sound(os), sound(architecture), sound(variant) if isinstance(variant, str) else "")


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {sound(key): sound(text) for key, text in value.items() if isinstance(text, str)}
