# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build small real images as bytes: the same input gives the same bytes, so digests mean something in tests."""

from __future__ import annotations

import enum
import functools
import hashlib
import io
import json
import shutil
import struct
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LabError
from .packages import SEARCH_PATH

_PT_INTERP = 3
_APPLETS = (
    "sh",
    "cat",
    "echo",
    "env",
    "false",
    "hostname",
    "httpd",
    "id",
    "ls",
    "nc",
    "ps",
    "sleep",
    "test",
    "touch",
    "true",
    "wget",
)
_CREATED = "2024-01-01T00:00:00Z"


class Kind(enum.Enum):
    """How a container of the image behaves."""

    GOOD = "good"
    """Prints its version, runs, and ends at once when told to."""
    STUBBORN = "stubborn"
    """As GOOD, but ignores SIGTERM: stopping it takes the whole stop timeout."""
    NO_START = "no-start"
    """Its entrypoint does not exist: the container cannot start."""
    DIES = "dies"
    """Starts well, and exits 1 after three seconds."""


_SCRIPTS: Mapping[Kind, str] = {
    Kind.GOOD: "trap 'exit 0' TERM INT\nwhile :; do sleep 86400 & wait $!; done\n",
    Kind.STUBBORN: "trap '' TERM INT\nwhile :; do sleep 86400 & wait $!; done\n",
    Kind.NO_START: "exit 1\n",
    Kind.DIES: "sleep 3\nexit 1\n",
}


@dataclass(frozen=True)
class MediaTypes:
    """The names that the two families of manifests use for the same things."""

    manifest: str
    index: str
    config: str
    layer: str


MEDIA: Mapping[str, MediaTypes] = {
    "oci": MediaTypes(
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    "docker": MediaTypes(
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}


@dataclass(frozen=True)
class Blob:
    """Some bytes and their digest."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        return sha256(self.data)

    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


@dataclass(frozen=True)
class PlatformImage:
    """One platform's image: its layers, config and manifest."""

    platform: str
    layers: tuple[Blob, ...]
    config: Blob
    manifest: Blob


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def needs_interpreter(program: bytes) -> bool:
    """Whether an ELF program is dynamically linked; such a busybox would not start in an image that holds nothing else."""
    if program[:4] != b"\x7fELF":
        return True
    wide = program[4] == 2
    order = "<" if program[5] == 1 else ">"
    start = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", program, 0x20 if wide else 0x1C)[0]
    size, count = struct.unpack_from(f"{order}HH", program, 0x36 if wide else 0x2A)
    return any(
        struct.unpack_from(f"{order}I", program, start + number * size)[0] == _PT_INTERP for number in range(count)
    )


@functools.lru_cache(maxsize=1)
def busybox() -> bytes:
    """This machine's static busybox."""
    for place in (shutil.which("busybox", path=SEARCH_PATH), "/bin/busybox", "/bin/busybox-static"):
        if place and Path(place).is_file():
            program = Path(place).read_bytes()
            if not needs_interpreter(program):
                return program
    raise LabError(
        "no static busybox on this machine, and the test images are made of one; install busybox-static (Debian) or busybox (Fedora)"
    )


def _tar(entries: Mapping[str, object]) -> bytes:
    """Bytes are files (executable), a string is the target of a link. Nothing in it depends on the clock or the user."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in entries.items():
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755
            if isinstance(content, bytes):
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
    return stream.getvalue()


def gzip(data: bytes, level: int) -> bytes:
    """Without a time in the header. Levels 1 and 9 always differ: the header names them."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


@functools.lru_cache(maxsize=8)
def _system_layer(program: bytes, level: int) -> tuple[str, bytes]:
    """Diff ID and compressed bytes of the layer that all images share."""
    entries: dict[str, object] = {
        "bin": None,
        "etc": None,
        "tmp": None,
        "proc": None,
        "sys": None,
        "dev": None,
        "bin/busybox": program,
    }
    entries.update({f"bin/{name}": "busybox" for name in _APPLETS})
    data = _tar(entries)
    return sha256(data), gzip(data, level)


def build(
    platform: str,
    *,
    version: str,
    kind: Kind,
    labels: Mapping[str, str],
    config: Mapping[str, object],
    media: MediaTypes,
    recompress: bool,
    program: bytes,
) -> PlatformImage:
    """One platform's image. Foreign platforms hold the same binary: nothing in the lab runs them."""
    level = 1 if recompress else 9
    script = f"#!/bin/sh\necho version {version}\n{_SCRIPTS[kind]}".encode()
    own = _tar({"entry": script, "version": f"{version}\n".encode()})
    system_id, system = _system_layer(program, level)
    layers = (Blob(media.layer, system), Blob(media.layer, gzip(own, level)))
    system_name, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    settings: dict[str, object] = {
        "Env": ["PATH=/bin", f"LAB_VERSION={version}"],
        "Entrypoint": ["/does-not-exist" if kind is Kind.NO_START else "/entry"],
        "Labels": {"lab.version": version, **labels},
        **config,
    }
    content: dict[str, object] = {
        "created": _CREATED,
        "architecture": architecture,
        "os": system_name,
        **({"variant": variant} if variant else {}),
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [system_id, sha256(own)]},
        "history": [{"created": _CREATED, "created_by": name} for name in ("busybox", "entry")],
    }
    settled = Blob(media.config, canonical(content))
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": media.manifest,
            "config": settled.descriptor(),
            "layers": [layer.descriptor() for layer in layers],
        }
    )
    return PlatformImage(platform, layers, settled, Blob(media.manifest, manifest))


def build_index(images: tuple[PlatformImage, ...], media: MediaTypes) -> Blob:
    """The list that a tag of a multi-platform image answers with."""
    entries = []
    for image in images:
        system_name, _, rest = image.platform.partition("/")
        architecture, _, variant = rest.partition("/")
        platform = {"os": system_name, "architecture": architecture, **({"variant": variant} if variant else {})}
        entries.append({**image.manifest.descriptor(), "platform": platform})
    return Blob(media.index, canonical({"schemaVersion": 2, "mediaType": media.index, "manifests": entries}))
