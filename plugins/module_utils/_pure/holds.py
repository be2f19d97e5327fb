# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Holds: what must not be updated, because an image was left here before, or because a person says so."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from dataclasses import dataclass

from .errors import InputError
from .moments import parse_moment, read, written
from .platforms import Platform
from .references import InvalidReferenceError, Reference, is_digest
from .texts import printable

if t.TYPE_CHECKING:
    from datetime import datetime

#: How many images are held for one reference and platform. The oldest goes first: each keeps an image on the disk.
MOST_IMAGES = 20
_LONGEST = 300
_IS_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class ImageHold:
    """An image that failed, or was left on purpose: C(reference) must not get it again on this platform.

    C(reference) is normalised; C(digests) are all that are known for the image. C(unit), C(reason) and C(since) tell a
    person where it comes from, and decide nothing.
    """

    reference: str
    platform: Platform
    id: str
    digests: frozenset[str] = frozenset()
    unit: str = ""
    reason: str = ""
    since: datetime | None = None

    def concerns(self, reference: str, platform: Platform, _unit: str | None) -> bool:
        """Whether the hold is about the reference on this platform, whatever the image."""
        # podman does not tell the variant of every image, so it cannot keep two images apart.
        here = (platform.os, platform.architecture)
        return self.reference == reference and (self.platform.os, self.platform.architecture) == here

    def forbids(self, image_id: str | None, digests: t.Collection[str]) -> bool:
        """Whether it is this image that is held."""
        return self.id == image_id or not self.digests.isdisjoint(digests)

    def same_as(self, other: Hold) -> bool:
        """Whether both hold one image for one reference."""
        return (
            isinstance(other, ImageHold) and other.id == self.id and other.concerns(self.reference, self.platform, None)
        )


@dataclass(frozen=True)
class UserHold:
    """What a person holds: whatever matches C(reference) and C(unit), both globs, stays on the image that it has.

    An empty glob says nothing; not both are empty. C(reason) is for people. Without C(until) it holds until it is lifted.
    """

    reference: str = ""
    unit: str = ""
    reason: str = ""
    until: datetime | None = None

    @classmethod
    def parse(cls, reference: str = "", unit: str = "", reason: str = "", until: str = "") -> UserHold:
        """Read what a person wrote; a reference without wildcards is normalised, and must name its registry.

        Raises:
            InputError: It names neither a reference nor a unit, or something that cannot be meant.
        """
        if not (reference or unit):
            raise InputError("holds: an entry names neither a reference nor a unit, so it would hold nothing")
        for text in (reference, unit, reason):
            if len(text) > _LONGEST or not text.isprintable():
                raise InputError(f"holds: {printable(text)!r} is too long, or cannot be printed")
        if reference and not _IS_GLOB.search(reference):
            reference = _normalised(reference)
        try:
            return cls(reference, unit, reason, parse_moment(until) if until else None)
        except InputError as error:
            raise InputError(f"holds: until: {error}") from None

    def concerns(self, reference: str, _platform: Platform, unit: str | None) -> bool:
        """Whether the reference, in this unit, is held. A hold of a unit says nothing where no unit is in question."""
        if self.unit and not (unit and self.matches_unit(unit)):
            return False
        return not self.reference or fnmatch.fnmatchcase(reference, self.reference)

    def forbids(self, _image_id: str | None, _digests: t.Collection[str]) -> bool:
        """A person's hold is of everything."""
        return True

    def matches_unit(self, unit: str) -> bool:
        """Whether the glob matches a unit; C(.service) may be left out."""
        bare = unit[: -len(".service")] if unit.endswith(".service") else unit
        return bool(self.unit) and any(fnmatch.fnmatchcase(name, self.unit) for name in (unit, bare))

    def is_over(self, now: datetime) -> bool:
        """Whether it holds nothing any more."""
        return self.until is not None and self.until <= now

    def __str__(self) -> str:
        what = " in ".join(part for part in (self.reference or "everything", self.unit) if part)
        until = f" until {written(self.until)}" if self.until else ""
        return printable(f"{what}{until}{f': {self.reason}' if self.reason else ''}")


