# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory that behaves as a real one does: the store, systemd and the process table of one machine.

Tags point to images, units restart their containers from the tags as they are at that moment, jobs fail on images that
do not start, and everything that changes something is noted in C(Host.log).
"""

from __future__ import annotations

import itertools
import threading
import typing as t
from dataclasses import replace

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import (
    MissingLibraryError,
    StoreError,
    UnitError,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.health import GateOptions, Healthcheck
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.kube_files import KubeContainer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.ownership import Owner
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.policies import LABEL, Policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import (
    UNIT_LABEL,
    ContainerDetails,
    HostFacts,
    ImageRecord,
    ListedContainer,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.selection import Selection
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.units import JobOutcome, UnitFacts, UnitLinks
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.flow import Options, Update, World
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.memory import MemoryOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.planned import Planned
from ansible_collections.podfleet.autoupdate.plugins.module_utils._update.report import Report, Row
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import (
    AMD64,
    Container,
    FakeMemory,
    FakeRegistry,
    Image,
    Recipe,
    Service,
    hexed,
)


class Host:
    """Store, Units and Processes at once. C(broken_names) are names that cannot be tagged."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tags: dict[str, str] = {}
        self.images_: dict[str, set[str]] = {}
        self.platforms: dict[str, Platform] = {}
        self.image_labels: dict[str, dict[str, str]] = {}
        self.containers_: list[Container] = []
        self.services: dict[str, Service] = {}
        self.registry = FakeRegistry()
        self.log: list[tuple[str, ...]] = []
        self.broken_pulls: set[str] = set()
        self.broken_names: set[str] = set()
        self.vanishing: set[str] = set()
        self.disowned: set[int] = set()
        self.unowned: set[int] = set()
        self.platform = AMD64
        self.no_dbus = False
        self.no_library = False
        #: Names that cannot be tagged any more once something was restarted, and looks that fail from then on.
        self.broken_later: set[str] = set()
        self.blind_looks = 0
        self.reset_refused = False
        self.tied: dict[str, UnitLinks] = {}
        #: What systemd restarts along with a unit, in the same moment.
        self.takes_along: dict[str, str] = {}
        self.memory = FakeMemory()
        #: What a second engine does when it is waited for, once.
        self.second_engine: t.Callable[[], None] | None = None
        #: Which other run of ours works on the host.
        self.at_work: str | None = None
        #: What the store was asked for, in the order in which it was.
        self.looks: list[str] = []
        #: What the registries were told to be ready for: the references, and how many threads will ask.
        self.begun: list[tuple[set[str], int]] = []
        self.gate = GateOptions(settle=0.0)
        #: What containers' healthchecks say, look after look; the last one stays.
        self.health: dict[str, list[str]] = {}
        self.health_bound = 60.0
        self.kube_files: dict[str, tuple[KubeContainer, ...]] = {}
        self.pull_policy = "missing"
        self.podman_version = (5, 4, 2)
        #: Whether a pull that outlived its run still goes on, look after look; the last one first.
        self.orphans: list[bool] = []
        #: References of which podman takes only what is signed, so their tags are pulled.
        self.signed: set[str] = set()
        #: Whether the run is killed once an image was pulled.
        self.dies_after_pull = False
        self._numbers = itertools.count(1)

    # What a test sets up.

    def has(self, image: Image, *names: str) -> Image:
        """Have the image in local storage, under these names."""
        self.images_.setdefault(image.id, set()).add(image.digest)
        self.platforms[image.id] = image.platform
        self.tags.update(dict.fromkeys(names, image.id))
        return image

    def service(self, unit: str, *recipes: Recipe, **more: t.Any) -> Service:
        """Add a unit and start it."""
        self.services[unit] = service = Service(unit, list(recipes), **more)
        self._start(service)
        return service

    def drop(self, image: Image) -> None:
        """Remove an image by force: containers go on running it."""
        del self.images_[image.id]
        self.tags = {name: identity for name, identity in self.tags.items() if identity != image.id}

    def running(self, name: str) -> str | None:
        """The ID of the image that a container runs."""
        for one in self.containers_:
            if one.listed.name == name and one.listed.state == "running":
                return one.listed.image_id
        return None

    def container(self, name: str) -> Container:
        return next(one for one in self.containers_ if one.listed.name == name)

    def state(self) -> object:
        """Everything that a run could have changed."""
        return (dict(self.tags), sorted(self.images_), [one.listed for one in self.containers_])

    def done(self, what: str) -> list[tuple[str, ...]]:
        return [entry[1:] for entry in self.log if entry[0] == what]

    def update(
        self,
        *,
        rollback: bool = True,
        only: t.Sequence[str] = (),
        exclude: t.Sequence[str] = (),
        policies: t.Iterable[Policy] = Policy,
        back: bool = False,
        planned: Planned | None = None,
        stage: bool = False,
        parallel: int = 4,
        admission: t.Mapping[str, t.Any] | None = None,
        **memory: t.Any,
    ) -> Update:
        """One run over this host, to be started by C(run) or C(check); C(admission) are options of what is begun at all."""
        options = Options(
            Selection.parse(only, exclude),
            frozenset(policies),
            rollback,
            parallel=parallel,
            registry_parallel=4,
            memory=MemoryOptions(plan=planned.plan.id if planned else None, **memory),
            back=back,
            planned=planned,
            stage=stage,
            gate=self.gate,
            **(admission or {}),
        )
        registry = self.registry
        return Update(
            World(
                self,
                self,
                lambda _found, width: registry.connect(width),
                self._connect,
                self._begin,
                self.memory,
                self,
                self,
                lambda: self.at_work,
            ),
            options,
        )

    # Store.

    def images(self) -> dict[str, ImageRecord]:
        self.looks.append("images")
        return self._records(with_platform=False)

    def host(self) -> HostFacts:
        self.looks.append("host")
        return HostFacts(self.podman_version, self.platform, RegistriesConf())

    def containers(self) -> tuple[ListedContainer, ...]:
        self.looks.append("containers")
        with self.lock:
            if self.blind_looks and self.done("restart"):
                self.blind_looks -= 1
                raise StoreError("podman ps: the database is locked")
            for one in self.containers_:
                one.invisible = max(0, one.invisible - 1)
            return tuple(
                replace(one.listed, has_healthcheck=f"{one.listed.name} {one.listed.image_id}" in self.health)
                for one in self.containers_
                if not one.invisible
            )

    def details(
        self, container_ids: t.Sequence[str], image_ids: t.Sequence[str]
    ) -> tuple[dict[str, ContainerDetails], dict[str, ImageRecord]]:
        self.looks.append("details")
        found = {}
        for one in self.containers_:
            if one.listed.id in container_ids and one.listed.name not in self.vanishing:
                volume, name = one.recipe.anonymous_volume, one.listed.image_name
                found[one.listed.id] = ContainerDetails(one.listed.id, name, one.command, one.pid, volume)
        records = self._records(with_platform=True)
        return found, {one: records[one] for one in image_ids if one in records}

    def healthchecks(self, container_ids: t.Sequence[str]) -> dict[str, Healthcheck]:
        with self.lock:
            found = {}
            for one in self.containers_:
                said = self.health.get(f"{one.listed.name} {one.listed.image_id}")
                if one.listed.id in container_ids and said:
                    status = said.pop(0) if len(said) > 1 else said[0]
                    found[one.listed.id] = Healthcheck(
                        status.rpartition(" ")[2], self.health_bound, "by hand" not in status
                    )
            return found

    def run_healthcheck(self, container_id: str) -> None:
        with self.lock:
            self.log.append(("healthcheck", container_id))

    def pull(self, name: str, platform: Platform | None, authfile: str | None = None) -> str:
        with self.lock:
            self.log.append(("pull", name, str(platform or ""), *([authfile] if authfile else [])))
            if name in self.broken_pulls:
                raise StoreError(f"podman pull {name}: no space left on device", Reason.PULL_FAILED)
            by_digest = "@" in name
            image = self.registry.published[name.rpartition("@")[2]] if by_digest else self.registry.answers[name]
            assert isinstance(image, Image)
            self.has(image, name)
            if self.dies_after_pull:
                raise KeyboardInterrupt
            return self.tags[name]

    def tag(self, image_id: str, *names: str) -> None:
        with self.lock:
            for name in names:
                if name in self.broken_names or image_id not in self.images_:
                    raise StoreError(f"podman tag {name}: cannot be tagged")
                self.log.append(("tag", image_id, name))
                self.tags[name] = image_id

    def remove_name(self, name: str) -> None:
        with self.lock:
            identity = self.tags[name]
            last = [one for one, tagged in self.tags.items() if tagged == identity] == [name]
            if last and any(one.listed.image_id == identity for one in self.containers_):
                raise StoreError(f"podman rmi {name}: image used by a container")
            self.log.append(("remove_name", identity, name))
            del self.tags[name]
            if last:
                del self.images_[identity]

    def takes_unsigned(self, name: str, digest: str) -> bool:
        return name not in self.signed or not digest

    def untag(self, image_id: str, name: str) -> None:
        with self.lock:
            if self.tags.get(name) != image_id:
                raise StoreError(f"podman untag {name}: tag not known")
            self.log.append(("untag", image_id, name))
            del self.tags[name]

    def _records(self, *, with_platform: bool) -> dict[str, ImageRecord]:
        with self.lock:
            records = {}
            for identity, digests in self.images_.items():
                names = tuple(sorted(name for name, tagged in self.tags.items() if tagged == identity))
                platform = self.platforms[identity] if with_platform else None
                records[identity] = ImageRecord(
                    identity, min(digests), frozenset(digests), names, platform, self.image_labels.get(identity, {})
                )
            return records

    # Definitions.

    def kube_containers(self, unit: str, create_command: t.Sequence[str]) -> tuple[KubeContainer, ...]:
        self.looks.append(f"kube {unit} {' '.join(create_command)}".rstrip())
        if unit not in self.kube_files:
            raise StoreError(f"{unit} plays no file", Reason.RAW_NAME_UNKNOWN)
        return self.kube_files[unit]

    def default_pull_policy(self) -> str:
        return self.pull_policy

    # Others.

    def wait(self) -> None:
        with self.lock:
            engine, self.second_engine = self.second_engine, None
            if engine is not None:
                engine()

    # Processes and Units.

    def owner(self, pid: int) -> Owner | None:
        owners = {one.pid: one.owner for one in self.containers_}
        unit = owners.get(pid)
        return Owner(unit) if unit else None

    def pulling(self, names: t.Collection[str]) -> bool:
        """Nothing outlives a run in memory; a test says otherwise."""
        self.looks.append(f"pulling {len(names)}")
        return self.orphans.pop() if self.orphans else False

    def owns(self, unit: str, pid: int) -> bool:
        if pid in self.unowned:
            raise UnitError(f"systemd refused over D-Bus: PID {pid} does not belong to any loaded unit.")
        owner = self.owner(pid)
        return owner is not None and owner.unit == unit and pid not in self.disowned

    def facts(self, units: t.Collection[str]) -> dict[str, UnitFacts]:
        known = {unit: self.services[unit] for unit in units if unit in self.services}
        return {
            unit: UnitFacts(one.load_state, one.active_state, "running", one.job_running) for unit, one in known.items()
        }

    def reset_failed(self, units: t.Collection[str]) -> None:
        with self.lock:
            if self.reset_refused:
                raise UnitError("systemd refused over D-Bus: Access denied")
            for unit in units:
                self.log.append(("reset_failed", unit))
                self.services[unit].failures = 0

    def restart(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        with self.lock:
            outcomes = {unit: self._job(self.services[unit]) for unit in units}
            for unit in {self.takes_along[unit] for unit in units if unit in self.takes_along}:
                self._restart(self.services[unit])
            return outcomes

    def start(self, units: t.Collection[str]) -> dict[str, JobOutcome]:
        with self.lock:
            outcomes = {}
            for unit in units:
                self.log.append(("start", unit))
                service = self.services[unit]
                result = "done" if service.active_state == "active" else self._start(service)
                service.active_state = "active" if result == "done" else "failed"
                outcomes[unit] = JobOutcome(result, 0.1)
            return outcomes

    def links(self, units: t.Collection[str]) -> dict[str, UnitLinks]:
        return {unit: self.tied.get(unit, UnitLinks()) for unit in units}

    def _begin(self, host: t.Callable[[], HostFacts], references: t.Collection[Reference], width: int) -> None:
        assert host().platform == self.platform
        self.begun.append(({one.name for one in references}, width))

    def _connect(self) -> Host:
        if self.no_library:
            raise MissingLibraryError("dbus", "")
        if self.no_dbus:
            raise UnitError("systemd did not answer over D-Bus")
        return self

    def _job(self, service: Service) -> JobOutcome:
        if service.declined:
            self.log.append(("declined", service.unit))
            return JobOutcome("failed", 0.0, f"{service.unit}: systemd refused", refused=True)
        return JobOutcome(self._restart(service), 0.1)

    def _restart(self, service: Service) -> str:
        self.log.append(("restart", service.unit))
        self.broken_names |= self.broken_later
        if service.refused:
            raise UnitError("systemd refused over D-Bus: Access denied")
        if service.failures:
            return "failed"  # The start limit: only reset_failed lets it start again.
        if service.reuses:
            return "done"
        self.containers_ = [one for one in self.containers_ if one not in self._made_by(service)]
        result = self._start(service)
        service.failures += result != "done"
        service.active_state = {"done": "active", "canceled": "inactive"}.get(result, "failed")
        return result

    def _made_by(self, service: Service) -> list[Container]:
        return [
            one
            for one in self.containers_
            if any(one.recipe is recipe for recipe in service.recipes) or one.owner == service.unit
        ]

    def _start(self, service: Service) -> str:
        wanted = [self.tags.get(recipe.resolved_name) for recipe in service.recipes]
        if None in wanted or service.fails_on & set(wanted):
            return "failed"
        if service.late_on & set(wanted):
            return "timeout"
        if service.stopped_on & set(wanted):
            return "canceled"
        pod = hexed(f"pod {service.unit} {next(self._numbers)}") if service.pod else None
        if pod:
            self._add(service, Recipe(f"{pod[:12]}-infra", "localhost/podman-pause:1", None), None, pod, infra=True)
        for recipe, identity in zip(service.recipes, wanted):
            self._add(service, recipe, service.instead.get(str(identity), identity), pod, infra=False)
        return "done"

    def _add(self, service: Service, recipe: Recipe, identity: str | None, pod: str | None, *, infra: bool) -> None:
        number = next(self._numbers)
        name = recipe.name or f"clever_name{number}"
        unit = service.unit if infra or not pod else f"{name}.service"
        labels = {UNIT_LABEL: unit, **({LABEL: recipe.policy} if recipe.policy is not None else {}), **recipe.labels}
        state = "exited" if identity in service.crashes_on else "running"
        options = ["--name", recipe.name] if recipe.name else []
        listed = ListedContainer(
            hexed(f"container {number}"), name, identity, recipe.resolved_name, labels, state, pod, is_infra=infra
        )
        command = ("podman", "run", "-d", *options, recipe.image)
        late = service.late_members if pod and not infra and self.log else 0
        self.containers_.append(Container(listed, command, 1000 + number, recipe, unit, late))


def row(report: Report, name: str) -> Row:
    """The row of one container."""
    return next(one for one in report.rows if one.workload.container_name == name)


def told(report: Report) -> dict[str, tuple[str, str | None]]:
    """Status and reason of every row, by container."""
    return {
        one.workload.container_name: (
            one.finding.status.value,
            one.finding.reason.value if one.finding.reason else None,
        )
        for one in report.rows
    }
