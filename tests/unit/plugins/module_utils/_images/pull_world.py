# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world for pulls in memory: a store that behaves as podman's does, a registry, archives, and a host's rules."""

from __future__ import annotations

import contextlib
import hashlib
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.pull import Options, Pull, World
from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.pull_report import Row
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import RemoteImage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.disk_space import Disk
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import (
    ImageError,
    RegistryError,
    StoreError,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import Source
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.local_lookup import AskEngine
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.pull_decisions import Pulled, Stored
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.pull_policies import parse_pull_policy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import Question, RegistryUsage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import HostFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.short_names import ShortNames
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.signature_policy import SignaturePolicy
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.state import State

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")


def sha(text: str) -> str:
    """A digest, or image ID, for a word."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Content:
    """What a registry holds under one digest: an image, or an index with one image for each platform."""

    word: str
    platforms: tuple[Platform, ...] = (AMD64,)
    index: bool = False
    layers: tuple[tuple[str, int], ...] = ()

    @property
    def digest(self) -> str:
        return sha(f"{self.word} index" if self.index else f"{self.word} {self.platforms[0]}")

    def id(self, platform: Platform = AMD64) -> str:
        return sha(f"{self.word} {platform} config")

    def choose(self, platform: Platform) -> Platform:
        if not self.index:
            return self.platforms[0]
        for one in self.platforms:
            if (one.os, one.architecture) == (platform.os, platform.architecture):
                return one
        raise RegistryError(f"the index holds no image for {platform}", Reason.NOT_FOUND)

    def facts(self, platform: Platform = AMD64, *tags: str) -> ImageFacts:
        """The image as a store holds it after a pull."""
        chosen = self.choose(platform)
        digests = frozenset({self.digest, sha(f"{self.word} {chosen}")})
        return ImageFacts(self.id(chosen), "podman", digest=self.digest, digests=digests, tags=tags, platform=chosen)


@dataclass
class MemoryRegistry:
    """Tags by full name. C(down) names hosts that do not answer; C(flips) replaces a tag after it was asked for."""

    tags: dict[str, Content] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    flips: dict[str, Content] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    contents: dict[str, Content] = field(default_factory=dict)

    def push(self, name: str, content: Content) -> Content:
        self.tags[name] = content
        self.contents[content.digest] = content
        return content

    def at(self, reference: Reference) -> Content:
        if reference.registry in self.down:
            raise RegistryError(f"{reference.registry} cannot be reached", Reason.REGISTRY_UNREACHABLE)
        found = self.contents.get(reference.digest) if reference.digest else self.tags.get(reference.name)
        if found is None:
            raise RegistryError(f"{reference.registry} answers 404 for {reference.name}", Reason.NOT_FOUND)
        return found

    def resolve(self, question: Question) -> RemoteImage:
        self.questions.append(question)
        content = self.at(question.reference)
        name = question.reference.name
        if name in self.flips:
            self.push(name, self.flips.pop(name))
        if content.digest in question.known:
            return RemoteImage(content.digest)
        chosen = content.choose(question.platform)
        instance = sha(f"{content.word} {chosen}") if content.index else None
        if instance in question.known:
            return RemoteImage(content.digest, instance)
        size = sum(size for _digest, size in content.layers)
        return RemoteImage(content.digest, instance, content.id(chosen), size, content.layers)

    def describe(self, reference: Reference, platform: Platform) -> ImageFacts:
        return self.at(reference).facts(platform)

    def usage(self) -> tuple[RegistryUsage, ...]:
        return ()


@dataclass
class MemoryStore:
    """podman's store: images by ID, names, and what a pull by digest or tag does to them."""

    registry: MemoryRegistry
    host: Platform = AMD64
    search: tuple[str, ...] = ()
    facts: dict[str, ImageFacts] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    space: Disk | None = None
    version: tuple[int, ...] = (5, 4, 2)
    pulls: list[str] = field(default_factory=list)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    failures: dict[str, StoreError] = field(default_factory=dict)
    archives: dict[str, tuple[ImageFacts, ...]] = field(default_factory=dict)

    def add(self, content: Content, *names: str, platform: Platform = AMD64, corrupted: bool = False) -> str:
        facts = replace(content.facts(platform), corrupted=corrupted)
        self.put(facts, *names)
        return str(facts.id)

    def put(self, facts: ImageFacts, *names: str) -> None:
        known = self.facts.get(str(facts.id))
        if known:  # podman shows the first digest, whatever is added.
            facts = replace(facts, digest=known.digest, digests=facts.digests | known.digests)
        self.facts[str(facts.id)] = facts
        self.names.update(dict.fromkeys(names, str(facts.id)))

    def stored(self) -> Stored:
        images = tuple(replace(one, **self._named(str(one.id), one)) for one in self.facts.values())
        registries = RegistriesConf((), self.search)
        return Stored(HostFacts(self.version, self.host, registries), images, dict(self.names))

    def _named(self, image_id: str, facts: ImageFacts) -> dict[str, t.Any]:
        names = [name for name, target in self.names.items() if target == image_id]
        repositories = {name.partition("@")[0] if "@" in name else name.rpartition(":")[0] for name in names}
        return {
            "tags": tuple(name for name in names if "@" not in name),
            "repo_digests": tuple(f"{one}@{digest}" for one in repositories for digest in facts.digests),
        }

    def answer(self, asked: AskEngine) -> None:
        """No aliases, no lists."""

    def disk(self) -> Disk | None:
        return self.space

    def pull(self, source: str, platform: Platform | None) -> Pulled:
        self.pulls.append(source)
        if source in self.failures:
            raise self.failures[source]
        if source in self.archives:
            for facts in self.archives[source]:
                self.put(replace(facts, tags=()), *facts.tags)
            return Pulled(tuple(dict.fromkeys(str(facts.id) for facts in self.archives[source])))
        reference = Reference.parse(source)
        try:
            facts = self.registry.at(reference).facts(platform or self.host)
        except RegistryError as error:
            raise StoreError(str(error), Reason.PULL_FAILED) from None
        self.put(facts, reference.name)
        return Pulled((str(facts.id),), (f"Trying to pull {source}...",))

    def tag(self, image_id: str, *names: str) -> None:
        self.calls.append(("tag", image_id, *names))
        assert image_id in self.facts
        self.names.update(dict.fromkeys(names, image_id))

    def untag(self, image_id: str, name: str) -> None:
        self.calls.append(("untag", image_id, name))
        assert self.names.pop(name) == image_id


@dataclass
class HostRules:
    """What a host says; nothing is wanted and nothing held, unless a test says so."""

    short_names: ShortNames = field(default_factory=ShortNames)
    policy: SignaturePolicy = field(default_factory=lambda: SignaturePolicy.parse(None))
    remembered: State = field(default_factory=State)

    def candidates(self, reference: Reference, search: t.Sequence[str]) -> tuple[Reference, ...]:
        return self.short_names.candidates(reference, search)

    def signatures(self) -> SignaturePolicy:
        return self.policy

    def state(self) -> State:
        return self.remembered

    def lift(self, reference: str, platform: Platform) -> None:
        self.remembered = self.remembered.lifted(reference, platform)


class PullWorld:
    """One host and one registry."""

    def __init__(self, *, host: Platform = AMD64, search: tuple[str, ...] = ()) -> None:
        self.registry = MemoryRegistry()
        self.store = MemoryStore(self.registry, host, search)
        self.rules = HostRules()
        self.gzipped: set[str] = set()
        self.others: t.Callable[[], None] | None = None

    def images_of(self, source: Source, platform: Platform) -> tuple[ImageFacts, ...]:
        del platform
        try:
            return self.store.archives[str(source)]
        except KeyError:
            raise ImageError(f"{source} cannot be opened", Reason.ARCHIVE_UNREADABLE) from None

    def edges(self) -> World:
        """What a run is handed."""
        return World(self.store, lambda _host: self.registry, self, self.rules, self.alone)

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[bool]:
        """Others may have been at work meanwhile: what they did happens now."""
        others, self.others = self.others, None
        if others is not None:
            others()
        yield others is None

    def is_gzipped(self, source: Source) -> bool:
        return str(source) in self.gzipped

    def pull(
        self, *names: str, policy: str = "missing", platform: str | None = None, check: bool = False, **more: t.Any
    ) -> tuple[Row, ...]:
        """Run once. A check changes nothing, and says what the run after it does."""
        options = Options(
            policy=parse_pull_policy(policy), platform=Platform.parse(platform) if platform else None, **more
        )

        def run(*, check_mode: bool) -> tuple[Row, ...]:
            flow = Pull(self.edges(), options)
            return (flow.check(names) if check_mode else flow.run(names)).rows

        if self.registry.flips:
            return run(check_mode=check)  # A check would be the first to ask.
        before = (dict(self.store.facts), dict(self.store.names), list(self.store.pulls), self.rules.remembered)
        predicted = run(check_mode=True)
        assert before == (self.store.facts, self.store.names, self.store.pulls, self.rules.remembered)
        if check:
            return predicted
        self.registry.questions.clear()
        done = run(check_mode=False)
        if not self.store.failures:
            assert [replace(row, duration=None, log=()) for row in done] == list(predicted)
        return done

    def pull_one(self, name: str, **options: t.Any) -> Row:
        (row,) = self.pull(name, **options)
        return row
