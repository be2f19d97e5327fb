# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Pull: look once at the store, ask the registries for all names side by side, then transfer what was decided."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from .._pure.disk_space import Headroom, Room
from .._pure.errors import EngineError, ImageError, StoreError
from .._pure.image_names import Source, Transport, is_pulled_by_id, parse_image_name
from .._pure.platforms import Platform
from .._pure.pull_decisions import (
    Ask,
    Bring,
    Fetch,
    Keep,
    Load,
    Local,
    Pulled,
    Refuse,
    Wanted,
    first_step,
    last_step,
    load_step,
    loadable,
    next_step,
    question,
)
from .._pure.pull_policies import PullPolicy
from .._pure.questions import RegistryUsage, summed
from .._pure.reasons import Reason
from .._pure.records import HostFacts
from .._pure.references import Reference
from .._pure.state import State, UserHold
from .pull_protocols import Registry, Rules, Sources, Store
from .pull_report import PullReport, Row
from .pull_rows import Rows
from .pull_transfer import Transfer
from .pull_view import View


@dataclass(frozen=True)
class Options:
    """What a caller decides. C(platform) is None where the host's own will do."""

    policy: PullPolicy = PullPolicy.MISSING
    platform: Platform | None = None
    headroom: Headroom = field(default_factory=Headroom)
    lift_holds: bool = False
    parallel: int = 3
    registry_parallel: int = 8


@dataclass(frozen=True)
class World:
    """The edges. C(registry) is called only where there is something to ask.

    C(alone) is held while something is changed; it gives whether nobody else changed anything since the run began.
    """

    store: Store
    registry: t.Callable[[HostFacts], Registry]
    sources: Sources
    rules: Rules
    alone: t.Callable[[], t.ContextManager[bool]]


@dataclass(frozen=True)
class _Plan:
    """One name on its way. C(rest) are the candidates that were not asked yet, C(errors) what the others said.

    C(bytes) is what is to be transferred, None where it cannot be told.
    """

    wanted: Wanted
    step: Keep | Refuse | Fetch | Bring
    ask: Ask | None = None
    rest: tuple[Reference, ...] = ()
    errors: tuple[EngineError, ...] = ()
    bytes: int | None = None


