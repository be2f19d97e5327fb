# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow that compares images with registries: what is asked, how often, and what is said of each name."""

from __future__ import annotations

import json
import threading
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.digests import DigestReport
from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.compare import Compared, compare
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import RemoteImage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError, StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import Index
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import Question, RegistryUsage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.records import HostFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf

_AMD64, _ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")
_HOST = HostFacts((5, 4, 2), _AMD64, RegistriesConf())


def _digest(text: str) -> str:
    return f"sha256:{text.encode().hex():0>64}"


def _image(name: str, *, id_: str = "1", digest: str = "d1", platform: Platform | None = _AMD64) -> ImageFacts:
    repository = name.rpartition(":")[0]
    return ImageFacts(
        _digest(id_),
        "podman",
        digests=frozenset({_digest(digest)}),
        tags=(name,),
        repo_digests=(f"{repository}@{_digest(digest)}",),
        platform=platform,
    )


class _Store:
    """podman's store with these images."""

    def __init__(self, *images: ImageFacts) -> None:
        self.held = {str(one.id): one for one in images}
        self.looks = 0
        self.inspected: list[str] = []

    def look(self, filters: t.Sequence[str] = ()) -> tuple[HostFacts, tuple[ImageFacts, ...]]:
        assert not filters
        self.looks += 1
        return _HOST, tuple(replace(one, platform=None) for one in self.held.values())

    def details(self, keys: t.Iterable[str]) -> dict[str, ImageFacts]:
        wanted = set(keys)
        self.inspected += sorted(wanted)
        return {key: self.held[key] for key in wanted if key in self.held}

    def resolve(self, names: t.Iterable[str]) -> dict[str, str | None]:
        tags = {tag: key for key, one in self.held.items() for tag in one.tags}
        return {name: next((tags[tag] for tag in tags if tag.endswith(f"/{name}")), None) for name in names}

    def instances(self, key: str) -> Index:
        raise StoreError(f"{key} is no list")


class _Registry:
    """Registries that answer with these digests or errors."""

    def __init__(self, **answers: RemoteImage | RegistryError) -> None:
        self.answers = answers
        self.prepared: list[Question] = []
        self.asked: list[Question] = []
        self.widths: list[int] = []
        self._lock = threading.Lock()

    def connect(self, host: HostFacts, width: int) -> _Registry:
        assert host is _HOST
        self.widths.append(width)
        return self

    def prepare(self, questions: t.Iterable[Question]) -> None:
        self.prepared += questions

    def resolve(self, question: Question) -> RemoteImage:
        with self._lock:
            self.asked.append(question)
        answer = self.answers[question.reference.path.rpartition("/")[2]]
        if isinstance(answer, RegistryError):
            raise answer
        return answer

    def usage(self) -> tuple[RegistryUsage, ...]:
        return (RegistryUsage("quay.io", len(self.asked), 0, 0, 0, None, None),)


def _compare(store: _Store, registry: _Registry, *names: str, platform: Platform | None = None) -> Compared:
    return compare(store, registry.connect, names, platform, 8)


def _told(compared: Compared) -> list[tuple[str, str | None]]:
    return [(str(one.status and one.status.value), one.reason.value if one.reason else None) for one in compared.images]


def test_each_name_is_answered_in_order_and_each_image_asked_for_once() -> None:
    store = _Store(_image("quay.io/t/app:1"), _image("quay.io/t/db:1", id_="2", digest="d2"))
    registry = _Registry(app=RemoteImage(_digest("d1")), db=RemoteImage(_digest("new"), None, _digest("3")))
    names = ["quay.io/t/db:1", "quay.io/t/app:1", "docker://quay.io/t/app:1", "t/app:1", "quay.io/t/db:1"]

    compared = _compare(store, registry, *names)

    assert [one.query for one in compared.images] == names
    assert _told(compared) == [("pending", None), *[("current", None)] * 3, ("pending", None)]
    assert sorted(one.reference.name for one in registry.asked) == ["quay.io/t/app:1", "quay.io/t/db:1"]
    assert registry.prepared == sorted(registry.asked, key=registry.prepared.index)
    assert {one.reference.path: one.known for one in registry.asked} == {
        "t/app": {_digest("d1")},
        "t/db": {_digest("d2")},
    }
    assert store.looks == 1


def test_nothing_is_connected_where_nothing_is_to_be_asked() -> None:
    store, registry = _Store(_image("quay.io/t/app:1")), _Registry()
    compared = _compare(store, registry, f"quay.io/t/app@{_digest('d1')}", _digest("1"), "nothing", "quay.io/Bad")
    assert _told(compared) == [
        ("pinned", None),
        ("pinned", None),
        ("unknown", "short_name"),
        ("unknown", "bad_reference"),
    ]
    assert (registry.widths, compared.registries) == ([], ())
    assert len(compared.unusable) == 1


