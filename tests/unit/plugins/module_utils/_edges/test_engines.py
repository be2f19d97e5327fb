# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker and crictl, as far as a healthy one cannot show it. A script on PATH stands in for each."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import docker as edge
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import process
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.cri import Cri
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.docker import Docker
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import digest_of
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_CONFIG = "sha256:" + "0e" * 32
_IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"


def _program(folder: pathlib.Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho \"$*\" >> '{folder}/calls'\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder that is first on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_without_the_program_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    for engine, name in ((Docker, "docker"), (Cri, "crictl")):
        with pytest.raises(StoreError, match=f"{name} is not installed .*; install ") as caught:
            engine()
        assert caught.value.reason is Reason.ENGINE_FAILED


def test_a_daemon_that_does_not_answer_is_said_so(folder: pathlib.Path) -> None:
    _program(folder, "docker", "echo 'Cannot connect to the Docker daemon. Is it running?' >&2; exit 1")
    _program(folder, "crictl", "echo 'FATA[0000] connection refused' >&2; exit 1")
    with pytest.raises(StoreError, match=r"docker images: .*Is it running") as caught:
        Docker().images()
    assert caught.value.reason is Reason.ENGINE_FAILED
    with pytest.raises(StoreError, match=r"crictl images .*connection refused"):
        Cri().images()


def test_nothing_asked_for_is_not_asked(folder: pathlib.Path) -> None:
    for name in ("docker", "crictl"):
        _program(folder, name, "exit 1")
    assert Docker().details([]) == {}
    assert Cri().details([]) == {}
    assert not (folder / "calls").exists()


def _containerd_store(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *blobs: bytes) -> None:
    """A dockerd whose images are in containerd's store, the last of C(blobs) being the image's own."""
    monkeypatch.setattr(edge, "_CONTAINERD", str(folder / "containerd"))
    place = folder / "containerd" / "io.containerd.content.v1.content" / "blobs" / "sha256"
    place.mkdir(parents=True)
    for blob in blobs:
        (place / digest_of(blob)[7:]).write_bytes(blob)
    top = digest_of(blobs[-1])
    answers = {
        "info": {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]], "DockerRootDir": "/nowhere"},
        "images": {"ID": top, "Repository": "probe", "Tag": "1", "Digest": top},
        "image": [{"Id": top, "RepoTags": ["probe:1"], "Os": "linux", "Architecture": "amd64"}],
    }
    for command, answer in answers.items():
        (folder / f"{command}.json").write_text(json.dumps(answer), encoding="utf-8")
    _program(folder, "docker", f"cat {folder}/$1.json")


def _manifest() -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": _IMAGE_TYPE, "config": {"digest": _CONFIG}}).encode()


@pytest.mark.parametrize("through_index", [False, True])
def test_in_containerds_store_the_id_is_read_from_the_manifest(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *, through_index: bool
) -> None:
    blobs = [_manifest()]
    if through_index:
        platform = {"os": "linux", "architecture": "amd64"}
        other = {"digest": _CONFIG, "platform": {"os": "linux", "architecture": "arm64"}}
        entries = [other, {"digest": digest_of(blobs[0]), "platform": platform}]
        blobs.append(json.dumps({"schemaVersion": 2, "manifests": entries}).encode())
    _containerd_store(folder, monkeypatch, *blobs)
    docker = Docker()
    (listed,) = docker.images()
    (facts,) = docker.details([str(listed.engine_id)]).values()
    assert (listed.id, facts.id, facts.engine_id, facts.reason) == (None, _CONFIG, digest_of(blobs[-1]), None)


@pytest.mark.parametrize("blob", [b"{}", b"no JSON", b'{"schemaVersion": 2, "manifests": []}'])
def test_an_id_that_cannot_be_read_is_none(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, blob: bytes) -> None:
    _containerd_store(folder, monkeypatch, blob)
    docker = Docker()
    (listed,) = docker.images()
    (facts,) = docker.details([str(listed.engine_id)]).values()
    assert (facts.id, facts.engine_id, facts.reason) == (None, digest_of(blob), Reason.ID_NOT_CONFIG)
