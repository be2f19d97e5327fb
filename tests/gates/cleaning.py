# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make clean: stop the lab, take away what the gates made, and say what stays."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys

import packages
import places
import trees
from running import say

_LITTER = (
    "build",
    ".ansible",
    ".cache",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "docs/build",
    "tests/output",
)


def clean() -> int:
    """Return the exit code: 0 if everything that the project made is gone."""
    stays = packages.installed_here()
    code = 0
    if places.LAB.exists():
        code = subprocess.run([sys.executable, str(places.LAB), "clean"], cwd=places.ROOT, check=False).returncode
        if code != 0:
            say("The lab could not be cleaned; what it said is above. Everything else goes on.")
    for name in _LITTER:
        shutil.rmtree(places.ROOT / name, ignore_errors=True)
    _remove_links()
    for folder in [*places.ROOT.rglob("__pycache__")]:
        if ".git" not in folder.relative_to(places.ROOT).parts:
            shutil.rmtree(folder, ignore_errors=True)
    for part in places.cache_parts():
        shutil.rmtree(part, ignore_errors=True)
    with contextlib.suppress(OSError):
        places.cache().rmdir()
    say(f"Clean: the checkout and {places.cache()}.")
    if places.cache().exists():
        say(f"Left in {places.cache()}: " + ", ".join(sorted(path.name for path in places.cache().iterdir())))
    if stays:
        say("Left on the machine, installed by the gates from the distribution: " + " ".join(stays))
    return code


def _remove_links() -> None:
    # The link leads back to the checkout: it goes first, and never by a walk that could follow it.
    link = trees.LINKS / "ansible_collections" / places.NAMESPACE / places.COLLECTION
    if link.is_symlink():
        link.unlink()
        shutil.rmtree(trees.LINKS)
