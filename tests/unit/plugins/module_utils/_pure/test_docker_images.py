# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker says of images. The texts are those of docker 26.1 and 20.10, shortened."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import docker_images
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.docker_images import Daemon
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_ID = "sha256:" + "0e" * 32
_DIGEST = "sha256:" + "47" * 32
_CLASSIC = Daemon(by_manifest=False, root="/var/lib/docker")
_CONTAINERD = Daemon(by_manifest=True, root="/var/lib/docker")


def _row(repository: str = "<none>", tag: str = "<none>", digest: str = "<none>", identity: str = _ID) -> str:
    return json.dumps({"ID": identity, "Repository": repository, "Tag": tag, "Digest": digest, "Size": "1.98MB"})


def test_lines_of_one_image_are_one_image_with_full_names() -> None:
    lines = [_row("probe", "1"), _row("probe", "2"), _row("10.78.0.1:5000/x/y", "2", _DIGEST), _row("team/app", "1")]
    (facts,) = docker_images.listed("\n".join(lines), _CLASSIC)
    assert facts.tags == (
        "docker.io/library/probe:1",
        "docker.io/library/probe:2",
        "10.78.0.1:5000/x/y:2",
        "docker.io/team/app:1",
    )
    assert facts.repo_digests == (f"10.78.0.1:5000/x/y@{_DIGEST}",)
    assert (facts.id, facts.engine_id, facts.digest, facts.digests) == (_ID, None, _DIGEST, frozenset({_DIGEST}))
    assert facts.name == "docker.io/library/probe:1"


def test_images_without_names_are_listed() -> None:
    other = "sha256:" + "ab" * 32
    first, second = docker_images.listed(f"{_row()}\n{_row('probe', '<none>', _DIGEST, other)}\n", _CLASSIC)
    assert (first.id, first.name, first.tags) == (_ID, None, ())
    assert (second.tags, second.name) == ((), f"docker.io/library/probe@{_DIGEST}")


def test_in_containerds_store_the_id_is_a_manifests() -> None:
    (facts,) = docker_images.listed(_row("probe", "1", _ID), _CONTAINERD)
    assert (facts.id, facts.engine_id, facts.digest) == (None, _ID, _ID)
    assert (facts.digests, facts.reason) == (frozenset({_ID}), Reason.ID_NOT_CONFIG)
    read = docker_images.with_config(facts, _DIGEST)
    assert (read.id, read.engine_id, read.reason) == (_DIGEST, _ID, None)


def test_details() -> None:
    entry = {
        "Id": _ID,
        "RepoTags": ["probe:1", "<none>:<none>"],
        "RepoDigests": [f"probe@{_DIGEST}", "probe@<none>"],
        "Created": "2024-01-01T00:00:00Z",
        "Config": {"Labels": {"team": "shop"}},
        "Architecture": "arm64",
        "Variant": "v8",
        "Os": "linux",
        "Size": 1982474,
    }
    facts = docker_images.inspected([entry], _CLASSIC)[_ID]
    assert (facts.id, facts.tags, facts.repo_digests) == (
        _ID,
        ("docker.io/library/probe:1",),
        (f"docker.io/library/probe@{_DIGEST}",),
    )
    assert (facts.platform, facts.created, facts.size) == (
        Platform("linux", "arm64", "v8"),
        "2024-01-01T00:00:00Z",
        1982474,
    )
    assert facts.labels == {"team": "shop"}
    bare = docker_images.inspected([{"Id": _ID, "RepoTags": None, "Config": None, "Created": ""}], _CLASSIC)[_ID]
    assert (bare.tags, bare.labels, bare.platform, bare.created) == ((), {}, None, None)


@pytest.mark.parametrize("output", ["hello", "{}", '{"ID": "x"}', "[]", '{"ID": null}', "[" * 100_000])
def test_a_listing_that_is_none_is_refused(output: str) -> None:
    with pytest.raises(StoreError) as caught:
        docker_images.listed(output, _CLASSIC)
    assert caught.value.reason is Reason.ENGINE_FAILED
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("document", [{}, None, [1], [{}], [{"Id": "probe:1"}]])
def test_details_that_are_none_are_refused(document: object) -> None:
    with pytest.raises(StoreError):
        docker_images.inspected(document, _CLASSIC)


def test_which_store_a_daemon_has() -> None:
    new = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]], "DockerRootDir": "/var/lib/docker"}
    assert docker_images.daemon(new) == _CONTAINERD
    old = {"DriverStatus": [["Backing Filesystem", "extfs"]], "DockerRootDir": "/var/lib/docker"}
    assert docker_images.daemon(old) == _CLASSIC
    nothings: list[object] = [{}, [], None, {"DriverStatus": None}, {"DriverStatus": [3]}]
    for nothing in nothings:
        assert not docker_images.daemon(nothing).by_manifest


@given(st.text(max_size=20))
def test_any_name_gets_some_full_name(name: str) -> None:
    full = docker_images.full_name(name)
    assert docker_images.full_name(full) == full
