# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The reference that a container follows: the image argument of the command that created it.

podman does not report the image name as its user wrote it. The name it resolved to is not enough: a container that was
started by image ID also has one, and would suddenly follow a tag.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .references import InvalidReferenceError, Reference

#: A full ID, or a prefix long enough never to be the value of another option by chance.
_ID = re.compile(r"(?:sha256:)?[a-f0-9]{12,64}\Z")
#: podman accepts any unique prefix; one or two hex digits are far more often the value of another option.
_SHORT_ID = re.compile(r"[a-f0-9]{3,11}\Z")


@dataclass(frozen=True)
class RawName:
    """The image argument: C(reference) is None where it is an image ID."""

    text: str
    reference: Reference | None

    @property
    def pinned(self) -> bool:
        """Whether the argument names one fixed content, by ID or by digest."""
        return self.reference is None or self.reference.digest is not None


def find_raw_name(create_command: t.Sequence[str], resolved_name: str, image_id: str | None) -> RawName | None:
    """Find the argument that normalises to C(resolved_name), podman's ImageName, or that is an ID of the image.

    What is unmistakable, a fully qualified reference or an ID, wins in the order of the command line, because the
    image's own arguments come after it. Otherwise a short ID is preferred to a short name (which may be the value of
    C(--name)): not to follow a tag is the safe mistake. None: there is neither.
    """
    short: RawName | None = None
    by_id: RawName | None = None
    for argument in create_command[1:]:
        if image_id and _is_id_of(argument, image_id):
            if _ID.match(argument):
                return RawName(argument, None)
            by_id = by_id or RawName(argument, None)
            continue
        reference = _reference(argument, resolved_name)
        if reference is None:
            continue
        if reference.fully_qualified:
            return RawName(argument, reference)
        short = short or RawName(argument, reference)
    return by_id or short


def _is_id_of(argument: str, image_id: str) -> bool:
    if not (_ID.match(argument) or _SHORT_ID.match(argument)):
        return False
    bare = argument[len("sha256:") :] if argument.startswith("sha256:") else argument
    return image_id[len("sha256:") :].startswith(bare)


def _reference(argument: str, resolved_name: str) -> Reference | None:
    try:
        reference = Reference.parse(argument)
    except InvalidReferenceError:
        return None
    return reference if reference.matches(resolved_name) else None
