# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint gate: everything that reads the tree without running it."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import packages
import trees
import venvs
from running import GateError, Lane, Log, locked

#: Folders whose modules import each other by plain names: each is checked by itself.
_TYPED_SCRIPTS = ("docs", "tests/gates", "tests/lab", "tests/bench", "tests/demo", "tests/integration")

_Work = t.Callable[[Log, Path, dict[str, str], Path], None]


def lanes() -> list[Lane]:
    return [
        _lane("ruff", _ruff),
        _lane("mypy", _mypy),
        _lane("ansible-lint", _ansible_lint),
        _lane("yamllint", _yamllint),
        _lane("plugin docs", _plugin_docs),
        _lane("changelog", _changelog),
        _lane("licences", _licences),
        _lane("shell scripts", _shell_scripts),
    ]


def _lane(name: str, check: _Work) -> Lane:
    def work(log: Log) -> None:
        binaries, env = venvs.tool(venvs.TOOLS, log)
        # A copy each: nothing that git ignores is read, and no tool sees what another one leaves.
        with locked(f"lint-{name.replace(' ', '-')}", log):
            copied = trees.copy(f"lint-{name.replace(' ', '-')}")
            env["ANSIBLE_COLLECTIONS_PATH"] = str(trees.collections_path(copied))
            check(log, binaries, env, copied)

    return Lane(name, work)


@contextlib.contextmanager
def _all_of(log: Log) -> t.Iterator[t.Callable[..., None]]:
    """Several commands of one lane: the later ones run although an earlier one says no, so that one look tells everything."""
    problems: list[str] = []

    def run(argv: t.Sequence[str | Path], *, cwd: Path, env: t.Mapping[str, str]) -> None:
        try:
            log.run(argv, cwd=cwd, env=env)
        except GateError as problem:
            problems.append(str(problem))

    yield run
    if problems:
        raise GateError("; ".join(problems))


def _ruff(log: Log, binaries: Path, env: dict[str, str], copied: Path) -> None:
    with _all_of(log) as run:
        run([binaries / "ruff", "check", "--output-format", "concise"], cwd=copied, env=env)
        run([binaries / "ruff", "format", "--check", "--diff"], cwd=copied, env=env)


def _mypy(log: Log, binaries: Path, env: dict[str, str], copied: Path) -> None:
    command: list[str | Path] = [binaries / "mypy", "--config-file", copied / "pyproject.toml"]
    above = trees.collections_path(copied)
    # Tests, benchmarks and the demo use the lab's, the gates' and the engine's modules, and put them on the path themselves.
    env["MYPYPATH"] = os.pathsep.join(map(str, (copied / "tests" / "lab", copied / "tests" / "gates", above)))
    with _all_of(log) as run:
        if any((copied / "plugins").rglob("*.py")):
            run([*command, (copied / "plugins").relative_to(above)], cwd=above, env=env)
        for folder in _TYPED_SCRIPTS:
            if any((copied / folder).glob("*.py")):
                run([*command, "."], cwd=copied / folder, env=env)


def _ansible_lint(log: Log, binaries: Path, env: dict[str, str], copied: Path) -> None:
    log.run([binaries / "ansible-lint", "--offline", "--profile", "production", "--nocolor"], cwd=copied, env=env)


def _yamllint(log: Log, binaries: Path, env: dict[str, str], copied: Path) -> None:
    log.run([binaries / "yamllint", "--strict", "."], cwd=copied, env=env)


def _plugin_docs(log: Log, binaries: Path, env: dict[str, str], copied: Path) -> None:
    options = ("--plugin-docs", "--validate-collection-refs=all", "--disallow-unknown-collection-refs")
    log.run([binaries / "antsibull-docs", "lint-collection-docs", *options, "."], cwd=copied, env=env)


def _changelog(log: Log, binaries: Path, env: dict[str, str], copied: Path) -> None:
    log.run([binaries / "antsibull-changelog", "lint"], cwd=copied, env=env)
    if (copied / "changelogs" / "changelog.yaml").exists():
        log.run(
            [binaries / "antsibull-changelog", "lint-changelog-yaml", "changelogs/changelog.yaml"], cwd=copied, env=env
        )


def _licences(log: Log, binaries: Path, env: dict[str, str], copied: Path) -> None:
    log.run([binaries / "reuse", "lint", "--lines"], cwd=copied, env=env)
    # REUSE-IgnoreStart
    bare = [path for path in sorted(copied.rglob("*.py")) if "SPDX-License-Identifier: " not in _beginning(path)]
    # REUSE-IgnoreEnd
    if bare:
        raise GateError("no licence lines in " + ", ".join(str(path.relative_to(copied)) for path in bare))


def _shell_scripts(log: Log, _binaries: Path, env: dict[str, str], copied: Path) -> None:
    scripts = [path for path in sorted(copied.rglob("*")) if path.is_file() and _is_shell_script(path)]
    if scripts:
        packages.ensure_command("shellcheck", apt="shellcheck", dnf="ShellCheck", log=log)
        log.run(["shellcheck", *(path.relative_to(copied) for path in scripts)], cwd=copied, env=env)


def _beginning(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(600)


def _is_shell_script(path: Path) -> bool:
    first_line = _beginning(path).partition("\n")[0]
    return path.suffix == ".sh" or (
        first_line.startswith("#!") and first_line.rstrip().endswith(("bash", "/sh", " sh"))
    )
