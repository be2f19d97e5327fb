# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives, layouts and folders that podman and skopeo wrote, read on the host itself beside what those two say."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shlex
import tarfile
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from harness import ROOT
from lablib.host import Host
from locations import SCRATCH
from pushing import Push, id_of

ENGINE = f"{SCRATCH}/engine"
WORK = f"{SCRATCH}/archives"
_READ = """import dataclasses, json, sys
from module_utils._edges.archives.reader import images_of
from module_utils._pure.errors import ImageError
from module_utils._pure.image_names import parse_image_name
from module_utils._pure.platforms import Platform
told = {}
for name in sys.argv[1:]:
    try:
        images = images_of(parse_image_name(name), Platform("linux", "amd64"))
    except ImageError as error:
        told[name] = {"reason": error.reason, "said": str(error)}
    else:
        told[name] = {"images": [
            {**dataclasses.asdict(image), "digests": sorted(image.digests), "platform": str(image.platform)}
            for image in images
        ]}
assert not any(name.partition(".")[0] in ("ansible", "requests") for name in sys.modules)
print(json.dumps(told))
"""

Told = dict[str, dict[str, Any]]
Reader = Callable[..., Told]


@pytest.fixture
def read(host: Host) -> Reader:
    """The engine's reader, on a host that has no Ansible."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(ROOT / "plugins" / "module_utils", "module_utils", filter=_no_caches)
    _unpack(host, ENGINE, stream.getvalue())
    host.write(f"{ENGINE}/read.py", _READ)
    host.run(["mkdir", "-p", WORK])

    def reader(*names: str) -> Told:
        program = f"cd {WORK} && exec python3 {ENGINE}/read.py {shlex.join(names)}"
        told: Told = json.loads(host.run(["sh", "-c", program]).stdout)
        return told

    return reader


def _no_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry


def _unpack(host: Host, folder: str, archive: bytes) -> None:
    command = f"mkdir -p {folder} && base64 --decode | tar -xz --no-same-owner -C {folder}"
    host.run(["sh", "-ec", command], input=base64.b64encode(archive).decode("ascii"))


def _in_work(host: Host, script: str) -> str:
    return host.run(["sh", "-ec", f"cd {WORK}\n{script}"], timeout=120).stdout


def _inspected(host: Host, name: str) -> dict[str, Any]:
    (found,) = json.loads(host.run(["podman", "image", "inspect", name]).stdout)
    assert isinstance(found, dict)
    return found


def _skopeo(host: Host, options: str, *names: str) -> dict[str, str | None]:
    """The digest of what `skopeo inspect` prints of each; None where it refuses."""
    ask = f'if skopeo inspect {options} "$name" > out 2> /dev/null; then sha256sum < out; else echo refused; fi'
    lines = _in_work(host, f"for name in {shlex.join(names)}; do {ask}; done").splitlines()
    return {name: None if line == "refused" else f"sha256:{line[:64]}" for name, line in zip(names, lines)}


def _sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_what_podman_saves_is_the_image_that_it_has(host: Host, push: Push, read: Reader) -> None:
    """One image in every form that podman writes, and compressed: the same ID, platform, time, labels and names."""
    image = push("saved", labels={"org.example": "archives"})
    short = "localhost/it-saved:latest"
    host.run(["podman", "pull", "-q", image.reference])
    host.run(["podman", "tag", image.reference, "it-saved"])
    _in_work(
        host,
        f"""podman save -q --format docker-archive -o docker.tar {image.reference} it-saved
        podman save -q --format oci-archive -o oci.tar {image.reference}
        podman save -q --format oci-dir -o layout {image.reference}
        podman save -q --format docker-dir -o folder {image.reference}
        gzip -k docker.tar oci.tar
        python3 -c 'import lzma, sys; sys.stdout.buffer.write(lzma.compress(open("oci.tar", "rb").read()))' > oci.tar.xz
        python3 -c 'import bz2, sys; sys.stdout.buffer.write(bz2.compress(open("oci.tar", "rb").read()))' > oci.tar.bz2""",
    )
    podman = _inspected(host, image.reference)
    docker_names = ["docker-archive:docker.tar", "docker-archive:docker.tar.gz", f"docker-archive:docker.tar:{short}"]
    oci_names = ["oci-archive:oci.tar", "oci-archive:oci.tar.gz", "oci-archive:oci.tar.xz", "oci-archive:oci.tar.bz2"]
    layouts = ["oci:layout", f"oci:layout:{image.reference}"]

    told = read(*docker_names, *oci_names, *layouts, "dir:folder")

    for name, answer in told.items():
        (found,) = answer["images"]
        assert found["source"] == name.partition(":")[0]
        assert found["id"] == id_of(image) == f"sha256:{podman['Id']}"
        assert (found["platform"], found["created"]) == ("linux/amd64", podman["Created"])
        assert found["labels"] == podman["Labels"]
        assert found["size"] > 0
    sizes = {told[name]["images"][0]["size"] for name in docker_names}
    assert len(sizes) == 1
    if host.distro != "bookworm":  # Its skopeo 1.9 tells no sizes.
        assert sizes == {_layers_size(host, f"docker-archive:docker.tar:{short}")}
    for name in docker_names:
        assert set(told[name]["images"][0]["tags"]) == {image.reference, short}
        assert told[name]["images"][0]["digest"] is None
    assert told[docker_names[2]]["images"][0]["name"] == short
    digested = (*oci_names, *layouts, "dir:folder")
    plain = {name: name.replace(".gz", "").replace(".xz", "").replace(".bz2", "") for name in digested}
    digests = _skopeo(host, "--raw", *dict.fromkeys(plain.values()))
    for name in digested:
        (found,) = told[name]["images"]
        assert found["digest"] == digests[plain[name]]
        assert found["tags"] == ([] if name == "dir:folder" else [image.reference])


def _layers_size(host: Host, name: str) -> int:
    told = json.loads(_in_work(host, f"skopeo inspect {name}"))
    return sum(layer["Size"] for layer in told["LayersData"])


def test_what_podman_saved_is_loaded_under_the_names_that_were_told(host: Host, push: Push, read: Reader) -> None:
    one, two = push("named", version="one"), push("named", tag="two", version="two")
    host.run(["podman", "pull", "-q", one.reference, two.reference])
    host.run(["podman", "tag", one.reference, "it-short", "ns/it-short:1", "docker.io/it-hub:2"])
    _in_work(
        host,
        f"""podman save -q -m -o many.tar {one.reference} it-short ns/it-short:1 docker.io/it-hub:2 {two.reference}
        podman save -q --format oci-archive -o one.tar localhost/it-short
        podman save -q -o unnamed.tar {id_of(two)[7:]}
        podman rmi -f -a > /dev/null""",
    )
    told = read("docker-archive:many.tar", "oci-archive:one.tar", "docker-archive:unnamed.tar")
    for name, answer in told.items():
        _in_work(host, f"podman load -q -i {name.partition(':')[2]}")
        for image in answer["images"]:
            loaded = _inspected(host, image["id"][7:])
            assert sorted(loaded["RepoTags"]) == sorted(image["tags"])
        assert len(host.run(["podman", "images", "-q"]).stdout.split()) >= len(answer["images"])
        host.run(["podman", "rmi", "-f", "-a"])
    assert [image["id"] for image in told["docker-archive:many.tar"]["images"]] == [id_of(one), id_of(two)]
    assert told["docker-archive:unnamed.tar"]["images"][0]["name"] is None


def test_multi_platform_layouts_are_this_platforms_image(host: Host, push: Push, read: Reader) -> None:
    image = push("multi", platforms=("linux/arm64", "linux/amd64"))
    source = f"docker://{image.reference}"
    _in_work(
        host,
        f"""skopeo copy -q --all {source} oci:layout:app
        skopeo copy -q --all {source} oci-archive:packed.tar:app
        skopeo copy -q --all {source} dir:folder
        skopeo copy -q {source} oci:layout:single""",
    )
    names = ["oci:layout:app", "oci-archive:packed.tar", "dir:folder"]
    told = read(*names, "oci:layout:single", "oci:layout", "oci:layout:@1", "oci:layout:gone")
    for name in names:
        (found,) = told[name]["images"]
        assert (found["id"], found["platform"]) == (image.image_ids["linux/amd64"], "linux/amd64")
        assert (found["digest"], found["digests"]) == (
            image.digest,
            sorted({image.digest, image.manifest_digests["linux/amd64"]}),
        )
    assert _skopeo(host, "--config --raw", *names) == dict.fromkeys(names, image.image_ids["linux/amd64"])
    assert [found["id"] for found in told["oci:layout"]["images"]] == [image.image_ids["linux/amd64"]] * 2
    assert told["oci:layout:single"]["images"] == told["oci:layout:@1"]["images"]
    assert told["oci:layout:single"]["images"][0]["digest"] == image.manifest_digests["linux/amd64"]
    assert told["oci:layout:gone"]["reason"] == "image_unknown"
    assert _skopeo(host, "", "oci:layout:gone") == {"oci:layout:gone": None}


_CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
_OTHER = json.dumps({"architecture": "arm64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()


def _item(config: str, *tags: str) -> dict[str, object]:
    return {"Config": config, "RepoTags": list(tags), "Layers": []}


def _member(name: str, body: bytes | object = b"", flag: bytes = tarfile.REGTYPE, link: str = "") -> tuple[Any, ...]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), flag, link
    return info, data


def _tar(members: Sequence[tuple[Any, ...]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


_CONFIGS = [_member("one.json", _CONFIG), _member("two.json", _OTHER)]
_BOTH = [_item("one.json", "example.com/app:1", "short:1"), _item("two.json", "docker.io/library/hub:2", "a/b")]
_SYMBOLIC, _HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
#: By name: the members of a docker-archive.
_ODD = {
    "both": [*_CONFIGS, _member("manifest.json", _BOTH)],
    "dotted": [_member("./one.json", _CONFIG), _member("./x/../manifest.json", [_item("y/../one.json")])],
    "twice": [*_CONFIGS, *(_member("manifest.json", [_item(name)]) for name in ("one.json", "two.json"))],
    "linked": [
        *_CONFIGS,
        _member("real.json", [_item("link.json")]),
        _member("manifest.json", flag=_SYMBOLIC, link="real.json"),
        _member("link.json", flag=_SYMBOLIC, link="./two.json"),
    ],
    "linked-twice": [
        *_CONFIGS,
        _member("real.json", [_item("one.json")]),
        _member("link.json", flag=_SYMBOLIC, link="real.json"),
        _member("manifest.json", flag=_SYMBOLIC, link="link.json"),
    ],
    "hard": [*_CONFIGS, _member("real", [_item("one.json")]), _member("manifest.json", flag=_HARD, link="real")],
    "folder": [*_CONFIGS, _member("manifest.json", flag=tarfile.DIRTYPE)],
    "outside": [*_CONFIGS, _member("manifest.json", [_item("/etc/hostname")])],
    "linked-outside": [
        _member("manifest.json", [_item("one.json")]),
        _member("one.json", flag=_SYMBOLIC, link="../../../../etc/hostname"),
    ],
    "no-config": [_member("manifest.json", [_item("gone.json")])],
    "empty": [_member("manifest.json", [])],
    "none": _CONFIGS,
}
_SELECTORS = (
    "", ":@0", ":@1", ":@2", ":example.com/app:1", ":example.com/app", ":short:1", ":localhost/short:1",
    ":docker.io/library/short:1", ":hub:2", ":docker.io/hub:2", ":a/b", ":a/b:latest", ":docker.io/a/b",
)  # fmt: skip


def _only_id(answer: dict[str, Any]) -> str | None:
    """The ID, where skopeo answers too: it refuses several images, which this reader lists."""
    images = answer.get("images", [])
    return images[0]["id"] if len(images) == 1 else None


def test_odd_docker_archives_are_what_skopeo_takes_them_for(host: Host, read: Reader) -> None:
    """Duplicates, links, missing members and every way to choose: the same image, or a refusal by both."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, members in _ODD.items():
            info, data = _member(f"{name}.tar", _tar(members))
            tar.addfile(info, io.BytesIO(data))
    _unpack(host, WORK, stream.getvalue())
    names = [f"docker-archive:both.tar{selector}" for selector in _SELECTORS]
    names += [f"docker-archive:{name}.tar" for name in _ODD]
    told = read(*names)
    theirs = _skopeo(host, "--config --raw", *names)
    assert {name: _only_id(told[name]) for name in names} == theirs
    assert [image["id"] for image in told["docker-archive:both.tar"]["images"]] == [_sha256(_CONFIG), _sha256(_OTHER)]
    assert list(theirs.values()).count(None) < len(names) - 10, "skopeo read nearly nothing"


