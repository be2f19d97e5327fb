# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Plans: what hosts are to run, decided once for all of them. C(docs/plan.schema.json) describes the document.

A plan is a JSON object that carries the SHA-256 of its own canonical JSON (keys sorted, no spaces, UTF-8, without
the key C(sha256)). The hash shows that nothing was changed on the way; it is no signature and keeps nobody out.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass

from .errors import InputError
from .moments import read, written
from .ownership import is_service_name
from .platforms import Platform
from .references import InvalidReferenceError, Reference, is_digest
from .texts import printable

if t.TYPE_CHECKING:
    from datetime import datetime

SCHEMA = 1
#: Bounds of what is read: far beyond what anybody has, and small enough to be looked at.
MOST_TARGETS = 100_000
MOST_HOSTS = 100_000
MOST_CONTAINERS = 10_000  # of one host
_LONGEST = 255
_MOST_BYTES = 2**63 - 1

_PLAN_ID = re.compile(r"[a-f0-9]{32}\Z")
_SHA256 = re.compile(r"[a-f0-9]{64}\Z")
#: podman's define.NameRegex.
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")

_KEYS = {"schema", "id", "created", "expires", "targets", "hosts", "sha256"}
_TARGET_KEYS = {"reference", "platform", "digest", "id", "bytes", "signature"}
_ENTRY_KEYS = {"scope", "user", "container", "reference", "platform", "before", "target"}


class ExpiredPlanError(InputError):
    """The plan was good once."""


@dataclass(frozen=True)
class PlanTarget:
    """What one reference is to be on one platform. C(reference) is normalised and names its registry and a tag.

    C(id) is the image ID where it was told; C(bytes) are those to pull, None where nobody knows.
    """

    reference: Reference
    platform: Platform
    digest: str
    id: str | None = None
    bytes: int | None = None

    @property
    def key(self) -> str:
        """Its key in the plan."""
        return target_key(self.reference.name, str(self.platform))


@dataclass(frozen=True)
class PlanEntry:
    """One container of one host: what it ran when the plan was made (ID and digest), and the key of what it is to run.

    C(user) is None for the system's units.
    """

    unit: str
    user: str | None
    container: str
    before_id: str | None
    before_digest: str | None
    target: str


@dataclass(frozen=True)
class Plan:
    """A plan that was read. C(sha256) is its own hash, C(of) that of the whole plan where this is one host's slice."""

    id: str
    created: datetime
    expires: datetime
    targets: t.Mapping[str, PlanTarget]
    hosts: t.Mapping[str, tuple[PlanEntry, ...]]
    sha256: str
    of: str | None = None

    @property
    def whole(self) -> str:
        """The hash of the whole plan, which all its slices share."""
        return self.of or self.sha256


# Making.


def target_key(reference: str, platform: str) -> str:
    """The key of a target: the normalised reference and the platform."""
    return f"{reference} {platform}"