def test_trouble_with_one_registry_is_that_entrys_own() -> None:
    store = _Store(_image("quay.io/t/app:1"))
    registry = _Registry(app=RemoteImage(_digest("d1")), db=RegistryError("no", Reason.AUTH_REQUIRED))
    compared = _compare(store, registry, "quay.io/t/db:1", "quay.io/t/app:1")
    assert _told(compared) == [("unknown", "auth_required"), ("current", None)]
    assert compared.unusable == ()


class Asked(t.NamedTuple):
    """The platform of an image in storage, the wanted one, and the one that the registry is asked for."""

    local: Platform | None
    wanted: Platform | None
    expected: Platform


@pytest.mark.parametrize(
    "case",
    [
        Asked(None, None, _AMD64),
        Asked(_AMD64, None, _AMD64),
        Asked(_ARM64, None, _ARM64),
        Asked(Platform("linux", "amd64", "v3"), None, Platform("linux", "amd64", "v3")),
        Asked(_AMD64, _ARM64, _ARM64),
    ],
)
def test_the_platform_is_the_wanted_one_or_the_images_or_the_hosts(case: Asked) -> None:
    registry = _Registry(app=RemoteImage(_digest("d1")))
    store = _Store(_image("quay.io/t/app:1", platform=case.local))
    compared = _compare(store, registry, "quay.io/t/app:1", platform=case.wanted)
    assert [one.platform for one in registry.asked] == [case.expected]
    # An image of another platform than the wanted one is passed over.
    assert _told(compared) == [("missing" if case.wanted else "current", None)]


def test_a_damaged_image_is_missing_and_spares_no_request() -> None:
    registry = _Registry(app=RemoteImage(_digest("d1")))
    compared = _compare(_Store(replace(_image("quay.io/t/app:1"), corrupted=True)), registry, "quay.io/t/app:1")
    assert _told(compared) == [("missing", "corrupted")]
    assert registry.asked[0].known == frozenset()


def test_a_store_that_fails_fails_all() -> None:
    class Broken(_Store):
        def details(self, keys: t.Iterable[str]) -> dict[str, ImageFacts]:
            raise StoreError(f"podman image inspect {list(keys)}: broken")

    with pytest.raises(StoreError, match="broken"):
        _compare(Broken(_image("quay.io/t/app:1")), _Registry(), "quay.io/t/app:1")


# The report.


def _result(*fail_on: str, names: t.Sequence[str] = ("quay.io/t/app:1", "quay.io/t/db:1")) -> dict[str, t.Any]:
    passed = ("mirror.example.com answers 500",)
    registry = _Registry(
        app=RemoteImage(_digest("d1"), passed_over=passed, registry="quay.io"),
        db=RegistryError("no", Reason.AUTH_REQUIRED),
    )
    compared = _compare(_Store(_image("quay.io/t/app:1")), registry, *names)
    return DigestReport(compared, ("beware",)).to_result(fail_on)


def test_the_result_has_what_is_documented() -> None:
    result = _result()
    assert result["images"] == [
        {
            "name": "quay.io/t/app:1",
            "status": "current",
            "reason": None,
            "error": None,
            "local": {"id": _digest("1"), "digests": [_digest("d1")]},
            "remote": {
                "digest": _digest("d1"),
                "platform_digest": None,
                "id": None,
                "media_type": None,
                "size": None,
                "registry": "quay.io",
            },
        },
        {
            "name": "quay.io/t/db:1",
            "status": "unknown",
            "reason": "auth_required",
            "error": "no",
            "local": None,
            "remote": None,
        },
    ]
    assert result["registries"][0]["registry"] == "quay.io"
    assert result["msg"] == "2 images: 1 current, 1 unknown (quay.io/t/db:1: auth_required)."
    assert (result["changed"], result["failed"], result["warned"]) == (False, False, ("beware",))
    json.dumps(result)


@pytest.mark.parametrize(
    ("fail_on", "failed"), [((), False), (("unknown",), True), (("pending", "missing"), False), (("current",), True)]
)
def test_it_fails_on_what_it_is_told_to(fail_on: tuple[str, ...], failed: bool) -> None:
    result = _result(*fail_on)
    assert result["failed"] is failed
    assert len(result["images"]) == 2


def test_a_name_that_means_nothing_always_fails_and_loses_nothing() -> None:
    result = _result(names=["quay.io/t/app:1", "quay.io/Bad\x1b[2J"])
    assert result["failed"] is True
    assert [one["status"] for one in result["images"]] == ["current", "unknown"]
    assert "bad_reference" in result["msg"]
    assert "\x1b" not in result["msg"]


def test_nothing_asked_is_nothing_said() -> None:
    assert _result(names=[])["msg"] == "No image was named."
