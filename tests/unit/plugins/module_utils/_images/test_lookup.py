# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look-up of images: each name goes to what can hold it, with few questions, and none is lost. The world is in memory."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.found import Image
from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.lookup import Answer, Engine, LookUp, World
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import (
    EngineError,
    ImageError,
    RegistryError,
    StoreError,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import Source
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import Index, Instance
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import RegistryUsage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import HostFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf

_HOST = Platform("linux", "amd64")
_ARM = Platform("linux", "arm64")


def _id(number: int) -> str:
    return f"sha256:{number:064x}"


def _image(number: int, *tags: str, platform: Platform = _HOST, source: str = "podman", **more: t.Any) -> ImageFacts:
    digest = _id(0xD00 + number)
    digests = frozenset({digest})
    return ImageFacts(_id(number), source, digest=digest, digests=digests, tags=tags, platform=platform, **more)


def _key(facts: ImageFacts) -> str:
    return facts.engine_id or facts.id or ""


@dataclass
class Store:
    """A store of any engine: lists images without their platforms, and counts what it is asked."""

    held: t.Sequence[ImageFacts]
    lists: t.Mapping[str, Index] = field(default_factory=dict)
    aliases: t.Mapping[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    broken: str | None = None

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.broken == call:
            raise StoreError(f"{call} failed")

    def images(self) -> tuple[ImageFacts, ...]:
        self._called("images")
        return tuple(replace(one, platform=None) for one in self.held)

    def look(self, filters: t.Sequence[str] = ()) -> tuple[HostFacts, tuple[ImageFacts, ...]]:
        self._called(" ".join(["look", *filters]))
        listed = tuple(replace(one, platform=None) for one in self.held)
        return HostFacts((5, 4, 2), _HOST, RegistriesConf(search=("quay.io",))), listed

    def details(self, keys: t.Iterable[str]) -> dict[str, ImageFacts]:
        wanted = list(keys)
        if wanted:
            self._called("details")
        return {_key(one): one for one in self.held if _key(one) in wanted}

    def resolve(self, names: t.Iterable[str]) -> dict[str, str | None]:
        wanted = list(names)
        if wanted:
            self._called("resolve")
        return {name: self.aliases.get(name) for name in wanted}

    def instances(self, key: str) -> Index:
        self._called("instances")
        return self.lists[key]


class Registry:
    """Holds one repository; counts nothing twice."""

    def __init__(self, only: Platform | None = None) -> None:
        self.only = only
        self.asked: list[str] = []

    def describe(self, reference: Reference, platform: Platform) -> ImageFacts:
        self.asked.append(reference.name)
        if reference.registry != "quay.io":
            raise RegistryError("no such place", Reason.REGISTRY_UNREACHABLE)
        if reference.path != "team/web":
            raise RegistryError("no such repository", Reason.NOT_FOUND)
        return _image(1, platform=self.only or platform, source="registry")

    def usage(self) -> tuple[RegistryUsage, ...]:
        return (RegistryUsage("quay.io", len(self.asked), 0, 0, 0, None, None),)


def _never() -> t.Any:
    raise AssertionError("this was not to be asked")


@dataclass
class Given:
    """A world, and the look-ups in it."""

    podman: Store | None = None
    docker: Store | None = None
    cri: Store | None = None
    registry: Registry | None = None
    archives: t.Mapping[str, t.Sequence[ImageFacts]] | None = None

    def _archive(self, source: Source, _platform: Platform) -> tuple[ImageFacts, ...]:
        held = (self.archives or {}).get(source.path)
        if held is None:
            raise ImageError(f"{source.path} cannot be opened", Reason.ARCHIVE_UNREADABLE)
        return tuple(held)

    def look_up(
        self, engine: Engine = Engine.PODMAN, *, platform: Platform | None = None, manifest_list: bool = False
    ) -> LookUp:
        def held(thing: t.Any) -> t.Callable[[], t.Any]:
            return (lambda: thing) if thing is not None else _never

        archives = held(None if self.archives is None else self._archive)
        world = World(held(self.podman), held(self.docker), held(self.cri), archives, held(self.registry), _HOST)
        return LookUp(world, engine, platform, manifest_list=manifest_list)


def _ids(answer: Answer) -> list[str | None]:
    return [entry.outcome.facts.id if isinstance(entry.outcome, Image) else None for entry in answer.entries]


def _reasons(answer: Answer) -> list[Reason | None]:
    return [entry.outcome.reason if isinstance(entry.outcome, EngineError) else None for entry in answer.entries]


def test_each_name_goes_to_what_can_hold_it() -> None:
    given = Given(
        podman=Store([_image(1, "quay.io/team/web:1")]),
        docker=Store([_image(2, "docker.io/library/web:1", source="docker")]),
        registry=Registry(),
        archives={"/a.tar": [_image(3), _image(4)], "/b": []},
    )
    queries = [
        "docker-archive:/a.tar",
        "quay.io/team/web:1",
        "docker://quay.io/team/web:1",
        "docker-daemon:web:1",
        "containers-storage:quay.io/team/web:1",
        "oci:/b",
        "quay.io/team/web:1",
    ]
    answer = given.look_up().names(queries)
    assert [(entry.query, one) for entry, one in zip(answer.entries, _ids(answer))] == [
        ("docker-archive:/a.tar", _id(3)),
        ("docker-archive:/a.tar", _id(4)),
        ("quay.io/team/web:1", _id(1)),
        ("docker://quay.io/team/web:1", _id(1)),
        ("docker-daemon:web:1", _id(2)),
        ("containers-storage:quay.io/team/web:1", _id(1)),
        ("quay.io/team/web:1", _id(1)),
    ]
    assert given.registry is not None
    assert given.registry.asked == ["quay.io/team/web:1"]
    assert [usage.registry for usage in answer.registries] == ["quay.io"]


def test_any_number_of_names_takes_one_look_and_one_question_for_details() -> None:
    store = Store([_image(number, f"localhost/app{number}:1") for number in range(50)])
    answer = Given(podman=store).look_up().names([f"localhost/app{number}:1" for number in range(60)])
    assert _ids(answer) == [*map(_id, range(50)), *[None] * 10]
    assert store.calls == ["look", "details"]


def test_podman_is_asked_once_for_all_names_that_an_alias_may_change() -> None:
    held = [_image(1, "localhost/a:1"), _image(2, "quay.io/x/y:1"), _image(3, "localhost/b:1")]
    store = Store(held, aliases={"a:1": _id(2), "b:1": _id(3)})
    assert _ids(Given(podman=store).look_up().names(["a:1", "b:1", "c:1"])) == [_id(2), _id(3), None]
    assert store.calls == ["look", "resolve", "details"]


def test_a_list_means_its_instance_or_itself() -> None:
    index = Index((Instance(_id(0xD01), _HOST, zstd=False), Instance(_id(0xD02), _ARM, zstd=False)))
    a_list = ImageFacts(None, "podman", engine_id=_id(9), tags=("localhost/list:1",), is_manifest_list=True)
    store = Store([a_list, _image(1), _image(2, platform=_ARM)], lists={_id(9): index})
    given = Given(podman=store)
    assert _ids(given.look_up().names(["localhost/list:1"])) == [_id(1)]
    assert _ids(given.look_up(platform=_ARM).names(["localhost/list:1"])) == [_id(2)]
    (entry,) = given.look_up(manifest_list=True).names(["localhost/list:1"]).entries
    assert isinstance(entry.outcome, Image)
    assert entry.outcome.facts == a_list
    assert _reasons(given.look_up(manifest_list=True).names([_id(1)])) == [Reason.NOT_A_MANIFEST_LIST]


def test_a_list_that_cannot_be_read_loses_no_other_name() -> None:
    a_list = ImageFacts(None, "podman", engine_id=_id(9), tags=("localhost/list:1",), is_manifest_list=True)
    store = Store([a_list, _image(1, "localhost/a:1")], broken="instances")
    answer = Given(podman=store).look_up().names(["localhost/list:1", "localhost/a:1"])
    assert _reasons(answer) == [Reason.STORE_FAILED, None]
    assert _ids(answer) == [None, _id(1)]


def test_a_platform_passes_over_images_of_others() -> None:
    held = [_image(1, "localhost/a:1"), _image(2, "localhost/b:1", platform=_ARM)]
    podman = Given(podman=Store(held)).look_up(platform=_ARM)
    assert _ids(podman.names(["localhost/a:1", "localhost/b:1"])) == [None, _id(2)]
    assert _ids(podman.everything(())) == [_id(2)]
    docker = Given(docker=Store(held)).look_up(Engine.DOCKER, platform=_ARM)
    assert _ids(docker.names(["localhost/a:1", "localhost/b:1"])) == [None, _id(2)]
    assert _ids(docker.everything(())) == [_id(2)]


def test_a_platform_passes_over_images_of_others_in_archives_and_registries() -> None:
    """A lower variant will do, as it does where an index offers it."""
    v6, v7 = Platform("linux", "arm", "v6"), Platform("linux", "arm", "v7")
    none = replace(_image(4), platform=None)
    archives = {
        "/both": [_image(1), _image(2, platform=_ARM)],
        "/amd": [_image(1), _image(3)],
        "/v6": [_image(5, platform=v6)],
        "/none": [none],
        "/empty": [],
    }

    def asked(platform: Platform | None, *queries: str) -> Answer:
        return Given(archives=archives, registry=Registry(_HOST)).look_up(platform=platform).names(queries)

    answer = asked(_ARM, "oci:/both", "docker-archive:/amd", "dir:/none", "oci:/empty", "docker://quay.io/team/web")
    assert _ids(answer) == [_id(2), None, _id(4), None]
    assert _reasons(answer) == [None, Reason.IMAGE_UNKNOWN, None, Reason.NOT_FOUND]
    said = [str(entry.outcome) for entry in answer.entries if isinstance(entry.outcome, EngineError)]
    assert all("there is no image for linux/arm64, but for linux/amd64" in one for one in said)
    assert _ids(asked(v7, "dir:/v6")) == [_id(5)]
    assert _ids(asked(Platform("linux", "arm", "v5"), "dir:/v6")) == [None]
    anything = asked(None, "oci:/both", "dir:/v6", "docker://quay.io/team/web")
    assert _ids(anything) == [_id(1), _id(2), _id(5), _id(1)]


def test_an_image_that_goes_between_two_questions_is_not_there() -> None:
    class Vanishing(Store):
        def details(self, keys: t.Iterable[str]) -> dict[str, ImageFacts]:
            assert list(keys)
            return {}

    for engine, world in (
        (Engine.PODMAN, Given(podman=Vanishing([_image(1, "localhost/a:1")]))),
        (Engine.CRI, Given(cri=Vanishing([_image(1, "localhost/a:1")]))),
    ):
        assert _reasons(world.look_up(engine).names(["localhost/a:1"])) == [Reason.IMAGE_UNKNOWN]


def test_everything() -> None:
    held = [_image(1, "localhost/a:1"), _image(2)]
    podman = Store(held)
    answer = Given(podman=podman).look_up().everything(["dangling=true"])
    assert _ids(answer) == [_id(1), _id(2)]
    assert podman.calls == ["look dangling=true", "details"]
    assert {entry.query for entry in answer.entries} == {None}
    assert _ids(Given(cri=Store(held)).look_up(Engine.CRI).everything(())) == [_id(1), _id(2)]


@pytest.mark.parametrize("engine", [Engine.DOCKER, Engine.CRI])
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("web:1", 1),
        ("library/web:1", 1),
        ("docker.io/library/web:1", 1),
        ("localhost/web:1", None),
        ("web", None),
        ("quay.io/team/app", 2),
        (f"quay.io/team/app@{_id(7)}", 2),
        (f"quay.io/team/app:gone@{_id(7)}", 2),
        (f"web@{_id(7)}", None),
        (_id(2), 2),
        (_id(2)[7:], 2),
        (_id(0xAB00)[7:], 0xAB00),
        (_id(5), None),
        ("0" * 10, None),
        ("ab", None),
    ],
)
def test_the_names_of_docker_and_cri(engine: Engine, name: str, found: int | None) -> None:
    named = replace(_image(2, "quay.io/team/app:latest"), repo_digests=(f"quay.io/team/app@{_id(7)}",))
    store = Store([_image(1, "docker.io/library/web:1"), named, _image(0xAB00)])
    answer = Given(docker=store, cri=store).look_up(engine).names([name])
    assert _ids(answer) == [None if found is None else _id(found)]
    assert _reasons(answer) == [Reason.IMAGE_UNKNOWN if found is None else None]


