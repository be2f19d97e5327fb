# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments outside of the tree, each named by what is in it, made once."""

from __future__ import annotations

import hashlib
import os
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

import interpreters
import places
from running import Log, locked

_READY = "ready"


@dataclass(frozen=True)
class Room:
    """What a virtual environment is for, the Pythons it may have (the best first), and what is in it."""

    name: str
    pythons: tuple[str, ...]
    requirements: tuple[str, ...]


_PYTEST = ("pytest", "hypothesis", "requests", "PyYAML")

#: Linters, documentation and packaging: one room, because they all want the same ansible-core.
TOOLS = Room(
    "tools",
    interpreters.TOOL_VERSIONS,
    (
        "ansible-core",
        "ansible-lint",
        "antsibull-changelog",
        "antsibull-docs",
        "galaxy-importer",
        "mypy",
        "reuse",
        "ruff",
        "sphinx",
        "sphinx-ansible-theme",
        "types-PyYAML",
        "types-jsonschema",
        "types-requests",
        "yamllint",
        *_PYTEST,
    ),
)
#: What a user has: ansible-core, and what reads its results.
ANSIBLE = Room("ansible", (*interpreters.TOOL_VERSIONS, "3.11", "3.10"), ("ansible-core", "jmespath", *_PYTEST))
INTEGRATION = Room(
    "integration", interpreters.TOOL_VERSIONS, ("ansible-core", "ansible-runner", "pytest-xdist", *_PYTEST)
)
BUILDER = Room("builder", interpreters.TOOL_VERSIONS, ("ansible-builder",))
MOLECULE = Room("molecule", interpreters.TOOL_VERSIONS, ("ansible-core", "molecule"))


def unit_room(version: str) -> Room:
    """Plain pytest; 3.9, which no tested ansible-core runs on, shows that the engine works where Ansible is absent."""
    core = () if version == "3.9" else ("ansible-core",)
    return Room(f"unit-{version}", (version,), (*_PYTEST, "trustme", "zstandard", *core))


def core_room(version: str) -> Room:
    """ansible-core as its own test tool wants it; which core a Python has is said in the constraints file."""
    return Room(
        f"core-{version}",
        (version,),
        ("ansible-core", "pytest", "pytest-mock", "pytest-xdist", "hypothesis", "requests", "trustme", "zstandard"),
    )


ROOMS: t.Mapping[str, Room] = {room.name: room for room in (TOOLS, ANSIBLE, INTEGRATION, BUILDER, MOLECULE)}


def ensure(room: Room, log: Log) -> Path:
    """The folder of the room's virtual environment, made if it is not there yet."""
    version, interpreter = interpreters.find_first(room.pythons, log)
    wanted = "\n".join([version, str(interpreter), *room.requirements, places.CONSTRAINTS.read_text(encoding="utf-8")])
    name = f"{room.name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    folder = places.part("venvs") / name
    with locked(f"venv-{name}", log):
        if (folder / _READY).exists() and (folder / "bin" / "python").exists():
            return folder
        log.note(f"making the virtual environment {name} with {interpreter}")
        if folder.exists():
            shutil.rmtree(folder)
        log.run([interpreter, "-m", "venv", folder], timeout=300)
        # pip runs in the caller's own environment: its mirrors and certificates are configured there.
        env = {**os.environ, "HOME": str(places.user_home()), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        log.run(
            [
                folder / "bin" / "python",
                "-I",
                "-m",
                "pip",
                "install",
                "--quiet",
                "-c",
                places.CONSTRAINTS,
                *room.requirements,
            ],
            env=env,
            timeout=1800,
        )
        (folder / _READY).touch()
    return folder


def tool(room: Room, log: Log) -> tuple[Path, dict[str, str]]:
    """The room's bin folder, and an environment in which its commands come first."""
    binaries = ensure(room, log) / "bin"
    return binaries, places.environment(binaries)
