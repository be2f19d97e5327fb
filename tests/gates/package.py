# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build gate: the tarball as Galaxy would take it and as a user would install it; execution environments with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import typing as t
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
#: What anybody may build an image from, and which of what builder writes says what it took from the definition.
_DEFINITIONS: t.Mapping[str, t.Mapping[str, str]] = {
    "meta/execution-environment.yml": {"requirements.txt": "requests>="},
    "extensions/awx/execution-environment.yml": {
        "requirements.yml": f"{places.NAMESPACE}.{places.COLLECTION}",
        "bindep.txt": "openssh-clients",
    },
}
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
    return [Lane("tarball", _tarball), Lane("execution environments", _execution_environments)]


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


def _execution_environments(log: Log) -> None:
    """What ansible-builder makes of the definitions, and what it finds that the collection needs; no image is built."""
    binaries, env = venvs.tool(venvs.BUILDER, log)
    with locked("execution-environments", log):
        copied = trees.copy("execution-environments")
        for definition, wanted in _DEFINITIONS.items():
            context = copied / "build" / "context"
            log.run([binaries / "ansible-builder", "create", "-f", definition, "-c", context], cwd=copied, env=env)
            for name, text in wanted.items():
                if text not in (context / "_build" / name).read_text(encoding="utf-8"):
                    raise GateError(f"{definition}: {text} does not come into {name}")
            shutil.rmtree(context)
        found = copied / "build" / "found.txt"
        above = trees.collections_path(copied)
        log.run([binaries / "ansible-builder", "introspect", above, f"--write-pip={found}"], cwd=copied, env=env)
        needed = [line.split("#")[0].strip() for line in found.read_text(encoding="utf-8").splitlines()]
        # dbus-python is needed on managed hosts, and would need a compiler here.
        if not needed or any(re.match(r"[\w-]+", one, re.ASCII) and not one.startswith("requests>=") for one in needed):
            raise GateError(f"an execution environment would have {', '.join(needed) or 'nothing'} of the collection")


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
