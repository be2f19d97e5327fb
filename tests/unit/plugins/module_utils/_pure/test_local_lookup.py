# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local look-up: libimage's order, step by step, and its classes of errors kept apart."""

from __future__ import annotations

import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.local_lookup import (
    Answers,
    AskEngine,
    Found,
    LocalImages,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import Index, Instance
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_HOST = Platform("linux", "amd64")
_ARM = Platform("linux", "arm64")


def _hex(start: str) -> str:
    return (start + "0" * 64)[:64]


def _sha(start: str) -> str:
    return f"sha256:{_hex(start)}"


def _image(
    id: str,
    *tags: str,
    digest: str | None = None,
    extra_digests: tuple[str, ...] = (),
    platform: Platform | None = _HOST,
    corrupted: bool = False,
    is_list: bool = False,
) -> ImageFacts:
    """An image as podman lists it: a digest is recorded for each repository that it has a name in."""
    digest = digest or _sha("d" + id)
    repositories = sorted({tag.rpartition(":")[0] for tag in tags})
    digests = (digest, *extra_digests)
    return ImageFacts(
        id=_sha(id),
        source="podman",
        digest=digest,
        digests=frozenset(digests),
        tags=tags,
        repo_digests=tuple(f"{repository}@{one}" for repository in repositories for one in digests),
        platform=platform,
        corrupted=corrupted,
        is_manifest_list=is_list,
    )


def _store(*images: ImageFacts, search: t.Sequence[str] = (), podman: tuple[int, ...] = (5, 4, 2)) -> LocalImages:
    return LocalImages(images, host=_HOST, search=search, podman=podman)


def _found(store: LocalImages, text: str, **options: t.Any) -> Found:
    found = store.look_up(text, **options)
    assert isinstance(found, Found), f"podman is asked: {found}"
    return found


def _reason(store: LocalImages, text: str, **options: t.Any) -> Reason:
    with pytest.raises(ImageError) as caught:
        store.look_up(text, **options)
    assert text[:60] in str(caught.value) or "unsupported transport" in str(caught.value)
    return caught.value.reason


_ALPINE = _image("a1", "quay.io/libpod/alpine:latest")
_D = _ALPINE.digest


@pytest.mark.parametrize(
    "text",
    [
        "alpine",
        "alpine:latest",
        "libpod/alpine",
        "libpod/alpine:latest",
        "quay.io/libpod/alpine",
        "quay.io/libpod/alpine:latest",
    ],
)
def test_l1_short_partial_and_full_names_find_the_image(text: str) -> None:
    found = _found(_store(_ALPINE), text)
    assert (found.image, found.name, found.by_id) == (_ALPINE, "quay.io/libpod/alpine:latest", False)


@pytest.mark.parametrize("text", ["alpine:wrongtag", "libpod/alpine:wrongtag", "quay.io/libpod/alpine:wrongtag"])
def test_l2_another_tag_is_unknown(text: str) -> None:
    assert _reason(_store(_ALPINE), text) is Reason.IMAGE_UNKNOWN


@pytest.mark.parametrize("name", ["alpine", "libpod/alpine", "quay.io/libpod/alpine"])
@pytest.mark.parametrize("tag", ["", ":latest", ":wrongtag"])
def test_l3_beside_a_digest_the_tag_does_not_count(name: str, tag: str) -> None:
    found = _found(_store(_ALPINE), f"{name}{tag}@{_D}")
    assert (found.image, found.name) == (_ALPINE, f"quay.io/libpod/alpine@{_D}")


def test_l4_an_id_has_64_hex_digits() -> None:
    assert _reason(_store(_ALPINE), "sha256:aa") is Reason.BAD_ID


def test_l5_a_tag_that_equals_the_beginning_of_an_id_wins() -> None:
    busybox = _image("b7", "quay.io/libpod/busybox:latest")
    alpine = _image("a1", "quay.io/libpod/alpine:latest", "localhost/b:latest")
    answers = Answers(images={"b": alpine.id, "b7": busybox.id})
    assert _store(alpine, busybox).look_up("b") == AskEngine(name="b"), "b might be an alias for busybox"
    found = _found(_store(alpine, busybox), "b", answers=answers)
    assert (found.image, found.name, found.by_id) == (alpine, "localhost/b:latest", False)
    found = _found(_store(alpine, busybox), "b7", answers=answers)
    assert (found.image, found.name, found.by_id) == (busybox, "b7", True)


def test_l6_a_list_is_asked_for_by_either_digest_and_an_image_is_none() -> None:
    index = _sha("1dec")
    image = _image("a1", "quay.io/a/app:latest", extra_digests=(index,))
    for digest in (image.digest, index):
        assert _found(_store(image), f"quay.io/a/app@{digest}").name == f"quay.io/a/app@{digest}"
        assert _reason(_store(image), f"quay.io/a/app@{digest}", manifest_list=True) is Reason.NOT_A_MANIFEST_LIST


def test_l14_lists_are_lists_names_are_unknown_and_images_are_no_lists() -> None:
    listed = _image("11", "localhost/all:1", is_list=True, platform=None)
    store = _store(listed, _image("a1", "localhost/app:1"))
    for text in ("localhost/all:1", "all:1", _hex("11"), _sha("11")):
        assert _found(store, text, manifest_list=True).image is listed
    assert _reason(store, "nosuch", manifest_list=True) is Reason.IMAGE_UNKNOWN
    assert _reason(store, "localhost/app:1", manifest_list=True) is Reason.NOT_A_MANIFEST_LIST


def test_l16_each_name_is_found_and_no_name_is_a_bad_reference() -> None:
    store = _store(_ALPINE, _image("b7", "quay.io/libpod/busybox:latest"))
    for name in ("alpine", "busybox"):
        assert _found(store, f"quay.io/libpod/{name}").name == f"quay.io/libpod/{name}:latest"
    with pytest.raises(ImageError) as caught:
        store.look_up("")
    assert caught.value.reason is Reason.BAD_REFERENCE


class Classed(t.NamedTuple):
    """A name of nothing that is there, and which of libimage's classes of errors it meets."""

    text: str
    reason: Reason


_CLASSED = [
    Classed("nosuch", Reason.IMAGE_UNKNOWN),
    Classed("quay.io/no/such:1", Reason.IMAGE_UNKNOWN),
    Classed(_hex("ff"), Reason.IMAGE_UNKNOWN),
    Classed(_sha("ff"), Reason.IMAGE_UNKNOWN),
    Classed(f"nosuch@{_sha('ff')}", Reason.IMAGE_UNKNOWN),
    Classed("docker:latest", Reason.IMAGE_UNKNOWN),
    Classed("docker-daemon:alpine", Reason.IMAGE_UNKNOWN),
    Classed("tarball:x", Reason.IMAGE_UNKNOWN),
    Classed("Foo/bar", Reason.IMAGE_UNKNOWN),
    Classed("under_score.example.com/a", Reason.IMAGE_UNKNOWN),
    Classed("app@sha512:" + "ab" * 64, Reason.IMAGE_UNKNOWN),
    Classed("containers-storage:nosuch", Reason.IMAGE_UNKNOWN),
    Classed(f"containers-storage:@{_hex('ff')}", Reason.IMAGE_UNKNOWN),
    Classed(f"containers-storage:{_hex('ff')}", Reason.IMAGE_UNKNOWN),
    Classed("Alpine", Reason.BAD_REFERENCE),
    Classed("Foo/Bar", Reason.BAD_REFERENCE),
    Classed("a:b:c", Reason.BAD_REFERENCE),
    Classed("#", Reason.BAD_REFERENCE),
    Classed("docker:", Reason.BAD_REFERENCE),
    Classed("docker://Foo", Reason.BAD_REFERENCE),
    Classed("[::1]:5000/a", Reason.BAD_REFERENCE),
    Classed("a" * 300, Reason.BAD_REFERENCE),
    Classed("containers-storage:", Reason.BAD_REFERENCE),
    Classed("sha256:" + "A" * 64, Reason.BAD_ID),
    Classed("sha256:aa", Reason.BAD_ID),
    Classed("oci:x", Reason.UNSUPPORTED_TRANSPORT),
    Classed("dir:latest", Reason.UNSUPPORTED_TRANSPORT),
    Classed("docker-archive:x", Reason.UNSUPPORTED_TRANSPORT),
    Classed("oci-archive:x", Reason.UNSUPPORTED_TRANSPORT),
    Classed("docker-daemon:a:b", Reason.UNSUPPORTED_TRANSPORT),
    Classed("docker://alpine", Reason.UNSUPPORTED_TRANSPORT),
    Classed("sif:x", Reason.UNSUPPORTED_TRANSPORT),
]


@pytest.mark.parametrize("case", _CLASSED, ids=lambda case: case.text[:40])
def test_the_classes_of_errors_are_kept_apart(case: Classed) -> None:
    assert _reason(_store(), case.text) is case.reason


def test_localhost_comes_before_search_registries_and_these_before_docker_hub() -> None:
    tags = ["localhost/app:1", "one.example/app:1", "two.example/app:1", "docker.io/library/app:1"]
    images = [_image(f"{number}0", tag) for number, tag in enumerate(tags)]
    for first in range(len(tags)):
        store = _store(*images[first:], search=("one.example", "two.example"))
        answers = Answers(images={"app:1": images[first].id})
        assert _found(store, "app:1", answers=answers).name == tags[first]


def test_the_order_needs_no_answer_where_one_image_alone_can_be_meant() -> None:
    """No alias can lead to another image where there is none with that tag."""
    image = _image("a1", "quay.io/x/app:1", "localhost/app:1")
    assert _found(_store(image, _image("b1", "quay.io/x/db:2")), "app:1").name == "localhost/app:1"


def test_a_short_name_that_an_alias_may_stand_for_is_asked_of_podman() -> None:
    local, elsewhere = _image("a1", "localhost/app:1"), _image("b1", "quay.io/x/other:1")
    store = _store(local, elsewhere)
    assert store.look_up("app:1") == AskEngine(name="app:1")
    found = _found(store, "app:1", answers=Answers(images={"app:1": elsewhere.id}))
    assert (found.image, found.name) == (elsewhere, "quay.io/x/other:1")
    assert _found(store, "app:1", answers=Answers(images={"app:1": local.id})).name == "localhost/app:1"
    assert _reason(store, "app:1", answers=Answers(images={"app:1": None})) is Reason.IMAGE_UNKNOWN
    assert _found(store, "localhost/app:1").image is local, "a fully qualified name has no alias"


def test_an_alias_counts_where_nothing_else_is_found() -> None:
    image = _image("b1", "registry.example/x/fedora-minimal:9")
    store = _store(image)
    assert store.look_up("minimal:9") == AskEngine(name="minimal:9")
    assert _reason(store, "minimal:8") is Reason.IMAGE_UNKNOWN, "no image has that tag, so no alias can lead to one"
    answers = Answers(images={"minimal:9": _hex("b1")})
    assert _found(store, "minimal:9", answers=answers).name == "registry.example/x/fedora-minimal:9"


def test_an_answer_of_another_platform_is_passed_over() -> None:
    """podman image inspect cannot be told a platform."""
    alias, arm = _image("a1", "quay.io/x/other:1"), _image("b1", "localhost/app:1", platform=_ARM)
    answers = Answers(images={"app:1": alias.id})
    assert _found(_store(alias, arm), "app:1", platform=_ARM, answers=answers).image is arm


def test_the_docker_hub_form_is_tried_for_every_short_name() -> None:
    image = _image("a1", "docker.io/library/nginx:1", "docker.io/team/app:1")
    for text in ("nginx:1", "library/nginx:1", "docker.io/nginx:1", "docker.io/library/nginx:1"):
        assert _found(_store(image), text).name == "docker.io/library/nginx:1"
    assert _found(_store(image), "team/app:1").name == "docker.io/team/app:1"


def test_a_short_name_ends_a_repository_at_a_slash_only() -> None:
    store = _store(_image("a1", "quay.io/team/my-app:1"))
    for text in ("app:1", "m/my-app:1", "io/team/my-app:1"):
        with pytest.raises(ImageError):
            store.look_up(text, answers=Answers(images={text: None}))
    assert _found(store, "my-app:1").name == "quay.io/team/my-app:1"


def test_the_beginning_of_an_id_must_be_unique() -> None:
    first, second = _image("ab1"), _image("ab2")
    assert _found(_store(first, second), "ab1").image is first
    assert _reason(_store(first, second), "ab") is Reason.IMAGE_UNKNOWN
    assert _reason(_store(first, second), "ac") is Reason.IMAGE_UNKNOWN


def test_whether_the_text_begins_the_id_is_said_however_the_image_was_found() -> None:
    image = _image("ab1", "localhost/ab:latest")
    for text, by_id in [("ab", True), ("ab1", True), (_hex("ab1"), True), (_sha("ab1"), True), ("localhost/ab", False)]:
        assert _found(_store(image), text).by_id is by_id, text


def test_a_manifest_digest_is_no_image_id() -> None:
    assert _reason(_store(_ALPINE), str(_D)) is Reason.IMAGE_UNKNOWN


def test_a_digest_belongs_to_its_repository_but_for_old_podman() -> None:
    other = f"quay.io/libpod/busybox@{_D}"
    answers = Answers(images={f"busybox@{_D}": None})
    assert _reason(_store(_ALPINE), other) is Reason.IMAGE_UNKNOWN
    assert _reason(_store(_ALPINE), f"busybox@{_D}", answers=answers) is Reason.IMAGE_UNKNOWN
    assert _found(_store(_ALPINE, podman=(4, 3, 1)), other).image is _ALPINE


_INDEX = Index((Instance(_sha("da1"), _HOST, False), Instance(_sha("db1"), _ARM, False)))
_LIST = _image("11", "localhost/all:1", is_list=True, platform=None)
_LISTS = Answers(lists={_sha("11"): _INDEX})


def test_what_a_list_holds_is_asked_of_podman_and_its_instance_is_the_image() -> None:
    amd, arm = _image("a1"), _image("b1", platform=_ARM)
    store = _store(_LIST, amd, arm)
    for text in ("all:1", "localhost/all:1", _sha("11"), "11"):
        assert store.look_up(text) == AskEngine(manifest_list=_sha("11"))
        assert _found(store, text, answers=_LISTS).image is amd
        assert _found(store, text, answers=_LISTS, platform=_ARM).image is arm
    assert _found(store, "all:1", answers=_LISTS).name == "localhost/all:1"


def test_a_list_without_its_instance_ends_the_search() -> None:
    """libimage tries no further name: the image of the search registry is not reached."""
    store = _store(_LIST, _image("a1", "one.example/all:1", digest=_sha("dead")), search=("one.example",))
    answers = Answers(images={"all:1": None}, lists=_LISTS.lists)
    assert _reason(store, "all:1", answers=answers) is Reason.IMAGE_UNKNOWN
    assert _reason(_store(_LIST), "localhost/all:1", answers=_LISTS) is Reason.IMAGE_UNKNOWN
    riscv = Platform("linux", "riscv64")
    assert _reason(_store(_LIST), "localhost/all:1", answers=_LISTS, platform=riscv) is Reason.IMAGE_UNKNOWN


def test_a_damaged_list_is_returned_as_it_is() -> None:
    damaged = _image("11", "localhost/all:1", is_list=True, platform=None, corrupted=True)
    assert _found(_store(damaged), "localhost/all:1").image is damaged


def test_p7_p8_p9_a_wanted_platform_passes_over_the_others() -> None:
    image = _image("a1", "docker.io/library/busybox:musl")
    store = _store(image)
    for right in (_HOST, Platform.normalised("linux", "x86_64")):
        assert _found(store, "busybox:musl", platform=right).image is image
    for wrong in (Platform("linux", "bogus"), Platform("bogus", "amd64"), _ARM):
        answers = Answers(images={"busybox:musl": image.id})
        assert _reason(store, "busybox:musl", platform=wrong, answers=answers) is Reason.IMAGE_UNKNOWN
        assert _reason(store, "docker.io/library/busybox:musl", platform=wrong) is Reason.IMAGE_UNKNOWN


def test_p6_no_tag_means_latest() -> None:
    assert _reason(_store(_image("a1", "docker.io/library/busybox:musl")), "busybox") is Reason.IMAGE_UNKNOWN


def test_an_id_is_found_whatever_its_platform() -> None:
    store = _store(_image("a1", platform=_ARM))
    for text in (_sha("a1"), _hex("a1"), "a1"):
        assert _found(store, text, platform=_HOST).image.platform == _ARM


def test_the_platform_of_a_corrupted_image_does_not_count() -> None:
    store = _store(_image("a1", "localhost/app:1", platform=_ARM, corrupted=True))
    assert _found(store, "localhost/app:1", platform=_HOST).image.corrupted


def test_of_the_platforms_of_one_index_the_wanted_one_is_found_and_else_the_hosts() -> None:
    """Both are recorded under the digest of the index that they were pulled by."""
    index = _sha("1dec")
    arm = _image("b1", "quay.io/x/app:arm", extra_digests=(index,), platform=_ARM)
    amd = _image("a1", "quay.io/x/app:amd", extra_digests=(index,))
    for order in ((arm, amd), (amd, arm)):
        assert _found(_store(*order), f"quay.io/x/app@{index}").image is amd
        assert _found(_store(*order), f"quay.io/x/app@{index}", platform=_ARM).image is arm


def test_storage_is_taken_literally() -> None:
    local, hub = _image("ab1", "localhost/app:1"), _image("cd1", "docker.io/library/app:1")
    store = _store(local, hub, _LIST)
    storage = "containers-storage:"
    assert _found(store, f"{storage}app:1").image is hub, "a short name is Docker Hub's here"
    assert _found(store, f"{storage}localhost/app:1").image is local
    assert _found(store, f"{storage}localhost/app@{local.digest}").image is local
    assert _found(store, f"{storage}@{_hex('ab1')}").image is local
    assert _found(store, f"{storage}{_hex('ab1')}").image is local
    assert _found(store, f"{storage}ab1").image is local
    assert _found(store, f"{storage}localhost/app:2@{_hex('ab1')}").image is local, "the repository counts, not the tag"
    assert _reason(store, f"{storage}other@{_hex('ab1')}") is Reason.IMAGE_UNKNOWN
    assert _reason(store, f"{storage}ab") is Reason.IMAGE_UNKNOWN, "three digits are the fewest"
    found = _found(store, f"{storage}localhost/all:1")
    assert (found.image, found.name, found.by_id) == (_LIST, "", False)


def test_an_engines_own_id_is_what_names_the_image() -> None:
    image = ImageFacts(id=_sha("cf"), source="podman", engine_id=_sha("ee"), tags=("localhost/app:1",))
    assert _found(_store(image), "ee").image is image
    assert _reason(_store(image), "cf") is Reason.IMAGE_UNKNOWN


_TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(["quay.io/", "a", "app", "localhost/", "A", ":", "@", "/", _sha("a1"), "oci:", "latest"]),
        max_size=6,
    ).map("".join),
)


