# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The text of systemd unit files and Quadlet files: words escaped so that nothing in them is read as syntax."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .errors import InputError

#: A word of these characters means itself, in systemd and in Quadlet.
_PLAIN = re.compile(r"[A-Za-z0-9_./:,=+@-]+\Z")
#: The names of sections and keys (systemd.syntax(7)); «X-» ones are for other programs.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")
#: MAX_ARG_STRLEN of Linux, with its final NUL: no program can be given a longer argument.
_LONGEST_WORD = 131071
#: LONG_LINE_MAX of systemd.
_LONGEST_LINE = 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_BUT_TAB = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: Unicode's noncharacters; systemd ignores a line that has one («not UTF-8 clean»).
_NONCHARACTERS = re.compile(
    "[\ufdd0-\ufdef" + "".join(f"{chr(p * 0x10000 + 0xFFFE)}{chr(p * 0x10000 + 0xFFFF)}" for p in range(17)) + "]"
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "$": "$$", "%": "%%"}

_MARKER = "# Managed by podfleet.autoupdate.container_units, group "
_MARKED = re.compile(re.escape(_MARKER) + r"([A-Za-z0-9_.-]{1,64})\. Changes are overwritten\.\Z")
_GROUP = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


@dataclass(frozen=True)
class Entry:
    """One line of a unit file. C(value) is what stands after the equals sign, escaped already."""

    section: str
    key: str
    value: str


def checked(text: str, what: str) -> str:
    """The text, if a program can be given it as an argument; C(what) names it in the message.

    Raises:
        InputError: It has a NUL character, is not what systemd takes for Unicode, or is too long (131071 bytes).
    """
    if "\0" in text:
        raise InputError(f"{what} has a NUL character, which no program can be given")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InputError(f"{what} is not valid Unicode: {error.reason}") from None
    if _NONCHARACTERS.search(text):
        raise InputError(f"{what} has one of Unicode's noncharacters, which systemd does not take")
    if size > _LONGEST_WORD:
        raise InputError(f"{what} has {size} bytes, more than the {_LONGEST_WORD} that Linux allows in one argument")
    return text


def word(text: str) -> str:
    """One argument as systemd.service(5) reads it: quoted, with specifiers and variables taken literally."""
    if _PLAIN.match(text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\x{ord(character):02x}" if _CONTROL.match(character) else character


def command(words: t.Iterable[str]) -> str:
    """A command line of literal arguments."""
    return " ".join(map(word, words))


def raw_entry(section: str, key: str, value: str, where: str) -> Entry:
    """A line that the user wrote in systemd's own syntax; C(where) names it in messages.

    Raises:
        InputError: The section, the key or the value would make more than this one line.
    """
    for name, kind in ((section, "section"), (key, "key")):
        if not _NAME.match(name):
            raise InputError(f"{where}: {name[:64]!r} is not the name of a {kind}")
    checked(value, f"{where}.{section}.{key}")
    if _CONTROL_BUT_TAB.search(value):
        raise InputError(f"{where}.{section}.{key} must be one line without control characters")
    if value.endswith("\\"):
        raise InputError(f"{where}.{section}.{key} ends with a backslash, which would swallow the next line")
    return Entry(section, key, value)


def checked_group(group: str) -> str:
    """The name of a group of units.

    Raises:
        InputError: It is not 1 to 64 letters, digits, dots, dashes and underscores.
    """
    if not _GROUP.match(group):
        raise InputError(f"{group[:64]!r} is not a group: 1 to 64 letters, digits, dots, dashes and underscores")
    return group


def marker(group: str) -> str:
    """The first line of every file that belongs to the group."""
    return f"{_MARKER}{group}. Changes are overwritten."


def owner(text: str) -> str | None:
    """The group that a file belongs to; None where the file is not ours."""
    found = _MARKED.match(text.partition("\n")[0])
    return found.group(1) if found else None


def render(group: str, entries: t.Iterable[Entry]) -> str:
    """A unit file of the group: sections in the order in which they first occur, lines in the order given.

    Raises:
        InputError: A line is longer than systemd reads (1 MiB).
    """
    sections: dict[str, list[str]] = {}
    for entry in entries:
        line = f"{entry.key}={entry.value}"
        if len(line.encode()) >= _LONGEST_LINE:
            raise InputError(f"{entry.section}.{entry.key} would be longer than the {_LONGEST_LINE} bytes of a line")
        sections.setdefault(entry.section, []).append(line)
    blocks = ["\n".join([f"[{name}]", *lines]) for name, lines in sections.items()]
    return "\n\n".join([marker(group), *blocks]) + "\n"


def without_install(text: str) -> str:
    """What of a unit file matters to a running unit: all but its first line and the section [Install]."""
    kept, install = [], False
    for line in text.split("\n")[1:]:
        if line.startswith("["):
            install = line == "[Install]"
        if line and not install:
            kept.append(line)
    return "\n".join(kept)
