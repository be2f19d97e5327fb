# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection where Ansible looks for collections: as a copy for the tools, as a link for people and pytest."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import places
from running import GateError

LINKS = places.ROOT / ".collections"


def copy(name: str, without: tuple[str, ...] = ()) -> Path:
    """Bring a copy of the work tree up to date; its path ends as ansible-test demands, which refuses links.

    What git ignores stays away, and files that did not change keep their times, so that the tools' caches hold.
    """
    target = places.part("tree", name, "ansible_collections", places.NAMESPACE) / places.COLLECTION
    target.mkdir(exist_ok=True)
    left_out = {Path(folder) for folder in without}
    wanted = {file for file in _work_tree_files() if left_out.isdisjoint(file.parents)}
    for present in sorted(target.rglob("*"), reverse=True):
        if present.is_dir() and not present.is_symlink():
            if not any(present.iterdir()):
                present.rmdir()
        elif present.relative_to(target) not in wanted:
            present.unlink()
    for relative in wanted:
        _copy_if_changed(places.ROOT / relative, target / relative)
    return target


def collections_path(copied: Path) -> Path:
    """The folder that holds ansible_collections, for a copy."""
    return copied.parents[2]


def link() -> Path:
    """`.collections` in the checkout: a collections path that leads back to the checkout itself."""
    folder = LINKS / "ansible_collections" / places.NAMESPACE
    folder.mkdir(parents=True, exist_ok=True)
    name = folder / places.COLLECTION
    if not name.is_symlink():
        with contextlib.suppress(FileExistsError):  # Another lane may be faster.
            name.symlink_to(Path("../../.."), target_is_directory=True)
    return LINKS


def _work_tree_files() -> set[Path]:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={places.ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=places.ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        raise GateError("git cannot list the files of this checkout: " + listed.stderr.decode(errors="replace").strip())
    names = (Path(name.decode()) for name in listed.stdout.split(b"\0") if name)
    return {name for name in names if (places.ROOT / name).is_file()}


def _copy_if_changed(source: Path, target: Path) -> None:
    now = source.stat()
    if target.is_file() and not target.is_symlink():
        then = target.stat()
        if (now.st_mtime_ns, now.st_size, now.st_mode) == (then.st_mtime_ns, then.st_size, then.st_mode):
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
