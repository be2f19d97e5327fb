# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test in a room of its own: a private home, a stand-in for what it would download, and real interpreters."""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import typing as t
from pathlib import Path

import interpreters
import places
import trees
import venvs
from running import GateError, Log, locked

#: Scripts of the checkout, no part of the collection (galaxy.yml leaves them out): ruff and mypy look after them.
_NOT_SHIPPED = ("tests/bench", "tests/demo", "tests/gates", "tests/integration", "tests/lab")

#: The pips that the supported cores bootstrap (2.16 to 2.21): the name under which ansible-test keeps the script.
_BOOTSTRAPPED_PIPS = ("23_1_2", "24_2", "25_2")

# ansible-test makes environments without pip and fetches a script to put it in. Python brings pip along: ensurepip does the
# same from the machine's own files, so that the package index is the only thing these gates ask.
_PIP_BOOTSTRAP = """\
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
"""


def run(name: str, python: str, argv: t.Sequence[str], log: Log) -> None:
    """Run `ansible-test ARGV` on the core of this Python, in this lane's own copy and home."""
    with locked(f"ansible-test-{name}", log):
        room = venvs.ensure(venvs.core_room(python), log)
        hosts = [interpreters.find(version, log) for version in interpreters.HOST_VERSIONS]
        home = _home(name, room)
        copied = trees.copy(name, without=_NOT_SHIPPED)
        # ansible-test reads a constraints file only beside the requirements; here there is one for everything.
        (copied / "tests" / "unit" / "constraints.txt").write_bytes(places.CONSTRAINTS.read_bytes())
        env = places.environment(room / "bin", *(host.parent for host in hosts), home=home)
        try:
            log.run([room / "bin" / "ansible-test", *argv], cwd=copied, env=env)
        except GateError as problem:
            # Between the findings its log has every package that it installs.
            findings = _lines(log, r"^ERROR: ")
            raise GateError(f"{problem}; the whole log is {log.path}", "\n".join(findings)) from None


def skipped(log: Log) -> list[str]:
    """What ansible-test says that it could not do here."""
    return _lines(log, r"^WARNING: .*[Ss]kip")


def _lines(log: Log, pattern: str) -> list[str]:
    lines = log.path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if re.search(pattern, line)]


def _home(name: str, room: Path) -> Path:
    home = places.part("home", name)
    scripts = home / ".ansible" / "test" / "cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for version in _BOOTSTRAPPED_PIPS:
        (scripts / f"get_pip_{version}.py").write_text(_PIP_BOOTSTRAP, encoding="utf-8")
    _carry_over_pip_configuration(home, room)
    return home


def _carry_over_pip_configuration(home: Path, room: Path) -> None:
    """The caller's mirrors and certificates: ansible-test hides the caller's environment and home from pip."""
    listed = subprocess.run(
        [str(room / "bin" / "python"), "-I", "-m", "pip", "config", "list"],
        env={**os.environ, "HOME": str(places.user_home())},
        capture_output=True,
        text=True,
        check=True,
    )
    configuration = configparser.RawConfigParser()
    for line in listed.stdout.splitlines():
        name, _equals, value = line.partition("=")
        section, _dot, option = name.rpartition(".")
        if not option or not section:
            continue
        section = "global" if section == ":env:" else section
        if not configuration.has_section(section):
            configuration.add_section(section)
        configuration.set(section, option, str(ast.literal_eval(value)).replace("\n", "\n    "))
    folder = home / ".config" / "pip"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pip.conf").open("w", encoding="utf-8") as written:
        configuration.write(written)
