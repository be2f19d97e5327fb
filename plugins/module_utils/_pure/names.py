# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The names that this collection gives to images on a host, so that what may be needed again is never pruned."""

from __future__ import annotations

import hashlib

_PREFIX = "localhost/podfleet-autoupdate"
_STAGED = f"{_PREFIX}/staged:"


def slot(unit: str, reference: str, number: int = 1) -> str:
    """The tag that keeps a replaced image for one unit and reference; number 1 is the latest."""
    return f"{_PREFIX}/slot:{_key(unit, reference)}-{number}"


def rejected(reference: str, image_id: str) -> str:
    """The tag that keeps an image while it is held: a locally built one may have no other copy."""
    return f"{_PREFIX}/rejected:{_key(reference, image_id)}"


def staged(reference: str, platform: str, digest: str) -> str:
    """The tag that keeps an image that was pulled before its time, until it is activated or another one is wanted."""
    return f"{staged_for(reference, platform)}{_key(digest)}"


def staged_for(reference: str, platform: str) -> str:
    """How the names of all images begin that are staged for one reference and platform."""
    return f"{_STAGED}{_key(reference, platform)}-"


def is_staged(name: str) -> bool:
    """Whether the name keeps a staged image."""
    return name.startswith(_STAGED)


def is_ours(name: str) -> bool:
    """Whether it is a name that only this collection gives and takes."""
    return name.startswith(f"{_PREFIX}/")


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
