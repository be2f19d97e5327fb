# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What hosts told of their containers: C(autoupdate_info)'s answers, read as the strangers' input that they are."""

from __future__ import annotations

import enum
import re
import sys
import typing as t
from dataclasses import dataclass

from .._pure.errors import ImageError, InputError
from .._pure.holds import ImageHold
from .._pure.image_names import parse_image_name
from .._pure.ownership import is_service_name
from .._pure.platforms import Platform
from .._pure.references import Reference, is_digest
from .._pure.texts import harmless

#: Of one host; what is beyond is no host that anybody has.
MOST_CONTAINERS = 10_000
_MOST_DIGESTS = 1000
_MOST_HOLDS = 5000
_LONGEST = 255
#: podman's define.NameRegex.
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")

#: Normalised reference and platform: what is resolved once for the whole fleet.
Key = tuple[str, str]


class Contact(enum.Enum):
    """How a host could be asked."""

    ANSWERED = "answered"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Container:
    """One container that follows its registry. C(id) and C(digests) are of the image that it runs; C(down) its unit's state.

    C(user) is None for the system's units.
    """

    unit: str
    user: str | None
    name: str
    key: Key
    id: str | None
    digest: str | None
    digests: frozenset[str]
    down: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """A container that no plan names: C(word) says in a word why, C(error) in a sentence where something is wrong."""

    unit: str
    container: str
    image: str
    word: str
    error: str | None = None


