# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of these tests are made of: images, recipes, units, containers and the registries behind them."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import RemoteImage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError, StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Who, line
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import events as read_events
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import Question, RegistryUsage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import ListedContainer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import State, parse_state, render_state

APP = "quay.io/team/app:1"
AMD64 = Platform("linux", "amd64")


def hexed(text: str) -> str:
    """64 hex digits for any text."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Image:
    """The content of an image; one that is compressed anew has the same ID and another digest."""

    label: str
    compression: str = ""
    platform: Platform = AMD64

    @property
    def id(self) -> str:
        return f"sha256:{hexed(self.label)}"

    @property
    def digest(self) -> str:
        return f"sha256:{hexed(f'digest {self.label} {self.compression}')}"


V1, V2, V3 = Image("1"), Image("2"), Image("3")


@dataclass
class Recipe:
    """How a unit makes one container. Without a name, podman makes one up at every start."""

    name: str | None
    image: str
    policy: str | None = "registry"
    resolved: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    anonymous_volume: bool = False

    @property
    def resolved_name(self) -> str:
        if self.resolved:
            return self.resolved
        reference = Reference.parse(self.image)
        return reference.name if reference.fully_qualified else f"localhost/{reference.name}"


@dataclass
class Service:
    """One unit, and what happens when it is restarted."""

    unit: str
    recipes: list[Recipe]
    fails_on: set[str] = field(default_factory=set)  # image IDs with which the job fails
    late_on: set[str] = field(default_factory=set)  # ... does not end in time
    stopped_on: set[str] = field(default_factory=set)  # ... gives way to a stop of somebody's
    crashes_on: set[str] = field(default_factory=set)  # ... succeeds, but the container is gone a moment later
    instead: dict[str, str] = field(default_factory=dict)  # ... it runs another one in its place
    reuses: bool = False
    refused: bool = False  # D-Bus fails
    declined: bool = False  # systemd says no
    pod: bool = False
    #: How many looks at the containers it takes until a pod's members are there after its restart.
    late_members: int = 0
    active_state: str = "active"
    job_running: bool = False
    load_state: str = "loaded"
    failures: int = 0


@dataclass
class Container:
    """One container of the host."""

    listed: ListedContainer
    command: tuple[str, ...]
    pid: int
    recipe: Recipe
    owner: str | None
    invisible: int = 0


class FakeMemory:
    """What a host remembers, written and read as the file is. C(broken) makes every writing fail."""

    def __init__(self) -> None:
        self.body = render_state(State())
        self.history: list[Event] = []
        self.clock = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
        self.broken = False
        self.writes = 0

    @property
    def state(self) -> State:
        return parse_state(self.body, "state.json")

    def read(self) -> State:
        return self.state

    def change(self, change: t.Callable[[State], State]) -> State:
        if self.broken:
            raise StateError("state.json cannot be written: No space left on device")
        self.writes += 1
        self.body = render_state(change(self.state))
        return self.state

    def add(self, events: t.Sequence[Event]) -> None:
        if self.broken:
            raise StateError("history.jsonl cannot be written: No space left on device")
        self.history += read_events(b"".join(map(line, events)))

    def events(self) -> tuple[Event, ...]:
        return tuple(self.history)

    def who(self) -> Who:
        return Who(0, "root", "anna")

    def now(self) -> datetime:
        return self.clock


class FakeRegistry:
    """The registries behind all references."""

    def __init__(self) -> None:
        self.answers: dict[str, Image | RegistryError] = {}
        self.published: dict[str, Image] = {}
        self.questions: list[Question] = []
        #: For each connection, how many threads it was made for.
        self.widths: list[int] = []
        #: Whether the image ID is told; where a manifest does not hold it, only a pull tells.
        self.tells_ids = True

    def connect(self, width: int) -> FakeRegistry:
        self.widths.append(width)
        return self

    def publish(self, image: Image, reference: str = APP) -> Image:
        """From now on the reference answers with the image."""
        self.answers[reference] = image
        self.published[image.digest] = image
        return image

    def prepare(self, questions: t.Iterable[Question]) -> None:
        """Nothing is gained by knowing them here."""

    def resolve(self, question: Question) -> RemoteImage:
        self.questions.append(question)
        answer = self.answers[question.reference.name]
        if isinstance(answer, RegistryError):
            raise answer
        if answer.digest in question.known or not self.tells_ids:
            return RemoteImage(answer.digest)
        return RemoteImage(answer.digest, None, answer.id, 10)

    def usage(self) -> tuple[RegistryUsage, ...]:
        return (RegistryUsage("quay.io", len(self.questions), 0, 0, 0, None, None),) if self.questions else ()
