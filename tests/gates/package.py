# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build gate: the tarball as Galaxy would take it, and as a user would install it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import places
import trees
import venvs
from running import GateError, Lane, Log, locked

_IMPORTER_CONFIGURATION = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
LOG_LEVEL_MAIN = INFO
"""
_MISSED_PLAYBOOK = re.compile(rf"Failed to find {places.NAMESPACE}\.{places.COLLECTION}\.(\w+) playbook\.$")
_DOCUMENTED = (
    "modules",
    "lookup",
    "filter",
    "action",
    "callback",
    "connection",
    "inventory",
    "strategy",
    "test",
    "vars",
)


def lanes() -> list[Lane]:
    return [Lane("tarball", _tarball)]


def _tarball(log: Log) -> None:
    binaries, env = venvs.tool(venvs.TOOLS, log)
    with locked("build", log):
        copied = trees.copy("build")
        places.BUILD.mkdir(exist_ok=True)
        for stale in places.BUILD.glob("*.tar.gz"):
            stale.unlink()
        log.run(
            [binaries / "ansible-galaxy", "collection", "build", "--output-path", places.BUILD], cwd=copied, env=env
        )
        (tarball,) = places.BUILD.glob("*.tar.gz")
        _import(tarball, binaries, env, log)
        _install_and_read(tarball, binaries, env, log)


def _import(tarball: Path, binaries: Path, env: dict[str, str], log: Log) -> None:
    """What Galaxy and Automation Hub do with an upload."""
    room = places.part("tools", "importer")
    configuration = room / "galaxy-importer.cfg"
    configuration.write_text(_IMPORTER_CONFIGURATION, encoding="utf-8")
    # What pip warned of, when it made the environment, stands in the same log.
    begun = log.path.stat().st_size
    log.run(
        [binaries / "python", "-m", "galaxy_importer.main", tarball],
        cwd=room,
        env=env | {"GALAXY_IMPORTER_CONFIG": str(configuration)},
    )
    told = log.path.read_bytes()[begun:].decode("utf-8", "replace")
    problems = [line for line in told.splitlines() if line.startswith(("ERROR", "WARNING")) and not _is_known(line)]
    if problems:
        raise GateError("galaxy-importer: " + "; ".join(problems))


def _is_known(line: str) -> bool:
    """Whether a complaint is none of ours.

    galaxy-importer tells ansible-lint the folder `ansible_collections` itself, below which ansible-lint looks for
    another such folder when a playbook imports one by its full name. So those that exist are not found.
    """
    missed = _MISSED_PLAYBOOK.search(line)
    found = missed is not None and (places.ROOT / "playbooks" / f"{missed.group(1)}.yml").is_file()
    return found or "is not installed" in line


def _install_and_read(tarball: Path, binaries: Path, env: dict[str, str], log: Log) -> None:
    """Install it without a network into an empty place, and read every plugin's documentation from there."""
    installed = places.part("tools", "installed")
    shutil.rmtree(installed)
    installed.mkdir()
    elsewhere = env | {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    log.run(
        [binaries / "ansible-galaxy", "collection", "install", tarball, "-p", installed, "--offline"],
        cwd=installed,
        env=elsewhere,
    )
    plugins = installed / "ansible_collections" / places.NAMESPACE / places.COLLECTION / "plugins"
    for folder in _DOCUMENTED:
        kind = "module" if folder == "modules" else folder
        for plugin in sorted((plugins / folder).glob("[!_]*.py")):
            _read(kind, plugin.stem, binaries, elsewhere, log)


def _read(kind: str, plugin: str, binaries: Path, env: dict[str, str], log: Log) -> None:
    name = f"{places.NAMESPACE}.{places.COLLECTION}.{plugin}"
    told = subprocess.run(
        [str(binaries / "ansible-doc"), "--type", kind, "--json", name],
        cwd=places.part("tools", "installed"),
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    documented = json.loads(told.stdout).get(name, {}) if told.returncode == 0 else {}
    # An action plugin is documented by the module of the same name.
    if not documented.get("doc") and kind != "action":
        raise GateError(f"ansible-doc cannot read {kind} {name} from the installed tarball: {told.stderr.strip()}")
    log.note(f"ansible-doc {kind} {name}: read")
