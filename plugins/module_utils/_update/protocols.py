# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What the update needs of the world. The edges implement it; a test hands in others."""

from __future__ import annotations

import typing as t

from .._pure.decisions import RemoteImage
from .._pure.health import Healthcheck
from .._pure.history import Event, Who
from .._pure.kube_files import KubeContainer
from .._pure.ownership import Owner
from .._pure.platforms import Platform
from .._pure.questions import Question, RegistryUsage
from .._pure.records import ContainerDetails, HostFacts, ImageRecord, ListedContainer
from .._pure.state import State
from .._pure.units import JobOutcome, UnitFacts, UnitLinks

if t.TYPE_CHECKING:
    from datetime import datetime


class Store(t.Protocol):
    """podman's containers and images. Every method raises C(StoreError)."""

    def containers(self) -> tuple[ListedContainer, ...]:
        """All containers as they are now."""

    def images(self) -> dict[str, ImageRecord]:
        """All images, by ID."""

    def host(self) -> HostFacts:
        """The host's facts; the slowest of these calls."""

    def details(
        self, container_ids: t.Sequence[str], image_ids: t.Sequence[str]
    ) -> tuple[dict[str, ContainerDetails], dict[str, ImageRecord]]:
        """Inspect containers and images in one call; what has vanished is missing from the answer."""

    def healthchecks(self, container_ids: t.Sequence[str]) -> dict[str, Healthcheck]:
        """The containers' own healthchecks, by ID, in one call; a container without one is missing."""

    def run_healthcheck(self, container_id: str) -> None:
        """Run a container's healthcheck once; what it says counts for its state."""

    def pull(self, name: str, platform: Platform | None, authfile: str | None = None) -> str:
        """Pull C(repository@digest), for another platform than the host's where one is given. Returns the image ID.

        C(authfile) is the one that the container's label names.
        """

    def takes_unsigned(self, name: str, digest: str) -> bool:
        """Whether podman wants no signature for this reference: else its tag has to be pulled, not the digest."""

    def tag(self, image_id: str, *names: str) -> None:
        """Give an image names."""

    def untag(self, image_id: str, name: str) -> None:
        """Take a name from an image; the image stays."""

    def remove_name(self, name: str) -> None:
        """Take a name away; an image that loses its last one goes too, unless a container uses it: then both stay."""


class Processes(t.Protocol):
    """The host's process table."""

    def owner(self, pid: int) -> Owner | None:
        """The unit that owns a process; None where it is gone or has none."""

    def pulling(self, names: t.Collection[str]) -> bool:
        """Whether a podman that lost its parent still pulls one of these names."""


class Definitions(t.Protocol):
    """Files of the host that say of containers what podman does not tell."""

    def kube_containers(self, unit: str, create_command: t.Sequence[str]) -> tuple[KubeContainer, ...]:
        """What the Kubernetes YAML that a unit plays says of its containers. Raises C(StoreError)."""

    def default_pull_policy(self) -> str:
        """podman's own policy for containers that do not say when they are pulled."""


class Registry(t.Protocol):
    """The registries behind all references."""

    def prepare(self, questions: t.Iterable[Question]) -> None:
        """Tell all questions beforehand, so that they can share what opens a registry. Nothing is asked yet."""

    def resolve(self, question: Question) -> RemoteImage:
        """Answer one question; called from several threads. Raises C(RegistryError)."""

    def usage(self) -> tuple[RegistryUsage, ...]:
        """What was asked so far."""


class Units(t.Protocol):
    """systemd's manager, of the system or of a user. Every method raises C(UnitError)."""

    def facts(self, units: t.Collection[str]) -> dict[str, UnitFacts]:
        """The state of each unit; one that has no unit file has the load state C(not-found), or is missing."""

    def owns(self, unit: str, pid: int) -> bool:
        """Whether systemd itself says that the process belongs to the unit."""

    def restart(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        """Restart units side by side and wait for their jobs; called from several threads.

        A job that is late is cancelled (C(JobOutcome.cancelled)), and its unit waited for until it is active, inactive or
        failed: cancelling a restart may leave it down.
        """

    def start(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        """Start units side by side, in the same way: what a cancelled restart or a failed parent left down."""

    def links(self, units: t.Collection[str]) -> dict[str, UnitLinks]:
        """Which services share each unit's fate."""

    def reset_failed(self, units: t.Collection[str]) -> None:
        """Forget failures, so that a start limit does not refuse the way back."""


class Others(t.Protocol):
    """Who else updates the same containers, and knows no lock of ours."""

    def wait(self) -> None:
        """Wait until they have ended; called from several threads. Raises C(BusyError) where they do not."""


class Remembered(t.Protocol):
    """What a host remembers of earlier runs. Methods that read or write raise C(StateError)."""

    def read(self) -> State:
        """What is remembered."""

    def change(self, change: t.Callable[[State], State]) -> State:
        """Replace what is remembered by what C(change) makes of it; called from several threads."""

    def add(self, events: t.Sequence[Event]) -> None:
        """Add to the history."""

    def events(self) -> tuple[Event, ...]:
        """The history, as far as it is kept."""

    def who(self) -> Who:
        """Who runs this."""

    def now(self) -> datetime:
        """The time, in whole seconds, as files hold it."""
