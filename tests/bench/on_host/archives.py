# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copied to the host beside the collection's module_utils: make archives, and read them by the engine alone.

archives.py make FOLDER NUMBER SMALLEST_MIB LARGEST_MIB ALONE_MIB
archives.py read NAME…
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import json
import os
import pathlib
import shutil
import sys
import tarfile

_MIB = 1024 * 1024


def main(words: list[str]) -> None:
    if words[0] == "make":
        print(json.dumps(_made(pathlib.Path(words[1]), *map(int, words[2:]))))
    else:
        print(json.dumps(_read(words[1:])))


def _read(names: list[str]) -> dict[str, object]:
    """The image IDs by name."""
    reader = importlib.import_module("module_utils._edges.archives.reader")
    parse = importlib.import_module("module_utils._pure.image_names").parse_image_name
    platform = importlib.import_module("module_utils._pure.platforms").Platform("linux", "amd64")
    return {name: [image.id for image in reader.images_of(parse(name), platform)] for name in names}


def _made(folder: pathlib.Path, number: int, smallest: int, largest: int, alone: int) -> dict[str, dict[str, str]]:
    """Sets of archives, each by name with the image ID: layers of random bytes, so that nothing compresses them."""
    folder.mkdir(parents=True)
    sizes = [smallest + (largest - smallest) * place // max(1, number - 1) for place in range(number)]
    docker, oci = {}, {}
    for place, size in enumerate(sizes):
        docker[f"docker-archive:{folder}/docker-{place}.tar"] = _docker(folder / f"docker-{place}.tar", size)
        oci[f"oci-archive:{folder}/oci-{place}.tar"] = _oci(folder / f"oci-{place}.tar", size)
    large, packed = folder / "large.tar", folder / "packed.tar"
    image_id = _docker(packed, largest)
    with packed.open("rb") as plain, gzip.open(f"{packed}.gz", "wb", 1) as squeezed:
        shutil.copyfileobj(plain, squeezed, _MIB)
    packed.unlink()
    return {
        "docker-archives": docker,
        "oci-archives": oci,
        "a large docker-archive": {f"docker-archive:{large}": _docker(large, alone)},
        "a docker-archive packed by gzip": {f"docker-archive:{packed}.gz": image_id},
    }


class _Random(io.RawIOBase):
    """So many MiB of random bytes, and their digest."""

    def __init__(self, mib: int) -> None:
        self.size = mib * _MIB
        self.digest = hashlib.sha256()
        self._left = self.size
        self._block = os.urandom(_MIB)

    def read(self, length: int = -1) -> bytes:
        taken = min(_MIB if length < 0 else length, self._left, _MIB)
        self._left -= taken
        self.digest.update(self._block[:taken])
        return self._block[:taken]


def _docker(path: pathlib.Path, mib: int) -> str:
    """A docker-archive as podman writes it: the layer first, the list of images last."""
    with tarfile.open(path, "w") as tar:
        layer = _add_layer(tar, "layer.tar", mib)
        config = _config(layer, mib)
        _add(tar, f"{_hex(config)}.json", config)
        item = {"Config": f"{_hex(config)}.json", "RepoTags": ["example.com/app:1"], "Layers": ["layer.tar"]}
        _add(tar, "manifest.json", json.dumps([item]).encode())
    return f"sha256:{_hex(config)}"


def _oci(path: pathlib.Path, mib: int) -> str:
    """An oci-archive as podman writes it: blobs first, the index after them."""
    # A blob is named by its digest, which is known when it was written.
    source = _Random(mib)
    aside = path.with_suffix(".layer")
    with aside.open("wb") as file:
        shutil.copyfileobj(source, file, _MIB)
    layer = source.digest.hexdigest()
    config = _config(layer, mib)
    described = {"digest": f"sha256:{layer}", "size": mib * _MIB, "mediaType": "application/vnd.oci.image.layer.v1.tar"}
    manifest = {
        "schemaVersion": 2,
        "config": {
            "digest": f"sha256:{_hex(config)}",
            "size": len(config),
            "mediaType": "application/vnd.oci.image.config.v1+json",
        },
        "layers": [described],
    }
    body = json.dumps(manifest).encode()
    entry = {
        "digest": f"sha256:{_hex(body)}",
        "size": len(body),
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
    }
    with tarfile.open(path, "w") as tar:
        tar.add(aside, f"blobs/sha256/{layer}")
        for blob in (config, body):
            _add(tar, f"blobs/sha256/{_hex(blob)}", blob)
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
        _add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    aside.unlink()
    return f"sha256:{_hex(config)}"


def _add_layer(tar: tarfile.TarFile, name: str, mib: int) -> str:
    source = _Random(mib)
    info = tarfile.TarInfo(name)
    info.size = source.size
    tar.addfile(info, source)
    return source.digest.hexdigest()


def _add(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(body)
    tar.addfile(info, io.BytesIO(body))


def _config(layer: str, mib: int) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{layer}"]}
    return json.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "created": "2026-05-01T12:00:00Z",
            "config": {"Labels": {"mib": str(mib)}},
            "rootfs": rootfs,
        }
    ).encode()


def _hex(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
