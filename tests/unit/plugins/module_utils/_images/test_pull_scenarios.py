# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of podman's own tests: P1 to P20 of pulls, R1 to R14 of archives (containers/common, libimage).

Where a scenario is about a command that this collection has no equivalent of (load, import, save), its pull side is seen.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.pull_report import PullReport, Row
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.short_names import ShortNames
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._images.pull_world import (
    AMD64,
    ARM64,
    Content,
    PullWorld,
    sha,
)

ALPINE = "docker.io/library/alpine:latest"
QUAY = "quay.io/libpod/alpine:latest"
MUSL = "quay.io/libpod/busybox:musl"
ONE, BOTH = Content("one"), Content("both", (AMD64, ARM64), index=True)
DOWN = Reason.REGISTRY_UNREACHABLE


@pytest.fixture
def world() -> PullWorld:
    return PullWorld()


def _failed(row: Row, reason: Reason) -> bool:
    return row.error is not None and row.reason is reason and not row.changed


def test_p1_a_known_transport_never_falls_through_to_a_registry(world: PullWorld) -> None:
    row = world.pull_one("docker-daemon:alpine")
    assert _failed(row, Reason.BAD_REFERENCE)
    assert "neither a tag nor a digest" in str(row.error)
    assert world.registry.questions == []


@pytest.mark.parametrize("name", ["alpine", "docker://alpine", "docker.io/library/alpine", f"docker://{ALPINE}"])
def test_p2_all_spellings_of_docker_hub(name: str) -> None:
    world = PullWorld(search=("docker.io",))
    world.registry.push(ALPINE, ONE)
    row = world.pull_one(name, policy="always")
    assert (row.resolved_name, world.store.names) == (ALPINE, {ALPINE: ONE.id()})


@pytest.mark.parametrize("tag", ["", ":pleaseignorethistag"])
def test_p3_a_tag_beside_a_digest_counts_for_nothing(world: PullWorld, tag: str) -> None:
    world.registry.push(QUAY, ONE)
    row = world.pull_one(f"quay.io/libpod/alpine{tag}@{ONE.digest}", policy="always")
    assert row.resolved_name == f"quay.io/libpod/alpine@{ONE.digest}"
    assert world.store.names == {row.resolved_name: ONE.id()}
    assert not world.pull_one(row.resolved_name, policy="always").changed


def test_p4_a_folder_with_an_odd_name_gives_an_image_without_a_name(world: PullWorld) -> None:
    source = "dir:/srv/scratch-dir-5pec!@L"
    world.store.archives[source] = (ONE.facts(),)
    row = world.pull_one(source)
    assert (row.resolved_name, row.after[0], row.changed) == (None, ONE.id(), True)
    assert world.store.names == {}
    assert not world.pull_one(ONE.id()).changed


def test_p5_a_platform_that_an_index_lacks_is_an_error_whatever_is_there(world: PullWorld) -> None:
    world.registry.push(MUSL, BOTH)
    world.store.add(BOTH, MUSL)
    row = world.pull_one(MUSL, policy="newer", platform="linux/bogus")
    assert _failed(row, Reason.NOT_FOUND)
    assert "linux/bogus" in str(row.error)


def test_p6_another_tag_is_another_name(world: PullWorld) -> None:
    world.store.add(BOTH, MUSL)
    assert _failed(world.pull_one("busybox", policy="never"), Reason.IMAGE_UNKNOWN)


def test_p7_the_hosts_own_platform_filters_nothing(world: PullWorld) -> None:
    world.store.add(BOTH, MUSL)
    assert world.pull_one(MUSL, policy="never", platform="linux/amd64").after[0] == BOTH.id()


@pytest.mark.parametrize("platform", ["linux/bogus", "bogus/amd64"])
def test_p8_another_platform_is_not_found_locally(world: PullWorld, platform: str) -> None:
    world.store.add(BOTH, MUSL)
    assert _failed(world.pull_one(MUSL, policy="never", platform=platform), Reason.IMAGE_UNKNOWN)