@given(_TEXTS, st.booleans(), st.sampled_from([None, _HOST, _ARM]))
def test_any_text_is_found_asked_for_or_an_image_error(
    text: str, manifest_list: bool, platform: Platform | None
) -> None:
    store = _store(_ALPINE, _image("a2", "localhost/app:latest", "quay.io/a:app"), _LIST)
    try:
        found = store.look_up(text, platform=platform, manifest_list=manifest_list)
        if isinstance(found, AskEngine) and found.name is not None:
            answers = Answers(images={text: _ALPINE.id}, lists=_LISTS.lists)
            found = store.look_up(text, platform=platform, manifest_list=manifest_list, answers=answers)
            assert not isinstance(found, AskEngine), "two rounds suffice"
    except ImageError:
        return


def test_many_names_over_many_images_cost_little() -> None:
    images = [_image(f"{number:06x}", f"quay.io/team/app-{number}:v{number}") for number in range(4000)]
    names = [f"app-{number}:v{number}" for number in range(1000)]
    names += [f"nosuch-{number}:x{number}" for number in range(1000)]
    names += [f"{number:06x}" for number in range(1000)]
    names += [f"quay.io/team/app-{number}@{images[number].digest}" for number in range(1000)]
    started = time.process_time()
    store = _store(*images)
    found = 0
    for name in names:
        try:
            found += isinstance(store.look_up(name), Found)
        except ImageError:
            continue
    # One scan of all images for each name would be 16 million steps.
    assert time.process_time() - started < 2.0
    assert found == 3000
