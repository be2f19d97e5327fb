# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives and layouts, made by hand: byte for byte what a test wants, sound or not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
import tarfile
import typing as t

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.archives.reader import images_of
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import Source, parse_image_name
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform

AMD64 = Platform("linux", "amd64")
IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"

Files = dict[str, bytes]


def digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def hexadecimal(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


def config(version: str = "1", architecture: str = "amd64", **more: object) -> bytes:
    return as_json(
        {
            "os": "linux",
            "architecture": architecture,
            "created": "2026-05-01T12:00:00Z",
            "config": {"Labels": {"version": version}},
            **more,
        }
    )


def docker_item(files: Files, body: bytes, *tags: str, layers: t.Sequence[bytes] = (b"a layer",)) -> dict[str, object]:
    """Put one image into the files of a docker-archive, as docker save did before Docker 25; returns its item."""
    name = f"{hexadecimal(body)}.json"
    paths = [f"{hexadecimal(layer)}/layer.tar" for layer in layers]
    files.update(zip(paths, layers))
    files[name] = body
    return {"Config": name, "RepoTags": list(tags), "Layers": paths}


def docker_archive(*images: tuple[t.Any, ...]) -> Files:
    """A docker-archive of images, each a config and its tags. The list comes last, as docker and podman write it."""
    files: Files = {}
    items = [docker_item(files, *image) for image in images]
    return {**files, "manifest.json": as_json(items)}


def put_blob(files: Files, body: bytes) -> str:
    files[f"blobs/sha256/{hexadecimal(body)}"] = body
    return digest(body)


def put_image(files: Files, body: bytes, layers: t.Sequence[bytes] = (b"a layer",)) -> str:
    """Put one image into the blobs of a layout; returns the digest of its manifest."""
    described = [{"digest": put_blob(files, layer), "size": len(layer)} for layer in layers]
    manifest = {"schemaVersion": 2, "config": {"digest": put_blob(files, body), "size": len(body)}, "layers": described}
    return put_blob(files, as_json(manifest))


def put_index(files: Files, entries: t.Sequence[tuple[str, str]]) -> str:
    """Put a multi-platform index of digests and platforms into the blobs of a layout; returns its digest."""
    listed = []
    for one, platform in entries:
        os, architecture = platform.split("/")
        listed.append({"digest": one, "mediaType": IMAGE, "platform": {"os": os, "architecture": architecture}})
    return put_blob(files, as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}))


def layout(files: Files, *entries: t.Mapping[str, object]) -> Files:
    """A layout of blobs and the entries of its index."""
    index = {"schemaVersion": 2, "manifests": list(entries)}
    return {**files, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": as_json(index)}


def entry(of: str, media_type: str | None = IMAGE, **annotations: str) -> dict[str, object]:
    """One entry of a layout's index; the annotations by their last word: ref_name, containerd_name."""
    names = {"ref_name": REF_NAME, "containerd_name": CONTAINERD_NAME}
    found: dict[str, object] = {"digest": of, "size": 7}
    if media_type is not None:
        found["mediaType"] = media_type
    if annotations:
        found["annotations"] = {names.get(key, key): value for key, value in annotations.items()}
    return found


def member(name: str, body: bytes = b"", **attributes: t.Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member, with anything set that TarInfo has (type, linkname, size, pax_headers)."""
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, body


def packed(files: Files | t.Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar archive, in order."""
    members = [member(*item) for item in files.items()] if isinstance(files, dict) else list(files)
    stream = io.BytesIO()
    for info, body in members:
        stream.write(info.tobuf(form))
        stream.write(body + bytes(-len(body) % tarfile.BLOCKSIZE))
    return stream.getvalue() + bytes(2 * tarfile.BLOCKSIZE)


def unpacked(files: Files, folder: pathlib.Path) -> str:
    """The files in a folder; returns its path."""
    for name, body in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    return str(folder)


def read(name: str, platform: Platform = AMD64) -> tuple[ImageFacts, ...]:
    """What the reader says of C(transport:path…)."""
    source = parse_image_name(name)
    assert isinstance(source, Source)
    return images_of(source, platform)


#: Two images, a sound docker-archive of the first, and a size.
ONE, TWO = config("1"), config("2")
SOUND = docker_archive((ONE, "a:1"))
GIB = 1024 * 1024 * 1024


def file_of(folder: pathlib.Path, body: bytes) -> str:
    """Write the archive of a test; returns its path."""
    (folder / "archive").write_bytes(body)
    return str(folder / "archive")


def docker(folder: pathlib.Path, body: bytes) -> str:
    """Write a docker-archive; returns its name with the transport."""
    return f"docker-archive:{file_of(folder, body)}"


def sparse(folder: pathlib.Path, before: bytes, hole: int, after: bytes = b"") -> str:
    """As C(docker), with a hole that takes no room on the disk."""
    with (folder / "archive").open("wb") as file:
        file.write(before)
        file.seek(hole, os.SEEK_CUR)
        file.write(after)
        file.truncate()
    return f"docker-archive:{folder / 'archive'}"


def header_of(name: str, size: int, **attributes: t.Any) -> bytes:
    """The header alone of a member that claims a size."""
    return member(name, **{"size": size, **attributes})[0].tobuf(tarfile.GNU_FORMAT)