@pytest.mark.parametrize("spelled", ["linux/arm64", "linux/aarch64"])
def test_p9_p10_another_platform_is_pulled_and_found(world: PullWorld, spelled: str) -> None:
    world.registry.push(MUSL, BOTH)
    assert world.pull_one(MUSL, policy="always", platform=spelled).after[0] == BOTH.id(ARM64)
    assert world.pull_one(MUSL, policy="never", platform=spelled).platform == ARM64


def test_p11_a_platform_makes_missing_look_and_a_name_that_means_nothing_elsewhere_is_no_error(
    world: PullWorld,
) -> None:
    world.store.add(ONE, "localhost/crazy:train")
    row = world.pull_one("crazy:train", platform="linux/amd64")
    assert (row.error, row.after[0], row.reason) == (None, ONE.id(), Reason.SHORT_NAME)


def test_p12_p13_p14_never_newer_never(world: PullWorld) -> None:
    world.registry.push(ALPINE, ONE)
    assert _failed(world.pull_one(ALPINE, policy="never"), Reason.IMAGE_UNKNOWN)
    assert world.pull_one(ALPINE, policy="newer").changed
    assert not world.pull_one(ALPINE, policy="never").changed


def test_p15_a_layout_without_a_name(world: PullWorld) -> None:
    world.store.archives["oci:/srv/layout"] = (ONE.facts(),)
    assert world.pull_one("oci:/srv/layout").changed
    assert _failed(world.pull_one("busybox", policy="never"), Reason.IMAGE_UNKNOWN)


def test_p16_a_layout_with_a_name(world: PullWorld) -> None:
    name = "quay.io/libpod/busybox:latest"
    source = f"oci:/srv/layout:{name}"
    world.store.archives[source] = (ONE.facts(AMD64, name),)
    assert world.pull_one(source).resolved_name == name
    assert world.pull_one("busybox", policy="never").after[0] == ONE.id()


def test_p17_a_registry_that_is_down(world: PullWorld) -> None:
    world.store.add(ONE, QUAY)
    world.registry.down.add("quay.io")
    newer = world.pull_one(QUAY, policy="newer")
    assert (newer.error, newer.reason, newer.after[0]) == (None, DOWN, ONE.id())
    assert newer.warning is not None
    assert _failed(world.pull_one(QUAY, policy="always"), DOWN)
    assert world.pull_one(QUAY, policy="missing").reason is None


@pytest.mark.parametrize("length", [8, 64, 71])
def test_p18_an_image_id_is_never_asked_of_a_registry(world: PullWorld, length: int) -> None:
    world.store.add(ONE, QUAY)
    text = ONE.id() if length > 64 else ONE.id()[7 : 7 + length]
    row = world.pull_one(text, policy="always")
    assert _failed(row, Reason.BY_ID)
    assert f"referred to by ID ({text})" in str(row.error)
    for policy in ("missing", "newer", "never"):
        assert world.pull_one(text, policy=policy).after[0] == ONE.id()
    assert world.registry.questions == []


def test_p18_sixty_four_characters_of_anything_are_an_id(world: PullWorld) -> None:
    assert _failed(world.pull_one("z" * 64), Reason.IMAGE_UNKNOWN)
    assert _failed(world.pull_one("z" * 64, policy="always"), Reason.BY_ID)
    assert world.registry.questions == []


def test_p19_an_image_of_another_platform_is_no_way_out(world: PullWorld) -> None:
    world.store.add(BOTH, QUAY)
    world.registry.down.add("quay.io")
    assert _failed(world.pull_one(QUAY, platform="linux/arm64"), DOWN)
    assert _failed(world.pull_one(QUAY, policy="never", platform="linux/arm64"), Reason.IMAGE_UNKNOWN)


def test_p20_all_tags_are_not_pulled_from_anywhere(world: PullWorld) -> None:
    """There is no parameter for it; a name that tries to say it is none."""
    assert _failed(world.pull_one("--all-tags docker-archive:/srv/a.tar"), Reason.BAD_REFERENCE)
    assert world.store.pulls == []


