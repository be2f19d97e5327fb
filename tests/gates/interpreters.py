# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Python interpreters, found where version managers and distributions put them, or fetched; never guessed away."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import packages
import places
from running import GateError, Log, locked

#: The Pythons that managed hosts may have.
HOST_VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
#: The Pythons that the tools themselves run on, the best first: what the current ansible-core supports.
TOOL_VERSIONS = ("3.13", "3.12")

_ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix == sys.base_prefix)"
_search_lock = threading.Lock()
_asked_for: set[str] = set()


def find(version: str, log: Log) -> Path:
    """The interpreter of this version, able to make virtual environments; GateError with what to install if there is none."""
    with _search_lock:
        found = _on_this_machine(version) or _fetched(version, log)
        if found is None:
            raise GateError(
                f"Python {version} is not on this machine and could not be fetched. Install it, with its venv module "
                f"(`pyenv install {version}`, `uv python install {version}`, or your distribution's python{version} and "
                f"python{version}-venv), so that python{version} is on PATH; then run this again."
            )
        _make_able_to_make_venvs(found, version, log)
        return found


def find_first(versions: t.Sequence[str], log: Log) -> tuple[str, Path]:
    """The first of these versions that is here; only if none is, the first one that can be fetched."""
    for version in versions:
        if _on_this_machine(version):
            return version, find(version, log)
    return versions[0], find(versions[0], log)


def folders_of_found(versions: t.Sequence[str]) -> list[Path]:
    """The folders of those interpreters that are here, for tools that look on PATH by themselves."""
    found = (_on_this_machine(version) for version in versions)
    return [interpreter.parent for interpreter in found if interpreter]


def _candidate_folders() -> t.Iterator[Path]:
    """PATH; beside each folder of shims the versions that they stand for; pyenv's root; what was fetched before."""
    shims = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if Path(entry).name == "shims"]
    roots = [folder.parent for folder in shims]
    if os.environ.get("PYENV_ROOT"):
        roots.append(Path(os.environ["PYENV_ROOT"]))
    yield from (Path(entry) for entry in places.real_path_entries())
    for root in roots:
        yield from sorted(root.glob("versions/*/bin"), reverse=True)
    yield from sorted((places.cache() / "interpreters").glob("*/bin"), reverse=True)
    yield Path("/usr/local/bin")
    yield Path("/usr/bin")


@functools.cache
def _answers(interpreter: Path) -> str:
    try:
        asked = subprocess.run(
            [str(interpreter), "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _own_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _on_this_machine(version: str) -> Path | None:
    for folder in _candidate_folders():
        interpreter = folder / f"python{version}"
        # A virtual environment's interpreter would bring that environment's packages along.
        if interpreter.is_file() and _answers(interpreter) == f"{version} True":
            return interpreter
    return None


def _fetched(version: str, log: Log) -> Path | None:
    """Through uv, which brings standalone builds; asked once a run, because offline it takes seconds to say no."""
    if version not in _asked_for:
        _asked_for.add(version)
        _fetch(version, log)
    return _on_this_machine(version)


def _fetch(version: str, log: Log) -> None:
    log.note(f"Python {version} is not here: asking uv for it")
    folder = places.part("interpreters")
    tool = places.part("tools", "uv")
    env = places.environment(UV_PYTHON_INSTALL_DIR=str(folder), UV_HTTP_TIMEOUT="30")
    pin = next(line for line in places.CONSTRAINTS.read_text(encoding="utf-8").splitlines() if line.startswith("uv=="))
    with contextlib.suppress(GateError), locked("uv", log):
        if not (tool / "bin" / "uv").exists():
            own = Path(sys.executable)
            _make_able_to_make_venvs(own, _own_version(), log)
            log.run([own, "-m", "venv", tool], timeout=300)
            log.run([tool / "bin" / "pip", "install", "--quiet", pin], env=dict(os.environ), timeout=600)
        log.run([tool / "bin" / "uv", "python", "install", "--no-bin", version], env=env, timeout=900)
    _answers.cache_clear()


def _make_able_to_make_venvs(interpreter: Path, version: str, log: Log) -> None:
    """Debian leaves ensurepip out of its own Python and packs it as pythonX.Y-venv."""
    asked = subprocess.run([str(interpreter), "-I", "-c", "import venv, ensurepip"], capture_output=True, check=False)
    if asked.returncode != 0:
        packages.ensure(
            f"python{version}-venv",
            dnf=f"python{version}",
            why=f"{interpreter} cannot make virtual environments",
            log=log,
        )