@dataclass(frozen=True)
class BadImage:
    """An image that failed elsewhere, and is to be held here before it comes. Without C(platform), on the host's own."""

    reference: str
    id: str
    digests: frozenset[str] = frozenset()
    platform: Platform | None = None
    reason: str = ""

    @classmethod
    def parse(
        cls, reference: str, id: str, digests: t.Iterable[str] = (), platform: str = "", reason: str = ""
    ) -> BadImage:
        """Read what somebody else says of an image.

        Raises:
            InputError: It names no image, or not the reference that it is bad for.
        """
        digests = frozenset(digests)
        if not is_digest(id) or not all(map(is_digest, digests)):
            raise InputError(
                f"bad_images: id and digests of {printable(reference)!r} must be sha256: and 64 hex digits"
            )
        if len(reason) > _LONGEST or not reason.isprintable():
            raise InputError(f"bad_images: {printable(reason)!r} is too long, or cannot be printed")
        name = _normalised(reference, "bad_images")
        try:
            return cls(name, id, digests, Platform.parse(platform) if platform else None, reason)
        except InputError as error:
            raise InputError(f"bad_images: {error}") from None

    def hold(self, host: Platform, now: datetime) -> ImageHold:
        """The hold, as if the image had failed here."""
        return ImageHold(self.reference, self.platform or host, self.id, self.digests, "", self.reason, now)


Hold = t.Union[ImageHold, UserHold]


def with_image(holds: t.Sequence[Hold], new: ImageHold) -> tuple[Hold, ...]:
    """The holds and one more image; the same image twice is one hold that knows all digests of both."""
    before = [one for one in holds if isinstance(one, ImageHold) and one.same_as(new)]
    digests = new.digests.union(*(one.digests for one in before))
    merged = ImageHold(new.reference, new.platform, new.id, digests, new.unit, new.reason, new.since)
    kept = [one for one in holds if one not in before]
    alike = [one for one in kept if isinstance(one, ImageHold) and one.concerns(new.reference, new.platform, None)]
    too_many = alike[: max(0, len(alike) + 1 - MOST_IMAGES)]
    return (*(one for one in kept if one not in too_many), merged)


def read_hold(entry: t.Mapping[str, t.Any]) -> Hold | None:
    """The hold in one entry of the state file; None for what this release does not write."""
    by = entry.get("by")
    if by == "user" and set(entry) == {"by", "reference", "unit", "reason", "until"}:
        return _user_hold(entry)
    if by == "image" and set(entry) == {"by", "reference", "platform", "id", "digests", "unit", "reason", "since"}:
        return _image_hold(entry)
    return None


def written_hold(hold: Hold) -> dict[str, t.Any]:
    """One entry of the state file."""
    if isinstance(hold, UserHold):
        until = written(hold.until) if hold.until else None
        return {
            "by": "user",
            "reference": hold.reference,
            "unit": hold.unit,
            "reason": hold.reason,
            "until": until,
        }
    return {
        "by": "image",
        "reference": hold.reference,
        "platform": str(hold.platform),
        "id": hold.id,
        "digests": sorted(hold.digests),
        "unit": hold.unit,
        "reason": hold.reason,
        "since": written(hold.since) if hold.since else None,
    }


def _user_hold(entry: t.Mapping[str, t.Any]) -> UserHold | None:
    texts = [entry[key] for key in ("reference", "unit", "reason")]
    if not _are_texts(texts) or not (texts[0] or texts[1]):
        return None
    if texts[0] and not _IS_GLOB.search(texts[0]) and not is_normal(texts[0]):
        return None
    until = read(entry["until"])
    reference, unit, reason = texts
    return None if until is None and entry["until"] is not None else UserHold(reference, unit, reason, until)


def _image_hold(entry: t.Mapping[str, t.Any]) -> ImageHold | None:
    platform, digests, since = Platform.read(entry["platform"]), entry["digests"], read(entry["since"])
    sound = isinstance(digests, list) and all(map(is_digest, digests)) and is_digest(entry["id"])
    sound = sound and is_normal(entry["reference"]) and _are_texts([entry["unit"], entry["reason"]])
    if platform is None or not sound or (since is None and entry["since"] is not None):
        return None
    unit, reason = entry["unit"], entry["reason"]
    return ImageHold(entry["reference"], platform, entry["id"], frozenset(digests), unit, reason, since)


def _are_texts(values: t.Iterable[object]) -> bool:
    return all(isinstance(one, str) and len(one) <= _LONGEST for one in values)


def is_normal(reference: object) -> t.TypeGuard[str]:
    """Whether this is the normalised text of a reference."""
    try:
        return isinstance(reference, str) and Reference.parse(reference).name == reference
    except InvalidReferenceError:
        return False


def _normalised(text: str, what: str = "holds") -> str:
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError as error:
        raise InputError(f"{what}: {printable(str(error))}") from None
    if not reference.fully_qualified:
        raise InputError(f"{what}: {text!r} does not name its registry; write for example docker.io/library/{text}")
    return reference.name