def test_a_short_name_goes_by_its_alias(world: PullWorld) -> None:
    world.rules.short_names = ShortNames({"alpine": "quay.io/libpod/alpine"})
    world.registry.push(QUAY, ONE)
    assert world.pull_one("alpine").resolved_name == QUAY


PRETTY, EXAMPLE = "localhost/pretty-empty:latest", "example.com/empty:latest"
DIFFERENT = "example.com/empty/but:different"


def _archive(world: PullWorld, source: str, *names: str, word: str = "one") -> ImageFacts:
    facts = Content(word).facts(AMD64, *names)
    world.store.archives[source] = (*world.store.archives.get(source, ()), facts)
    return facts


_NAMED = {
    "r1 docker, name only": ("docker-archive:/a.tar", PRETTY),
    "r2 docker, with a registry": ("docker-archive:/a.tar", EXAMPLE),
    "r6 docker from BuildKit": ("docker-archive:/a.tar", "github.com/buildkit/archive:docker"),
    "r7 oci, name only": ("oci-archive:/a.tar", PRETTY),
    "r7 oci, with a registry": ("oci-archive:/a.tar", EXAMPLE),
    "r10 oci from BuildKit": ("oci-archive:/a.tar", "github.com/buildkit/archive:oci"),
    "r11 docker://": ("docker://quay.io/libpod/alpine_nginx", "quay.io/libpod/alpine_nginx:latest"),
}


@pytest.mark.parametrize("case", _NAMED)
def test_r1_r2_r6_r7_r10_r11_r12_an_image_keeps_its_name_and_is_not_loaded_again(world: PullWorld, case: str) -> None:
    source, name = _NAMED[case]
    if source.startswith("docker://"):
        world.registry.push(name, ONE)
    else:
        _archive(world, source, name)
    row = world.pull_one(source, policy="always")
    assert (row.resolved_name, row.after[0], row.changed) == (name, ONE.id(), True)
    again = world.pull_one(source)
    assert (again.pulled, again.changed, again.resolved_name) == (False, False, name)
    # R12: the name that was told resolves to itself.
    assert world.pull_one(name, policy="never").resolved_name == name


def test_r3_two_names_of_one_image(world: PullWorld) -> None:
    source = "docker-archive:/two-names.tar"
    _archive(world, source, PRETTY, EXAMPLE)
    assert world.pull_one(source).changed
    assert world.store.names == {PRETTY: ONE.id(), EXAMPLE: ONE.id()}
    del world.store.names[EXAMPLE]
    row = world.pull_one(source)
    assert (row.pulled, row.changed) == (False, True), "only the name was missing"
    assert world.store.names == {PRETTY: ONE.id(), EXAMPLE: ONE.id()}


def test_r4_two_images_need_a_choice(world: PullWorld) -> None:
    source = "docker-archive:/two-images.tar"
    _archive(world, source, EXAMPLE)
    _archive(world, source, DIFFERENT, word="two")
    _archive(world, f"{source}:{DIFFERENT}", DIFFERENT, word="two")
    assert _failed(world.pull_one(source), Reason.AMBIGUOUS)
    assert world.pull_one(f"{source}:{DIFFERENT}").resolved_name == DIFFERENT


@pytest.mark.parametrize("source", ["docker-archive:/unnamed.tar", "oci-archive:/unnamed.tar"])
def test_r5_r9_an_image_without_a_name_is_told_by_its_id(world: PullWorld, source: str) -> None:
    _archive(world, source)
    row = world.pull_one(source)
    assert (row.resolved_name, row.before, row.after[0]) == (None, (None, None), ONE.id())
    assert not world.pull_one(source).changed


def test_r8_a_name_that_cannot_be_is_an_error_of_the_source(world: PullWorld) -> None:
    source = "oci-archive:/non-docker-name.tar"
    _archive(world, source)
    world.store.failures[source] = StoreError("repository name must be lowercase", Reason.PULL_FAILED)
    assert _failed(world.pull_one(source), Reason.PULL_FAILED)


