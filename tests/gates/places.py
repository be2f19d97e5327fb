# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are: the checkout, the cache outside of it, and the environment that tools run in."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
BUILD = ROOT / "build"
NAMESPACE = "podfleet"
COLLECTION = "autoupdate"
LAB = ROOT / "tests" / "lab" / "lab.py"

#: What the gates make in the cache; the lab keeps its own things beside them and cleans them itself.
_CACHE_PARTS = ("venvs", "tree", "home", "logs", "interpreters", "locks", "tools", "installed", "pytest")

#: Variables that would make a tool do something else than what the gate asks for.
_FOREIGN_PREFIXES = ("ANSIBLE_", "MOLECULE_", "PYTHON", "PYENV_VERSION", "PYTEST_", "MYPY", "RUFF_", "VIRTUAL_ENV")


def user_home() -> Path:
    """The home of whoever runs this: CI services run with HOME unset or empty."""
    return Path(os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)


def cache() -> Path:
    """The one folder outside of the checkout that the gates write to."""
    named = os.environ.get("PODFLEET_CACHE")
    if named:
        return Path(named).resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else user_home() / ".cache") / "podfleet-autoupdate"


def part(name: str, *below: str) -> Path:
    """A folder in the cache, made when it is first asked for."""
    if name not in _CACHE_PARTS:
        raise ValueError(f"{name} is no part of the cache")
    folder = cache().joinpath(name, *below)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_parts() -> list[Path]:
    """Every folder that the gates may have made in the cache."""
    return [cache() / name for name in _CACHE_PARTS]


def real_path_entries() -> list[str]:
    """PATH without version managers' shims, which answer to names of interpreters that they do not have."""
    entries = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    kept = [entry for entry in entries if Path(entry).name != "shims"]
    return kept + [entry for entry in ("/usr/sbin", "/usr/bin", "/sbin", "/bin") if entry not in kept]


def environment(*first_on_path: Path, home: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of a tool: the caller's own, less what would change results, with a private home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES)}
    path = [str(folder) for folder in first_on_path] + real_path_entries()
    return kept | {
        "HOME": str(home or part("home", "tools")),
        "PATH": os.pathsep.join(path),
        "LC_ALL": "C.UTF-8",
        "PYTHONPYCACHEPREFIX": str(part("tools", "pycache")),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(part("tools", "hypothesis")),
        "RUFF_CACHE_DIR": str(part("tools", "ruff")),
        "MYPY_CACHE_DIR": str(part("tools", "mypy")),
        **more,
    }