def sealed(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The document with the hash of its content.

    Raises:
        InputError: It holds what JSON cannot.
    """
    bare = {key: value for key, value in document.items() if key != "sha256"}
    return {**bare, "sha256": _hash(bare)}


def for_host(document: t.Mapping[str, t.Any], host: str) -> dict[str, t.Any]:
    """What one host gets of a whole plan that was read before: its own containers and their targets, sealed anew.

    C(of) is the hash of the whole. A host that the plan does not name gets a slice without containers.
    """
    slice_ = _part(document, host)
    keys = ("schema", "id", "created", "expires")
    return sealed({**{key: document[key] for key in keys}, **slice_, "of": document.get("of") or document["sha256"]})


def fingerprint(document: t.Mapping[str, t.Any], host: str) -> str:
    """32 hex digits that tell whether a host's part of two plans is the same, whenever they were made."""
    return _hash(_part(document, host))[:32]


def _part(document: t.Mapping[str, t.Any], host: str) -> dict[str, t.Any]:
    units = document["hosts"].get(host, {"units": {}})
    used = {entry["target"] for entries in units["units"].values() for entry in entries}
    targets = document["targets"]
    return {"targets": {key: targets[key] for key in sorted(used)}, "hosts": {host: units}}


def _hash(document: t.Mapping[str, t.Any]) -> str:
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()
    except (TypeError, ValueError, RecursionError):  # UnicodeEncodeError is a ValueError.
        raise _refused("it holds something that is not JSON") from None


# Reading.


def read_plan(document: object, now: datetime) -> Plan:
    """Read a whole plan, or one host's slice; all of it is looked at before any of it is believed.

    Raises:
        InputError: It was changed, has expired, was made by a newer release, or is no plan; the message says which.
    """
    if not isinstance(document, dict):
        raise _refused("it is not an object")
    schema = document.get("schema")
    if schema != SCHEMA or isinstance(schema, (bool, float)):
        newer = isinstance(schema, int) and schema > SCHEMA
        told = f"its schema is {schema}, and this release knows {SCHEMA}; use the release that made it"
        raise _refused(told if newer else f"its schema is not {SCHEMA}")
    if set(document) - {"of"} != _KEYS:
        odd = sorted(map(str, (set(document) - {"of"}) ^ _KEYS))[0]
        raise _refused(f"it does not have exactly the keys of a plan: {printable(odd)}")
    if not _matches(_SHA256, document["sha256"]) or ("of" in document and not _matches(_SHA256, document["of"])):
        raise _refused("sha256 is not a hash")
    targets, hosts = _object(document, "targets", MOST_TARGETS), _object(document, "hosts", MOST_HOSTS)
    if _hash({key: value for key, value in document.items() if key != "sha256"}) != document["sha256"]:
        raise _refused("its content does not match its sha256: it was changed after it was made")
    created, expires = read(document["created"]), read(document["expires"])
    if created is None or expires is None or not _matches(_PLAN_ID, document["id"]):
        raise _refused("id, created or expires is not as a plan has it")
    if expires <= now:
        raise ExpiredPlanError(
            f"the plan is refused: it expired at {written(expires)}, and it is {written(now)} here; make a new one"
        )
    known = {key: _target(key, entry) for key, entry in targets.items()}
    if "of" in document and len(hosts) != 1:
        raise _refused("a part of a plan is about one host")
    told_hosts = {host: _host(host, entry, known) for host, entry in hosts.items()}
    return Plan(document["id"], created, expires, known, told_hosts, document["sha256"], document.get("of"))


def _target(key: str, entry: object) -> PlanTarget:
    if not isinstance(entry, dict) or set(entry) != _TARGET_KEYS:
        raise _odd_target(key, "it does not have exactly the keys of a target")
    reference, platform = _reference(entry["reference"]), _platform(entry["platform"])
    if reference is None or platform is None:
        raise _odd_target(key, "its reference or platform is none, or is not normalised")
    size = entry["bytes"]
    sized = size is None or (isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MOST_BYTES)
    if not is_digest(entry["digest"]) or not (entry["id"] is None or is_digest(entry["id"])) or not sized:
        raise _odd_target(key, "its digest, id or bytes cannot be meant")
    if entry["signature"] is not None:
        raise _odd_target(key, "this release knows no signatures in plans")
    target = PlanTarget(reference, platform, entry["digest"], entry["id"], size)
    if target.key != key:
        raise _odd_target(key, f"its key should be {target.key}")
    return target


def _host(host: object, entry: object, targets: t.Mapping[str, PlanTarget]) -> tuple[PlanEntry, ...]:
    if not isinstance(host, str) or not 0 < len(host) <= _LONGEST:
        raise _refused("a host has no name that an inventory could hold")
    if not isinstance(entry, dict) or set(entry) != {"units"} or not isinstance(entry["units"], dict):
        raise _odd_host(host, "it does not have exactly the key units")
    found: dict[tuple[str, str | None, str], PlanEntry] = {}
    for unit, containers in entry["units"].items():
        if not isinstance(unit, str) or not is_service_name(unit):
            raise _odd_host(host, f"{str(unit)[:80]!r} is not the name of a service")
        if not isinstance(containers, list) or not containers:
            raise _odd_host(host, f"{unit} has no list of containers")
        for one in containers:
            planned = _entry(host, unit, one, targets)
            key = (planned.unit, planned.user, planned.container)
            if key in found:
                raise _odd_host(host, f"{unit} has {planned.container} twice")
            found[key] = planned
            if len(found) > MOST_CONTAINERS:
                raise _odd_host(host, f"it has more than {MOST_CONTAINERS} containers")
    return tuple(found.values())


def _entry(host: str, unit: str, entry: object, targets: t.Mapping[str, PlanTarget]) -> PlanEntry:
    if not isinstance(entry, dict) or set(entry) != _ENTRY_KEYS:
        raise _odd_host(host, f"a container of {unit} does not have exactly the keys of one")
    user, container, before = entry["user"], entry["container"], entry["before"]
    if entry["scope"] != ("system" if user is None else "user") or not (user is None or _is_user(user)):
        raise _odd_host(host, f"scope and user of a container of {unit} do not go together")
    if not _is_text(container) or not _CONTAINER_NAME.match(container):
        raise _odd_host(host, f"a container of {unit} has no name that podman would take")
    if not isinstance(before, dict) or set(before) != {"id", "digest"}:
        raise _odd_host(host, f"before of {container} in {unit} does not have exactly the keys id and digest")
    if not all(one is None or is_digest(one) for one in before.values()):
        raise _odd_host(host, f"before of {container} in {unit} names no image")
    target = entry["target"]
    if not isinstance(target, str) or target not in targets:
        raise _odd_host(host, f"{container} in {unit} has no target in the plan")
    if target != target_key(str(entry["reference"]), str(entry["platform"])):
        raise _odd_host(host, f"{container} in {unit} has another reference or platform than its target")
    return PlanEntry(unit, user, container, before["id"], before["digest"], target)


def _object(document: t.Mapping[str, t.Any], key: str, most: int) -> dict[str, t.Any]:
    value = document[key]
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value):
        raise _refused(f"{key} is not an object")
    if len(value) > most:
        raise _refused(f"{key} has more than {most} entries")
    return value


def _reference(text: object) -> Reference | None:
    """A reference that can be asked of a registry and moves: normalised, with registry and tag, without digest."""
    if not isinstance(text, str):
        return None
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError:
        return None
    sound = reference.name == text and reference.fully_qualified and not reference.digest
    return reference if sound else None


def _platform(text: object) -> Platform | None:
    if not isinstance(text, str):
        return None
    try:
        platform = Platform.parse(text)
    except InputError:
        return None
    return platform if str(platform) == text else None


def _is_text(value: object) -> t.TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()


def _is_user(value: object) -> bool:
    """A name that no release of Ansible takes for a template, since plans travel as variables."""
    return _is_text(value) and "{" not in value


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def _refused(why: str) -> InputError:
    return InputError(f"the plan is refused: {why}")


def _odd_target(key: str, why: str) -> InputError:
    return _refused(f"target {printable(key)}: {why}")


def _odd_host(host: str, why: str) -> InputError:
    return _refused(f"host {printable(host)}: {printable(why)}")