def _layout(*, hard_link: bool = False, reverse: bool = False) -> list[tuple[Any, ...]]:
    """An OCI layout of two indexes that name different images: of which one counts."""
    members, indexes = [_member("oci-layout", {"imageLayoutVersion": "1.0.0"})], []
    for config in (_CONFIG, _OTHER):
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": _sha256(config),
                    "size": len(config),
                },
                "layers": [],
            }
        ).encode()
        members += [_member(f"blobs/sha256/{_sha256(body)[7:]}", body) for body in (config, manifest)]
        indexes.append(
            {
                "schemaVersion": 2,
                "manifests": [
                    {
                        "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "digest": _sha256(manifest),
                        "size": len(manifest),
                    }
                ],
            }
        )
    if hard_link:
        return [*members, _member("real", indexes[1]), _member("index.json", flag=_HARD, link="real")]
    return [*members, *(_member("index.json", index) for index in (reversed(indexes) if reverse else indexes))]


def test_odd_oci_archives_are_what_skopeo_takes_them_for(host: Host, read: Reader) -> None:
    """skopeo unpacks them: the last of two members counts, and a hard link is what it names."""
    made = {"last": _layout(), "reversed": _layout(reverse=True), "hard": _layout(hard_link=True)}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, members in made.items():
            info, data = _member(f"{name}.tar", _tar(members))
            tar.addfile(info, io.BytesIO(data))
    _unpack(host, WORK, stream.getvalue())
    names = [f"oci-archive:{name}.tar" for name in made]
    told = read(*names)
    theirs = _skopeo(host, "--config --raw", *names)
    assert {name: _only_id(told[name]) for name in names} == theirs
    assert theirs[names[0]] not in (None, theirs[names[1]])
