# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A persistent private mount namespace with cgroup v2, for machines that mount cgroups the hybrid way.

podman, runc and systemd in the hosts look at /sys/fs/cgroup. Where that is a v1 or hybrid tree they misbehave, and changing
the machine's own mounts is not ours to do. On a cgroup v2 machine nothing here is used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .commands import run
from .errors import LabError
from .paths import LabPaths


def mount_points(mountinfo: str) -> dict[str, str]:
    """Mount point → file system type, of the text of /proc/self/mountinfo."""
    points = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after:
            points[before.split()[4].encode().decode("unicode_escape")] = after.split()[0]
    return points


def _mounted() -> dict[str, str]:
    return mount_points(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))


def cgroups_are_v2(mountinfo: str | None = None) -> bool:
    """True when /sys/fs/cgroup itself is cgroup2, as every current distribution has it."""
    points = _mounted() if mountinfo is None else mount_points(mountinfo)
    return points.get("/sys/fs/cgroup") == "cgroup2"


@dataclass(frozen=True)
class Namespace:
    """The namespace of one lab; ``inode`` identifies it from inside, where its file cannot be seen."""

    paths: LabPaths
    inode: int

    @property
    def _file(self) -> Path:
        return self.paths.namespace / "mount"

    def is_inside(self) -> bool:
        return os.stat("/proc/self/ns/mnt").st_ino == self.inode

    def is_alive(self) -> bool:
        return self.is_inside() or _mounted().get(str(self._file)) == "nsfs"

    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs inside. nsenter leaves the working directory: use absolute paths."""
        return () if self.is_inside() else ("nsenter", f"--mount={self._file}", "--")


def create(paths: LabPaths) -> Namespace:
    """Make the namespace and keep it alive by a bind mount, without any process in it."""
    file = paths.namespace / "mount"
    _pin(paths)
    make = [
        "unshare",
        f"--mount={file}",
        "--propagation",
        "private",
        "mount",
        "-t",
        "cgroup2",
        "cgroup2",
        "/sys/fs/cgroup",
    ]
    run(make, timeout=10)
    found = _mounted().get(str(file))
    if found != "nsfs":
        raise LabError(
            f"{file} should hold a mount namespace but is {found or 'not mounted'}; is /proc/self/mountinfo complete on this machine?"
        )
    return Namespace(paths, os.stat(file).st_ino)


def recover(room: Namespace) -> None:
    """Keep the namespace alive again, by way of any process that is still in it; does nothing when there is none."""
    for link in Path("/proc").glob("[0-9]*/ns/mnt"):
        try:
            inside = link.stat().st_ino == room.inode
        except OSError:
            continue
        if inside:
            _pin(room.paths)
            run(["mount", "--bind", str(link), str(room.paths.namespace / "mount")], timeout=10)
            return


def _pin(paths: LabPaths) -> None:
    """A namespace file can only be bound to a place that does not propagate."""
    folder = paths.namespace
    folder.mkdir(parents=True, exist_ok=True)
    if str(folder) not in _mounted():
        run(["mount", "--bind", str(folder), str(folder)], timeout=10)
    run(["mount", "--make-private", str(folder)], timeout=10)
    (folder / "mount").touch()


def destroy(paths: LabPaths) -> None:
    """Let go of the namespace and of everything mounted in it."""
    for place in (paths.namespace / "mount", paths.namespace):
        for _attempt in range(8):
            if str(place) not in _mounted():
                break
            run(["umount", str(place)], timeout=10)


def unmount_below(folder: Path) -> None:
    """Unmount what is still mounted in a folder of ours (podman leaves its store mounted on itself), innermost first."""
    below = [point for point in _mounted() if point == str(folder) or point.startswith(f"{folder}/")]
    for point in sorted(below, key=len, reverse=True):
        run(["umount", point], timeout=10)
