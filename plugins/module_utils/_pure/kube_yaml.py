# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The part of YAML that Kubernetes files are written in, without a library: managed hosts need not have one.

Block mappings and sequences, plain and quoted scalars, and collections in braces or brackets on one line are read. A value
of any other form (block scalars, aliases, scalars over several lines) is there, and is None. What may not be passed over
without losing the structure is refused. Nothing that is read here is believed until podman has confirmed it.
"""

from __future__ import annotations

import json
import re
import typing as t

#: No Kubernetes file that a unit plays is larger or deeper; both bound what a hostile one costs.
LONGEST = 1024 * 1024
_DEEPEST = 40
_KEY_END = re.compile(r":(?=\s|\Z)")
_BLOCK_SCALAR = re.compile(r"(?:[|>][+-]?[1-9]?[+-]?)\Z")
_DECORATION = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:\s+|\Z))+")
_DOUBLE = re.compile(r'"(?:[^"\\]|\\.)*"')
_SINGLE = re.compile(r"'(?:[^']|'')*'")
#: Where a plain scalar ends inside of braces and brackets.
_FLOW_END = re.compile(r"[,\[\]{}]|:(?=[\s,\[\]{}]|\Z)")


class KubeYamlError(Exception):
    """The text is not YAML, or is YAML of a kind that is not read here; the message says where."""


class _Line(t.NamedTuple):
    number: int
    indent: int
    text: str


def load_documents(text: str) -> list[t.Any]:
    """All documents of a file, of dicts, lists, strings and None.

    Raises:
        KubeYamlError: The text cannot be read.
    """
    if len(text) > LONGEST:
        raise KubeYamlError(f"it is longer than {LONGEST} bytes")
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text)]
        except (ValueError, RecursionError) as error:
            raise KubeYamlError(f"it begins like JSON and is none: {error}") from None
    documents: list[list[_Line]] = [[]]
    for line in _lines(text):
        if line.indent == 0 and (line.text == "---" or line.text.startswith("--- ")):
            documents.append([])
        elif line.indent == 0 and line.text == "...":
            continue
        else:
            documents[-1].append(line)
    return [_Reader(lines).document() for lines in documents if lines]


def _lines(text: str) -> t.Iterator[_Line]:
    """The lines that bear structure: no blank ones, no comments, nothing of a block scalar."""
    hidden_below: int | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        bare = raw.lstrip(" ")
        indent = len(raw) - len(bare)
        if not bare.strip():
            continue
        if hidden_below is not None:
            if indent > hidden_below:
                continue
            hidden_below = None
        if bare.startswith("#") or (number == 1 and bare.startswith("%")):
            continue
        if bare.startswith("\t"):
            raise KubeYamlError(f"line {number} is indented by a tab")
        line = _Line(number, indent, _without_comment(bare).rstrip())
        hidden_below = _block_scalar_parent(line)
        yield line


def _without_comment(text: str) -> str:
    if " #" not in text and "\t#" not in text:
        return text
    position, before = 0, ":"
    while position < len(text):
        one = text[position]
        if one in "\"'" and before in ":-,[{":
            quoted = (_DOUBLE if one == '"' else _SINGLE).match(text, position)
            if quoted is None:
                return text
            position, before = quoted.end(), one
            continue
        if one == "#" and text[position - 1].isspace():
            return text[:position]
        if not one.isspace():
            before = one
        position += 1
    return text


def _block_scalar_parent(line: _Line) -> int | None:
    """The column that a block scalar, if the line begins one, is indented from."""
    indent, text = line.indent, line.text
    while text.startswith("- "):
        rest = text[2:].lstrip(" ")
        indent, text, dash = indent + len(text) - len(rest), rest, indent
        if _BLOCK_SCALAR.match(_undecorated(text)):
            return dash
    key = _split_key(text)
    return indent if key and _BLOCK_SCALAR.match(_undecorated(key[1])) else None


def _undecorated(text: str) -> str:
    """The text without the anchor or tag before it."""
    decoration = _DECORATION.match(text)
    return text[decoration.end() :] if decoration else text


def _split_key(text: str) -> tuple[str, str] | None:
    """Key and value of C(key: value), or None where the text is something else."""
    if text[:1] in ('"', "'"):
        quoted = (_DOUBLE if text[0] == '"' else _SINGLE).match(text)
        if quoted is None:
            return None
        rest = text[quoted.end() :].lstrip()
        return (str(_quoted(quoted.group())), rest[1:].strip()) if re.match(r":(?:\s|\Z)", rest) else None
    if text[:1] in ("[", "{", "*", "&", "!", "|", ">", "@", "`", "%") or text.startswith("? "):
        return None
    end = _KEY_END.search(text)
    return (text[: end.start()].rstrip(), text[end.end() :].strip()) if end else None


def _quoted(text: str) -> str | None:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        # YAML's escapes that JSON has too; a text with others is none that an image or a container is named by.
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


class _Reader:
    """Reads one document. Every method leaves C(self._next) at the first line that it did not take."""

    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._next = 0

    def document(self) -> t.Any:
        value = self._block(self._lines[0].indent, 0)
        if self._next < len(self._lines):
            raise self._lost()
        return value

    def _line(self) -> _Line | None:
        return self._lines[self._next] if self._next < len(self._lines) else None

    def _lost(self) -> KubeYamlError:
        return KubeYamlError(f"line {self._lines[self._next].number} is not understood")

    def _block(self, indent: int, depth: int) -> t.Any:
        if depth > _DEEPEST:
            raise KubeYamlError(f"line {self._lines[self._next].number} is nested too deeply")
        text = self._lines[self._next].text
        if text == "-" or text.startswith("- "):
            return self._sequence(indent, depth)
        if _split_key(text) is not None:
            return self._mapping(indent, depth)
        self._next += 1
        return self._whole(text, indent - 1)

    def _mapping(self, indent: int, depth: int) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {}
        while (line := self._line()) is not None and line.indent == indent and not _is_item(line.text):
            pair = _split_key(line.text)
            if pair is None:
                raise self._lost()
            key, rest = pair[0], _undecorated(pair[1])
            if key in found:
                raise KubeYamlError(f"line {line.number} repeats the key {key[:80]!r}")
            self._next += 1
            found[key] = self._whole(rest, indent) if rest else self._below(indent, depth, items_at_same=True)
        if line is not None and line.indent > indent:
            raise self._lost()
        return found

    def _sequence(self, indent: int, depth: int) -> list[t.Any]:
        found: list[t.Any] = []
        while (line := self._line()) is not None and line.indent == indent and _is_item(line.text):
            rest = line.text[1:].lstrip(" ")
            column = indent + len(line.text) - len(rest)
            rest = _undecorated(rest)
            if not rest:
                self._next += 1
                found.append(self._below(indent, depth, items_at_same=False))
            elif _is_item(rest) or _split_key(rest) is not None:
                # What stands behind the dash is a block of its own, indented to where it stands.
                self._lines[self._next] = line._replace(indent=column, text=rest)
                found.append(self._block(column, depth + 1))
            else:
                self._next += 1
                found.append(self._whole(rest, indent))
        if line is not None and line.indent > indent:
            raise self._lost()
        return found

    def _below(self, indent: int, depth: int, *, items_at_same: bool) -> t.Any:
        line = self._line()
        if line is None:
            return None
        if line.indent > indent or (items_at_same and line.indent == indent and _is_item(line.text)):
            return self._block(line.indent, depth + 1)
        return None

    def _whole(self, text: str, indent: int) -> t.Any:
        """A value that begins on this line; one that goes on below, indented, is None."""
        continued = False
        while (line := self._line()) is not None and line.indent > indent:
            continued, self._next = True, self._next + 1
        return None if continued else _value(text)


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _value(text: str) -> t.Any:
    """A scalar, or a collection in braces or brackets, on one line."""
    if text.startswith(("[", "{")):
        value, end = _flow(text, 0, 0)
        if text[end:].strip():
            raise KubeYamlError(f"{text[:80]!r} is not understood")
        return value
    if text[:1] in ('"', "'"):
        quoted = (_DOUBLE if text[0] == '"' else _SINGLE).match(text)
        return _quoted(text) if quoted and quoted.end() == len(text) else None
    return None if text[:1] in ("*", "|", ">", "@", "`") or text in ("~", "null") else text


def _flow(text: str, position: int, depth: int) -> tuple[t.Any, int]:
    """One value inside of braces or brackets, and where it ends."""
    if depth > _DEEPEST:
        raise KubeYamlError(f"{text[:80]!r} is nested too deeply")
    position = _blank(text, position)
    opening = text[position : position + 1]
    if opening in ("[", "{"):
        return _collection(text, position, depth)
    if opening in ('"', "'"):
        quoted = (_DOUBLE if opening == '"' else _SINGLE).match(text, position)
        if quoted is None:
            raise KubeYamlError(f"{text[:80]!r} has a quote that does not end on its line")
        return _quoted(quoted.group()), quoted.end()
    end = _FLOW_END.search(text, position)
    if end is None:
        raise KubeYamlError(f"{text[:80]!r} does not end on its line")
    plain = text[position : end.start()].strip()
    return _value(plain) if plain else None, end.start()


def _collection(text: str, position: int, depth: int) -> tuple[t.Any, int]:
    opening, closing = text[position], {"[": "]", "{": "}"}[text[position]]
    items: list[t.Any] = []
    pairs: dict[str, t.Any] = {}
    position = _blank(text, position + 1)
    while text[position : position + 1] != closing:
        item, position = _flow(text, position, depth + 1)
        position = _blank(text, position)
        if opening == "{":
            value = None
            if text[position : position + 1] == ":":
                value, position = _flow(text, position + 1, depth + 1)
                position = _blank(text, position)
            pairs[str(item)] = value
        else:
            items.append(item)
        following = text[position : position + 1]
        if following == ",":
            position = _blank(text, position + 1)
        elif following != closing:
            raise KubeYamlError(f"{text[:80]!r} is not understood")
    return (pairs if opening == "{" else items), position + 1


def _blank(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position
