# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house, read from the source: which room may import which, and what a file may look like."""

from __future__ import annotations

import ast
import functools
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

_PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
_COLLECTION = "ansible_collections.podfleet.autoupdate.plugins"
_ENGINE = f"{_COLLECTION}.module_utils"
# REUSE-IgnoreStart
_SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"
# REUSE-IgnoreEnd
_MOST_LINES = 400

#: Room -> the rooms it may import. The update is handed the edges through protocols, so it never imports one; _engine
#: is where they are handed over.
_MAY_IMPORT = {
    "_pure": {"_pure"},
    "_edges": {"_edges", "_pure"},
    "_images": {"_images", "_pure"},
    "_update": {"_update", "_images", "_pure"},
    "_units": {"_units", "_pure"},
    "_fleet": {"_fleet", "_pure"},
    "_engine": {"_engine", "_edges", "_update", "_images", "_units", "_pure"},
    "_ansible": {"_ansible", "_engine", "_edges", "_update", "_images", "_units", "_fleet", "_pure"},
}
_ROOMS_WITHOUT_ANSIBLE = ("_pure", "_edges", "_images", "_update", "_units", "_fleet", "_engine")
#: Libraries that not every host has, and the one room that may ask for them, when it needs them.
_OPTIONAL_LIBRARIES = ("requests", "urllib3", "dbus", "gi")
#: Python 3.9 has no list of the standard library's names; the newer Pythons that run this test have.
_STANDARD_LIBRARY: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())


@dataclass(frozen=True)
class Import:
    """One imported module, by its absolute name."""

    module: str
    line: int
    lazy: bool
    for_types_only: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def room(self) -> str | None:
        """The engine's room that this is from, if any."""
        if not self.module.startswith(_ENGINE + "."):
            return None
        return self.module[len(_ENGINE) + 1 :].partition(".")[0]


class _Reader(ast.NodeVisitor):
    """Collects imports, and knows which of them run only when a function is called, are guarded, or are for types."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.found: list[Import] = []
        self._lazy = 0
        self._types = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        self._add(base, node.lineno)
        for alias in node.names:
            # `from .. import name` may name a module as well as something in it.
            self._add(f"{base}.{alias.name}", node.lineno)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within("_lazy", node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._within("_lazy", node)

    def visit_Try(self, node: ast.Try) -> None:
        types = [handler.type for handler in node.handlers if handler.type]
        caught = {name.id for kind in types for name in ast.walk(kind) if isinstance(name, ast.Name)}
        if caught & {"ImportError", "ModuleNotFoundError"}:
            self._within("_lazy", node)
        else:
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test).endswith("TYPE_CHECKING"):
            self._within("_types", node)
        else:
            self.generic_visit(node)

    def _within(self, counter: str, node: ast.AST) -> None:
        setattr(self, counter, getattr(self, counter) + 1)
        self.generic_visit(node)
        setattr(self, counter, getattr(self, counter) - 1)

    def _add(self, module: str, line: int) -> None:
        self.found.append(Import(module, line, lazy=self._lazy > 0, for_types_only=self._types > 0))


@functools.cache
def _sources() -> list[Path]:
    return sorted(_PLUGINS.rglob("*.py"))


def _named(path: Path) -> str:
    return ".".join([_COLLECTION, *path.relative_to(_PLUGINS).with_suffix("").parts])


@functools.cache
def _imports(path: Path) -> list[Import]:
    reader = _Reader(_named(path).rpartition(".")[0])
    reader.visit(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    return reader.found


def _room_of(path: Path) -> str | None:
    parts = path.relative_to(_PLUGINS).with_suffix("").parts
    return parts[1] if parts[0] == "module_utils" else None


def _told(path: Path, imported: Import) -> str:
    return f"{path.relative_to(_PLUGINS.parent)}:{imported.line} imports {imported.module}"


def _engine_imports(*rooms: str) -> t.Iterator[tuple[Path, str, Import]]:
    for path in _sources():
        room = _room_of(path)
        if room in (rooms or tuple(_MAY_IMPORT)):
            for imported in _imports(path):
                yield path, str(room), imported


def test_the_engine_has_only_the_rooms_that_the_rule_knows() -> None:
    strangers = [path for path in _sources() if "module_utils" in path.parts and _room_of(path) not in _MAY_IMPORT]
    assert strangers == []


def test_rooms_import_only_the_rooms_that_they_may() -> None:
    wrong = [
        _told(path, imported)
        for path, room, imported in _engine_imports()
        if imported.room is not None and imported.room not in _MAY_IMPORT[room]
    ]
    assert wrong == []


def test_the_engine_never_imports_the_plugins_that_use_it() -> None:
    wrong = [
        _told(path, imported)
        for path, _room, imported in _engine_imports()
        if imported.module.startswith(_COLLECTION + ".") and not imported.module.startswith(_ENGINE)
    ]
    assert wrong == []


def test_only_the_ansible_room_and_plugins_import_ansible() -> None:
    wrong = [
        _told(path, imported)
        for path, _room, imported in _engine_imports(*_ROOMS_WITHOUT_ANSIBLE)
        if imported.top == "ansible"
    ]
    assert wrong == []


@pytest.mark.skipif(not _STANDARD_LIBRARY, reason="Python 3.9 cannot list its standard library")
def test_pure_rooms_and_the_update_need_the_standard_library_only() -> None:
    wrong = [
        _told(path, imported)
        for path, _room, imported in _engine_imports("_pure", "_images", "_update", "_units", "_fleet")
        if imported.top not in _STANDARD_LIBRARY and not imported.module.startswith(_ENGINE)
    ]
    assert wrong == []


def test_optional_libraries_are_asked_for_at_the_edges_and_only_when_needed() -> None:
    wrong = []
    for path in _sources():
        for imported in _imports(path):
            optional = imported.top in _OPTIONAL_LIBRARIES and not imported.for_types_only
            if optional and not (_room_of(path) == "_edges" and imported.lazy):
                wrong.append(_told(path, imported))
    assert wrong == []


def test_imports_run_in_no_circle() -> None:
    names = {_named(path) for path in _sources()}
    uses = {
        _named(path): {
            imported.module for imported in _imports(path) if imported.module in names and not imported.for_types_only
        }
        for path in _sources()
    }
    settled: set[str] = set()

    def circle(name: str, above: tuple[str, ...]) -> tuple[str, ...]:
        if name in above:
            return (*above[above.index(name) :], name)
        if name not in settled:
            for used in sorted(uses[name]):
                found = circle(used, (*above, name))
                if found:
                    return found
            settled.add(name)
        return ()

    assert [found for found in (circle(name, ()) for name in sorted(uses)) if found] == []


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(_PLUGINS)))
def test_a_file_is_licensed_and_short_enough_to_read(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert _SPDX in lines[:5]
    assert len(lines) <= _MOST_LINES


def test_packages_are_namespaces() -> None:
    """An __init__.py would be shipped to every host, and would let two rooms grow together."""
    assert list(_PLUGINS.rglob("__init__.py")) == []