def test_r13_an_imported_image_is_there_by_its_id(world: PullWorld) -> None:
    world.store.put(ImageFacts(sha("imported"), "podman", platform=AMD64))
    assert world.pull_one(sha("imported")).after == (sha("imported"), None)


@pytest.mark.parametrize("source", ["docker-archive:/a.tar", "docker-daemon:web:1"])
def test_what_a_source_has_by_its_id_alone_has_no_digest_in_any_run(world: PullWorld, source: str) -> None:
    """podman makes one up while it loads it, which a check cannot know."""
    made_up = ONE.facts(AMD64, EXAMPLE)
    world.store.archives[source] = (replace(made_up, digest=None, digests=frozenset()),)
    (row,) = world.pull(source, check=True)
    assert row.after == (ONE.id(), None)
    world.store.put(made_up, EXAMPLE)
    for _run in range(2):
        row = world.pull_one(source)
        assert (row.changed, row.before, row.after) == (False, (ONE.id(), None), (ONE.id(), None))
    diff = PullReport((replace(row, changed=True, before=(None, None)),), (), check_mode=False).to_result()["diff"]
    assert (diff["before"], diff["after"]) == (f"{source}\n  id: absent\n", f"{source}\n  id: {ONE.id()}\n")


@pytest.mark.parametrize(
    ("version", "source", "gzipped", "fails"),
    [
        ((4, 3, 1), "docker-archive:/a.tar", True, True),
        ((4, 3, 1), "docker-archive:/a.tar", False, False),
        ((4, 3, 1), "oci-archive:/a.tar", True, False),
        ((5, 4, 2), "docker-archive:/a.tar", True, False),
    ],
)
def test_podman_4_3_cannot_load_a_docker_archive_that_is_gzipped(
    world: PullWorld, version: tuple[int, ...], source: str, gzipped: bool, fails: bool
) -> None:
    world.store.version = version
    _archive(world, source, EXAMPLE)
    world.gzipped |= {source} if gzipped else set()
    row = world.pull_one(source)
    if fails:
        assert _failed(row, Reason.UNSUPPORTED_TRANSPORT)
        assert "decompress it first" in str(row.error)
        world.store.add(ONE)  # Where it is there already, only the name is set.
        row = world.pull_one(source)
        assert not row.pulled
    assert (row.changed, row.resolved_name) == (True, EXAMPLE)


def test_r14_a_saved_image_has_its_name_in_an_archive_and_none_in_a_folder(world: PullWorld) -> None:
    _archive(world, "oci-archive:/saved.tar", QUAY)
    _archive(world, "dir:/saved")
    assert world.pull_one("dir:/saved").resolved_name is None
    row = world.pull_one("oci-archive:/saved.tar")
    assert (row.pulled, row.changed, world.store.names) == (False, True, {QUAY: ONE.id()})


def test_a_source_whose_id_cannot_be_told_is_loaded(world: PullWorld) -> None:
    source = "docker-daemon:web:1"
    unknown = replace(ONE.facts(), id=None, reason=Reason.ID_NOT_CONFIG)
    world.store.archives[source] = (unknown,)
    (row,) = world.pull(source, check=True)
    assert (row.pulled, row.changed, row.after[0]) == (True, True, None)


def test_the_own_store_has_nothing_to_copy(world: PullWorld) -> None:
    world.store.add(ONE, QUAY)
    row = world.pull_one(f"containers-storage:{QUAY}", policy="always")
    assert (row.pulled, row.changed, row.after[0]) == (False, False, ONE.id())
    assert _failed(world.pull_one("containers-storage:quay.io/libpod/gone:1"), Reason.IMAGE_UNKNOWN)
    assert _failed(world.pull_one("oci:/nowhere"), Reason.ARCHIVE_UNREADABLE)
    assert Platform("linux", "amd64") == row.platform
