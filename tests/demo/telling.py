# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reader sees: numbered steps with their duration, and aligned tables."""

from __future__ import annotations

import contextlib
import textwrap
import time
import typing as t

_INDENT = "     "
_WIDTH = 100


class DemoError(Exception):
    """The demo cannot go on, or saw something else than it promised; the text is for the reader."""


class Steps:
    """Announces one step after another and says how long each took."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0

    @contextlib.contextmanager
    def step(self, title: str) -> t.Iterator[None]:
        self._number += 1
        print(f"\n{self._number}/{self._total}  {title}", flush=True)
        begin = time.monotonic()
        yield
        print(f"{_INDENT}({time.monotonic() - begin:.1f} s)", flush=True)


def say(text: str) -> None:
    """One paragraph, indented under its step and wrapped."""
    print(textwrap.fill(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT), flush=True)


def show(text: str) -> None:
    """Lines as they are, indented under their step."""
    print(textwrap.indent(text.rstrip("\n"), _INDENT), flush=True)


def table(header: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> str:
    """Aligned columns."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