def test_the_beginning_of_an_id_is_found() -> None:
    store = Store([replace(_image(1), id="sha256:ab12" + "0" * 60), replace(_image(2), id="sha256:ab34" + "0" * 60)])
    answer = Given(docker=store).look_up(Engine.DOCKER).names(["ab1", "ab3", "ab"])
    assert [bool(one) for one in _ids(answer)] == [True, True, False]


def test_an_id_is_found_where_the_engine_has_others() -> None:
    """Which config is behind dockerd's IDs only its details tell."""

    class ByManifest(Store):
        def images(self) -> tuple[ImageFacts, ...]:
            return tuple(replace(one, id=None) for one in super().images())

    store = ByManifest([replace(_image(1, "docker.io/library/web:1"), engine_id=_id(9))])
    look_up = Given(docker=store).look_up(Engine.DOCKER)
    assert _ids(look_up.names([_id(1), _id(9), "web:1"])) == [_id(1)] * 3
    assert store.calls == ["images", "details"]


def test_what_goes_wrong_is_said_of_the_names_that_it_concerns() -> None:
    given = Given(
        podman=Store([_image(1, "localhost/a:1")], broken="look"),
        docker=Store([_image(2, "docker.io/library/web:1")]),
        registry=Registry(),
        archives={},
    )
    queries = [
        "localhost/a:1",
        "docker-daemon:web:1",
        "docker-daemon:web",
        "docker://quay.io/team/gone",
        "docker://example.com/x",
        "docker://quay.io/team/web",
        "dir:/nowhere",
        "sif:/x",
        "b:1",
    ]
    answer = given.look_up().names(queries)
    assert _reasons(answer) == [
        Reason.STORE_FAILED,
        None,
        Reason.BAD_REFERENCE,
        Reason.NOT_FOUND,
        Reason.REGISTRY_UNREACHABLE,
        None,
        Reason.ARCHIVE_UNREADABLE,
        Reason.STORE_FAILED,
        Reason.STORE_FAILED,
    ]