class Pull:
    """One run. Not reused."""

    def __init__(self, world: World, options: Options) -> None:
        self._world = world
        self._options = options
        self._client: Registry | None = None
        self._earlier: tuple[RegistryUsage, ...] = ()

    def check(self, names: t.Sequence[str]) -> PullReport:
        """Say what a run would do."""
        return self._run(names, check_mode=True)

    def run(self, names: t.Sequence[str]) -> PullReport:
        """Have what the names mean in local storage. Each name is seen to, whatever becomes of the others."""
        return self._run(names, check_mode=False)

    def _run(self, names: t.Sequence[str], *, check_mode: bool) -> PullReport:
        self._look()
        plans = self._plan(tuple(dict.fromkeys(names)))
        if check_mode:
            rows = self._predict(plans)
        elif not any(isinstance(plan.step, (Fetch, Bring)) for plan in plans):
            rows = self._rows.completed(self._transfer(plans))
        else:
            rows = self._changed(names, plans)
        usage = self._client.usage() if self._client else ()
        return PullReport(tuple(rows), summed(self._earlier, usage), check_mode)

    def _changed(self, names: t.Sequence[str], plans: t.Sequence[_Plan]) -> list[Row]:
        """Transfer what was planned, alone; what was planned while others were at work is planned anew."""
        with self._world.alone() as undisturbed:
            if not undisturbed:
                self._look()
                self._earlier, self._client = self._client.usage() if self._client else (), None
                plans = self._plan(tuple(dict.fromkeys(names)))
            return self._rows.completed(self._transfer(plans))

    def _look(self) -> None:
        store = self._world.store
        self._view = View(store, store.stored())
        self._rows = Rows(store, self._view, self._options.platform)
        self._transfers = Transfer(store, self._view, self._world.rules, self._options.platform)
        self._state: State | None = None

    # Decide.

    def _plan(self, names: t.Sequence[str]) -> list[_Plan]:
        begun = [self._begin(name) for name in names]
        if any(isinstance(one, tuple) and isinstance(one[1], Ask) for one in begun):
            self._client = self._world.registry(self._view.host)
        with ThreadPoolExecutor(max_workers=self._options.registry_parallel) as pool:
            found = list(pool.map(lambda one: one if isinstance(one, _Plan) else self._continue(*one), begun))
        room = self._room() if any(isinstance(plan.step, Fetch) for plan in found) else None
        return [self._admitted(plan, room) for plan in found]

    def _begin(self, text: str) -> _Plan | tuple[Wanted, Ask | Load]:
        """What the store alone tells."""
        options = self._options
        try:
            name = parse_image_name(text)
        except ImageError as error:
            return _Plan(Wanted(text, None, options.policy, options.platform), Refuse(error))
        wanted = Wanted(text, name, options.policy, options.platform)
        local = self._view.find(text, name, options.platform)
        if isinstance(name, Source) and name.transport is Transport.CONTAINERS_STORAGE:
            unknown = ImageError(f"{text}: image not known", Reason.IMAGE_UNKNOWN)
            # podman would copy the image to itself.
            return _Plan(wanted, Keep(local) if local and not local.image.corrupted else Refuse(unknown))
        step = first_step(
            wanted,
            local,
            lambda: self._world.rules.candidates(t.cast("Reference", name), self._view.host.registries.search),
            by_id=is_pulled_by_id(text),
        )
        return (wanted, step) if isinstance(step, (Ask, Load)) else _Plan(wanted, step)

    def _continue(self, wanted: Wanted, step: Ask | Load) -> _Plan:
        """What the registry, or the source, tells."""
        if isinstance(step, Ask):
            return self._asked(wanted, step, step.candidates, ())
        host = self._view.host.platform
        try:
            images = self._world.sources.images_of(step.source, self._options.platform or host)
            found = load_step(step.source, images, self._view.image, self._view.names)
            version = self._view.host.podman_version
            return _Plan(wanted, loadable(found, version, lambda: self._world.sources.is_gzipped(step.source)))
        except EngineError as error:
            return _Plan(wanted, Refuse(error))

    def _asked(
        self, wanted: Wanted, ask: Ask, candidates: t.Sequence[Reference], errors: tuple[EngineError, ...]
    ) -> _Plan:
        client = t.cast("Registry", self._client)
        for number, candidate in enumerate(candidates, start=1):
            try:
                answer = client.resolve(question(wanted, ask, candidate, self._view.host.platform))
            except EngineError as error:
                errors = (*errors, error)
                continue
            step = next_step(ask, candidate, answer)
            if step is not None:
                step = self._unless_named(step, ask)
                return _Plan(wanted, step, ask, tuple(candidates[number:]), errors)
        return _Plan(wanted, last_step(wanted, ask, errors), ask)

    def _unless_named(self, step: Keep | Refuse | Fetch, ask: Ask) -> Keep | Refuse | Fetch:
        """The step; nothing where the name has that image already.

        A registry that has another platform than the wanted one only gives that: it is never found as the wanted one.
        """
        if not isinstance(step, Fetch) or ask.policy is PullPolicy.ALWAYS or ask.corrupted:
            return step
        there = self._view.named(step.reference.name)
        return Keep(Local(there, step.reference.name)) if there and there.id == step.id else step

    def _room(self) -> Room | None:
        disk = self._world.store.disk()
        return Room(disk, self._options.headroom) if disk else None

    def _admitted(self, plan: _Plan, room: Room | None) -> _Plan:
        """The plan, or a refusal where the target is held or does not fit."""
        try:
            if isinstance(plan.step, Fetch):
                self._must_not_be_held(plan.step.reference.name, plan.step.id, plan.step.remote.digest)
            elif isinstance(plan.step, Bring):
                for tag in plan.step.image.tags:
                    self._must_not_be_held(tag, plan.step.image.id, plan.step.image.digest)
        except EngineError as error:
            return replace(plan, step=Refuse(error))
        if not isinstance(plan.step, Fetch) or room is None:
            return plan
        need = room.take(plan.step.remote.layers)
        if need.fits:
            return replace(plan, bytes=need.bytes)
        message = f"{plan.wanted.text}: its layers need at least {need.bytes} bytes; {room.told(need)}"
        return replace(plan, step=Refuse(ImageError(message, Reason.NO_SPACE)))

    def _must_not_be_held(self, name: str, image_id: str | None, digest: str | None) -> None:
        """Raise C(ImageError) where a hold keeps the name from the image; what it names already may stay."""
        if self._options.lift_holds or (image_id is not None and self._view.names.get(name) == image_id):
            return
        if self._state is None:
            self._state = self._world.rules.state()
        platform = self._options.platform or self._view.host.platform
        hold = self._state.hold_against(name, platform, image_id, {digest} if digest else ())
        if hold is not None:
            who = "held by a person" if isinstance(hold, UserHold) else f"held back from the image {image_id or digest}"
            raise ImageError(f"{name} is {who} on this host", Reason.HELD)

    def _predict(self, plans: t.Sequence[_Plan]) -> list[Row]:
        shared: dict[t.Hashable, Row] = {}
        for plan in plans:
            if _target(plan) not in shared:
                row = self._rows.predicted(plan.wanted, plan.step, self._client)
                shared[_target(plan)] = replace(row, bytes=plan.bytes)
        return [replace(shared[_target(plan)], name=plan.wanted.text) for plan in plans]

    # Transfer.

    def _transfer(self, plans: t.Sequence[_Plan]) -> list[Row]:
        """Bring all that was decided, side by side; what two names share is brought once."""
        self._transfers.keep(plan.step.reference.name for plan in plans if isinstance(plan.step, Fetch))
        shared: dict[t.Hashable, Future[Row]] = {}
        rows: list[Row | Future[Row]] = []
        with ThreadPoolExecutor(max_workers=self._options.parallel) as pool:
            for plan in plans:
                if not isinstance(plan.step, (Fetch, Bring)):
                    rows.append(self._rows.settled(plan.wanted, plan.step))
                    continue
                key = _target(plan)
                if key not in shared:
                    shared[key] = pool.submit(self._bring, plan)
                rows.append(shared[key])
        done = [row.result() if isinstance(row, Future) else row for row in rows]
        return [replace(row, name=plan.wanted.text) for row, plan in zip(done, plans)]

    def _bring(self, plan: _Plan) -> Row:
        """Bring one image; where podman fails, go on to what else the name may mean, as podman does."""
        started = time.monotonic()
        while True:
            step = plan.step
            if not isinstance(step, (Fetch, Bring)):
                return self._rows.settled(plan.wanted, step)
            try:
                pulled = self._brought(plan.wanted, step)
            except StoreError as error:
                plan = self._after_failure(plan, error)
            except EngineError as error:
                return self._rows.settled(plan.wanted, Refuse(error), step)
            else:
                row = self._rows.brought(plan.wanted, step, pulled, time.monotonic() - started)
                return replace(row, bytes=plan.bytes)

    def _brought(self, wanted: Wanted, step: Fetch | Bring) -> Pulled:
        if self._options.lift_holds:
            platform = self._options.platform or self._view.host.platform
            for name in [step.reference.name] if isinstance(step, Fetch) else step.image.tags:
                self._world.rules.lift(name, platform)
        if isinstance(step, Fetch):
            return self._transfers.fetch(step)
        return self._transfers.bring(step, wanted.text)

    def _after_failure(self, plan: _Plan, error: StoreError) -> _Plan:
        if plan.ask is None:
            return _Plan(plan.wanted, Refuse(error))
        after = self._asked(plan.wanted, plan.ask, plan.rest, (*plan.errors, error))
        return self._admitted(after, self._room() if isinstance(after.step, Fetch) else None)


def _target(plan: _Plan) -> t.Hashable:
    step = plan.step
    if isinstance(step, Fetch):
        return step.reference.name, step.remote.digest
    return plan.wanted.text