@dataclass(frozen=True)
class HostReport:
    """What one host told; C(error) where it did not."""

    host: str
    contact: Contact
    containers: tuple[Container, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    #: The images that are held there, each with the user who holds it (None: the system).
    holds: tuple[tuple[str | None, ImageHold], ...] = ()
    #: The last plan that the host was given, by its ID, and how that ended.
    last_plan: tuple[str, str] | None = None
    error: str | None = None

    @property
    def keys(self) -> frozenset[Key]:
        """What this host would ask a registry for."""
        return frozenset(one.key for one in self.containers)


def read_reports(told: t.Mapping[str, object]) -> tuple[HostReport, ...]:
    """The reports of all hosts, in the order given; C(told) is the registered result of each."""
    return tuple(read_report(str(host), answer) for host, answer in told.items())


def read_report(host: str, told: object) -> HostReport:
    """One host's report, from the result of its task; whatever else it is, it is not believed."""
    if not isinstance(told, t.Mapping):
        return HostReport(host, Contact.FAILED, error="it was not asked")
    message = harmless(told.get("msg") or "it gave no answer")
    if told.get("unreachable"):
        return HostReport(host, Contact.UNREACHABLE, error=message)
    rows = told.get("workloads")
    if not isinstance(rows, t.Sequence) or isinstance(rows, str):
        return HostReport(host, Contact.FAILED, error=message)
    if len(rows) > MOST_CONTAINERS:
        return HostReport(host, Contact.FAILED, error=f"it tells of more than {MOST_CONTAINERS} containers")
    containers: list[Container] = []
    left_out: list[LeftOut] = []
    seen: set[tuple[str, str | None, str]] = set()
    for row in rows:
        read = _row(row)
        if read is None:
            return HostReport(host, Contact.FAILED, error="its answer is not one of autoupdate_info")
        if isinstance(read, LeftOut):
            left_out.append(read)
        elif (read.unit, read.user, read.name) in seen:
            return HostReport(host, Contact.FAILED, error=f"it tells twice of {read.name}")
        else:
            seen.add((read.unit, read.user, read.name))
            containers.append(read)
    left_out += _unseen(told.get("users"))
    holds, last = _holds(told.get("holds")), _last_plan(told.get("plan"))
    return HostReport(host, Contact.ANSWERED, tuple(containers), tuple(left_out), holds, last)


def _unseen(users: object) -> t.Iterator[LeftOut]:
    """The users of a host who could not be looked at; who has no service manager has nothing that runs."""
    for one in users if isinstance(users, t.Sequence) and not isinstance(users, str) else ():
        if isinstance(one, t.Mapping) and one.get("looked_at") is False and one.get("reason") != "no_manager":
            whose = f"all of {one.get('user') or 'the system'}"
            why = harmless(one.get("error") or "they were not looked at")
            yield LeftOut("-", harmless(whose), "-", harmless(one.get("reason") or "failed"), why)


def _row(row: object) -> Container | LeftOut | None:
    if not isinstance(row, t.Mapping):
        return None
    unit, name, image = (row.get(key) for key in ("unit", "container_name", "image"))
    running, user = row.get("running"), row.get("user")
    if not _is_text(name) or not isinstance(image, str) or not isinstance(running, t.Mapping):
        return None
    shown = harmless(unit or "-")

    def left(word: str, error: object = None) -> LeftOut:
        return LeftOut(shown, harmless(name), harmless(image), word, harmless(error) if error else None)

    if row.get("pinned"):
        return left("pinned")
    if row.get("error") or row.get("reason"):
        return left(harmless(row.get("reason") or "failed"), row.get("error") or row.get("reason"))
    if row.get("policy") != "registry":
        return left("local")
    if not isinstance(unit, str) or not is_service_name(unit) or not _CONTAINER_NAME.match(name):
        return None
    if not (user is None or (_is_text(user) and "{" not in user)) or not _is_image(running):
        return None
    key = _key(image, running.get("platform"))
    if isinstance(key, str):
        return left("unplanned", key)
    digests = frozenset(map(_kept, running["digests"]))
    return Container(
        _kept(unit),
        _kept(user) if user else None,
        _kept(name),
        key,
        _kept(running["id"]) if running["id"] else None,
        _kept(running["digest"]) if running["digest"] else None,
        digests,
        _down(row.get("unit_state")),
    )


def _key(image: str, platform: object) -> Key | str:
    """What is asked of a registry for a container, or why nothing can be."""
    try:
        reference = parse_image_name(image)
    except ImageError as error:
        return str(error)
    if not isinstance(reference, Reference) or not reference.fully_qualified or reference.digest:
        return f"{image} does not name a tag of a registry"
    try:
        return _kept(reference.name), _kept(str(Platform.parse(str(platform or ""))))
    except InputError:
        return "podman does not tell the platform of the image that it runs"


def _is_image(running: t.Mapping[str, object]) -> bool:
    digests = running.get("digests")
    if not isinstance(digests, t.Sequence) or isinstance(digests, str) or len(digests) > _MOST_DIGESTS:
        return False
    named = [running.get("id"), running.get("digest")]
    return all(one is None or is_digest(one) for one in named) and all(map(is_digest, digests))


def _down(state: object) -> str | None:
    """The state of a unit that is neither up nor on its way."""
    active = state.get("active_state") if isinstance(state, t.Mapping) else None
    return harmless(active) if active in ("failed", "inactive") else None


def _holds(told: object) -> tuple[tuple[str | None, ImageHold], ...]:
    """The images that a host holds; what a person holds there is the host's own business."""
    found: list[tuple[str | None, ImageHold]] = []
    for one in told[:_MOST_HOLDS] if isinstance(told, t.Sequence) and not isinstance(told, str) else ():
        if not isinstance(one, t.Mapping) or not is_digest(one.get("id")):
            continue
        digests = one.get("digests")
        try:
            platform = Platform.parse(str(one.get("platform")))
        except InputError:
            continue
        known = frozenset(filter(is_digest, digests)) if isinstance(digests, t.Sequence) else frozenset()
        user = str(one["user"]) if one.get("user") else None
        found.append((user, ImageHold(str(one.get("reference")), platform, str(one["id"]), known)))
    return tuple(found)


def _last_plan(told: object) -> tuple[str, str] | None:
    if not isinstance(told, t.Mapping) or not _is_text(told.get("id")) or not _is_text(told.get("verdict")):
        return None
    return _kept(told["id"]), _kept(told["verdict"])


def _is_text(value: object) -> t.TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()


def _kept(text: object) -> str:
    """One copy of what many hosts say, and without the marks that templating leaves on its strings."""
    return sys.intern(str.__str__(t.cast("str", text)))