def test_what_keeps_every_registry_from_being_asked_loses_no_other_name() -> None:
    def refuses() -> t.Any:
        raise StoreError("podman info failed")

    store = Store([_image(1, "localhost/a:1")])
    world = World(lambda: store, _never, _never, _never, refuses, _HOST)
    answer = LookUp(world, Engine.PODMAN, None, manifest_list=False).names(["docker://quay.io/x", "localhost/a:1"])
    assert _reasons(answer) == [Reason.STORE_FAILED, None]


def test_bad_names_are_told_apart() -> None:
    store = Store([])
    names = ["Shop/Web", "sha256:aa", "sif:/x", "docker://X", "", "a:b:c"]
    podman = _reasons(Given(podman=store).look_up().names(names))
    expected = [Reason.BAD_REFERENCE, Reason.BAD_ID, Reason.UNSUPPORTED_TRANSPORT, *[Reason.BAD_REFERENCE] * 3]
    assert podman[1:] == expected[1:]
    assert _reasons(Given(cri=store).look_up(Engine.CRI).names(names)) == expected


_NAMES = st.one_of(
    st.sampled_from(
        ["a", "localhost/a:1", "docker://quay.io/team/web", "docker-daemon:a:1", "oci:/x", "dir:/y", "sif:z", _id(1)]
    ),
    st.text(max_size=12),
)


@given(st.lists(_NAMES, max_size=8), st.sampled_from(Engine))
def test_whatever_is_asked_each_query_is_answered_in_order(queries: list[str], engine: Engine) -> None:
    store = Store([_image(1, "localhost/a:1", "docker.io/library/a:latest")])
    given = Given(podman=store, docker=store, cri=store, registry=Registry(), archives={"/x": [_image(3)]})
    answer = given.look_up(engine).names(queries)
    assert [entry.query for entry in answer.entries] == queries
