# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman's storage on a small disk, and disks that are full."""

from __future__ import annotations

import base64
import gzip
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lablib.host import Host
from locations import SCRATCH

_STORAGE = "/etc/containers/storage.conf"
_SMALL = 16 * 1024 * 1024


@contextmanager
def small_storage(host: Host, folder: Path) -> Iterator[str]:
    """podman's storage on a small file system, in a file of its own; the folder of its mount."""
    mount = f"{SCRATCH}/small"
    image = folder / "small.img"
    with image.open("wb") as file:
        file.truncate(_SMALL)
    maker = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert maker, "mkfs.ext4 is not installed (e2fsprogs)"
    subprocess.run([maker, "-q", "-m", "0", str(image)], check=True)
    text = base64.b64encode(gzip.compress(image.read_bytes())).decode()
    host.run(["sh", "-c", f"mkdir -p {mount} && base64 -d | gunzip > {SCRATCH}/small.img"], input=text)
    conf = f'[storage]\ndriver = "overlay"\ngraphroot = "{mount}/graph"\nrunroot = "{SCRATCH}/run"\n'
    host.run(["mount", "-o", "loop", f"{SCRATCH}/small.img", mount])
    host.write(_STORAGE, conf)
    try:
        yield mount
    finally:
        script = f"podman rm --all --force; podman rmi --all --force; rm -f {_STORAGE}"
        host.run(["sh", "-c", f"{script}; umount {mount}/graph/overlay; umount {mount}"], check=False)


def free(host: Host, folder: str) -> int:
    return int(host.run(["stat", "--file-system", "--format=%a", folder]).stdout) * int(
        host.run(["stat", "--file-system", "--format=%S", folder]).stdout
    )


def fill(host: Host, folder: str, leave: int) -> None:
    """Leave about so many bytes on a file system."""
    size = max(free(host, folder) - leave, 0)
    host.run(["fallocate", f"--length={size}", f"{folder}/filler"])
