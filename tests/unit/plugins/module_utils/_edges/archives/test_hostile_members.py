# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives and folders whose members are not what they should be, or lead somewhere else."""

from __future__ import annotations

import contextlib
import gzip
import os
import pathlib
import tarfile

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives import making
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.making import (
    GIB,
    ONE,
    SOUND,
    TWO,
    Files,
    as_json,
    digest,
    docker,
    entry,
    file_of,
    header_of,
    layout,
    member,
    packed,
    put_image,
    read,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.measuring import (
    cheap,
    refused_as_invalid,
)


@pytest.mark.parametrize("name", ["../manifest.json", "a/../../b", "..", "/manifest.json", "//x", "/"])
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_names_that_lead_out(tmp_path: pathlib.Path, name: str, transport: str) -> None:
    files: Files = {}
    sound = {**SOUND, **layout(files, entry(put_image(files, ONE)))}
    for place in (0, len(sound)):
        members = [member(*one) for one in sound.items()]
        members.insert(place, member(name, b"x"))
        assert "leads out" in refused_as_invalid(f"{transport}:{file_of(tmp_path, packed(members))}")


def test_a_name_that_is_no_text(tmp_path: pathlib.Path) -> None:
    header = bytearray(header_of("x", 0))
    header[:4] = b"\xff\xfe\x1b["
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    assert read(docker(tmp_path, bytes(header) + packed(SOUND)))[0].id == digest(ONE)
    header[:4] = b"../\xff"
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    assert refused_as_invalid(docker(tmp_path, bytes(header) + packed(SOUND))).encode()


def _with_link(kind: bytes, target: str, *, name: str = "manifest.json") -> bytes:
    item = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": []}
    members = [
        member(name, type=kind, linkname=target),
        member("config.json", ONE),
        member("real.json", as_json([item])),
        member("again.json", type=tarfile.SYMTYPE, linkname="real.json"),
    ]
    return packed(members)


def test_a_symbolic_link_is_followed_once_and_only_inside(tmp_path: pathlib.Path) -> None:
    """As containers/image does: one step, compared with the names in the archive."""
    for target in ("real.json", "./x/../real.json"):
        assert read(docker(tmp_path, _with_link(tarfile.SYMTYPE, target)))[0].id == digest(ONE)
    for target in ("again.json", "manifest.json"):
        assert "symbolic link" in refused_as_invalid(docker(tmp_path, _with_link(tarfile.SYMTYPE, target)))
    for target in ("/etc/passwd", "../../../../etc/passwd", "/real.json", "gone", ""):
        assert "manifest.json" in refused_as_invalid(docker(tmp_path, _with_link(tarfile.SYMTYPE, target)))


def test_a_hard_link_has_content_only_where_podman_unpacks(tmp_path: pathlib.Path) -> None:
    assert "hard link" in refused_as_invalid(docker(tmp_path, _with_link(tarfile.LNKTYPE, "real.json")))
    files: Files = {}
    made = layout(files, entry(put_image(files, ONE)))
    index = made.pop("index.json")
    members = [member(*one) for one in made.items()]
    members += [member("real", index), member("index.json", type=tarfile.LNKTYPE, linkname="real")]
    assert read(f"oci-archive:{file_of(tmp_path, packed(members))}")[0].id == digest(ONE)
    members[-1] = member("index.json", type=tarfile.LNKTYPE, linkname="/etc/passwd")
    assert "missing" in refused_as_invalid(f"oci-archive:{file_of(tmp_path, packed(members))}")


@pytest.mark.parametrize(
    "kind", [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.GNUTYPE_SPARSE, b"Z"]
)
def test_a_member_that_is_no_file(tmp_path: pathlib.Path, kind: bytes) -> None:
    members = [member("manifest.json", type=kind), member("config.json", ONE)]
    assert "no regular file" in refused_as_invalid(docker(tmp_path, packed(members)))


def test_of_two_members_of_one_name_podmans_counts(tmp_path: pathlib.Path) -> None:
    """podman looks into a docker-archive and takes the first; it unpacks an oci-archive, where the last is left."""
    items = [[{"Config": f"{making.hexadecimal(body)}.json"}] for body in (ONE, TWO)]
    members = [member(f"{making.hexadecimal(body)}.json", body) for body in (ONE, TWO)]
    members += [member("manifest.json", as_json(item)) for item in items]
    assert [image.id for image in read(docker(tmp_path, packed(members)))] == [digest(ONE)]
    files: Files = {}
    indexes = [layout({}, entry(put_image(files, body)))["index.json"] for body in (ONE, TWO)]
    members = [member(*one) for one in files.items()] + [member("index.json", index) for index in indexes]
    name = f"oci-archive:{file_of(tmp_path, packed(members))}"
    assert [image.id for image in read(name)] == [digest(TWO)]


def test_a_cut_archive(tmp_path: pathlib.Path) -> None:
    layer = os.urandom(3000)
    files: Files = {}
    item = making.docker_item(files, ONE, "a:1", layers=[layer])
    body = packed({"manifest.json": as_json([item]), **files})
    whole = len(body) - 1024
    for cut in (100, 600, whole - 512, whole - 513, whole - 2000):
        assert refused_as_invalid(docker(tmp_path, body[:cut]))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (bytes(512), "no manifest.json"),
        (bytes(100_000), "no manifest.json"),
        (bytes(512) + packed(SOUND), "after its end"),
        (b"x" * 5000, "no tar archive"),
        (b"PK\x03\x04" + b"x" * 5000, "no tar archive"),
        (b"\x1f\x8b", "damaged"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(gzip.compress(packed(SOUND), mtime=0), mtime=0), "no tar archive"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_is_no_archive(tmp_path: pathlib.Path, body: bytes, said: str) -> None:
    for transport, missing in (("docker-archive", said), ("oci-archive", said.replace("manifest", "index"))):
        assert missing in refused_as_invalid(f"{transport}:{file_of(tmp_path, body)}")


def test_a_sparse_file_of_holes_without_end(tmp_path: pathlib.Path) -> None:
    header = bytearray(header_of("x", 0, type=tarfile.GNUTYPE_SPARSE))
    header[482] = 1
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    block = bytes(504) + b"\1" + bytes(7)
    found = cheap(docker(tmp_path, gzip.compress(bytes(header) + block * 50_001, 1)))
    assert (found.reason, "holes" in found.said) == ("archive_invalid", True)
    assert read(docker(tmp_path, bytes(header) + block * 3 + bytes(512) + packed(SOUND)))[0].id == digest(ONE)


def test_a_path_that_leads_to_no_file(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        assert "no regular file" in refused_as_invalid(f"docker-archive:{path}")
    assert "is a folder" in refused_as_invalid(f"docker-archive:{tmp_path}")
    assert "with oci-archive:" in refused_as_invalid(f"oci:{file_of(tmp_path, b'x')}")
    assert refused_as_invalid(f"oci:{tmp_path / 'pipe'}").endswith("no regular file, but a pipe, a socket or a device")
    (tmp_path / "folder").mkdir()
    assert "the folder that has oci-layout and blobs/ too" in refused_as_invalid(f"oci:{tmp_path / 'folder'}")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("oci:", "dir:", "oci-archive:"):
        for path in (tmp_path / "loop", tmp_path / "gone", tmp_path / "archive" / "x", "x" * 4000):
            with pytest.raises(ImageError) as refused:
                read(f"{name}{path}")
            assert refused.value.reason is Reason.ARCHIVE_UNREADABLE


def test_files_that_say_they_are_empty_are_not_read(tmp_path: pathlib.Path) -> None:
    """Those of the kernel do: a read of /proc/kmsg waits for the kernel's next message."""
    (tmp_path / "nothing").touch()
    for path in (tmp_path / "nothing", "/proc/kmsg", "/proc/self/environ"):
        assert refused_as_invalid(f"docker-archive:{path}").endswith("it is empty")
    (tmp_path / "index.json").touch()
    assert refused_as_invalid(f"oci:{tmp_path}").endswith("index.json is empty")
    for path in ("/proc", "/proc/self"):
        assert "holds no index.json" in refused_as_invalid(f"oci:{path}")


def test_the_path_that_was_opened_is_named(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colon ends it, and it is nothing but a path: the shell's ~ is a folder of that name."""
    monkeypatch.chdir(tmp_path)
    for name, opened in (
        (f"docker-archive:{tmp_path}/app:1.tar", f"{tmp_path}/app cannot be read"),
        ("docker-archive:app.tar", f"{tmp_path}/app.tar (the path is not absolute"),
        ("oci:~/layout", f"{tmp_path}/~/layout (the path is not absolute"),
    ):
        with pytest.raises(ImageError) as refused:
            read(name)
        assert opened in str(refused.value)
        assert refused.value.reason is Reason.ARCHIVE_UNREADABLE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: pathlib.Path) -> None:
    path = file_of(tmp_path, packed(SOUND))
    pathlib.Path(path).chmod(0)
    with pytest.raises(ImageError, match="Permission denied") as refused:
        read(f"docker-archive:{path}")
    assert refused.value.reason is Reason.ARCHIVE_UNREADABLE


def test_a_folder_whose_files_lead_elsewhere(tmp_path: pathlib.Path) -> None:
    """Nothing hangs, and no content of another file is told."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2" * 10)
    for number, target in enumerate(("/dev/zero", "/dev/tty", str(tmp_path), str(secret), str(tmp_path / "gone"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "index.json").symlink_to(target)
        (folder / "manifest.json").symlink_to(target)
        for transport in ("oci", "dir"):
            with pytest.raises(ImageError) as refused:
                read(f"{transport}:{folder}")
            assert "hunter2" not in str(refused.value)
    folder = tmp_path / "pipes"
    folder.mkdir()
    os.mkfifo(folder / "index.json")
    assert "no regular file" in refused_as_invalid(f"oci:{folder}")


def test_a_folder_with_ten_gib_of_json(tmp_path: pathlib.Path) -> None:
    for name, transport in (("index.json", "oci"), ("manifest.json", "dir")):
        with (tmp_path / name).open("wb") as file:
            file.truncate(10 * GIB)
        found = cheap(f"{transport}:{tmp_path}")
        assert (found.reason, "larger than" in found.said) == ("archive_invalid", True)
        (tmp_path / name).unlink()


def _descriptors() -> int:
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_open(tmp_path: pathlib.Path) -> None:
    before = _descriptors()
    for body in (packed(SOUND), gzip.compress(packed(SOUND)), b"x" * 1000):
        with contextlib.suppress(ImageError):
            read(docker(tmp_path, body))
    assert _descriptors() == before
