# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian mirror that this machine itself uses, so that the lab also works behind a mirror or a proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .commands import run

PUBLIC = (
    ("http://deb.debian.org/debian", ""),
    ("http://deb.debian.org/debian", "-updates"),
    ("http://deb.debian.org/debian-security", "-security"),
)
_PASSED_ON = re.compile(r'^(Acquire::(?:Check-Valid-Until|Check-Date|https?::Proxy(?:::\S+)?)) "(.*)";$')


def parse_deb822(text: str) -> Iterator[tuple[str, str]]:
    """(URI, suite) of the binary sources in a .sources file."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.lower()
                fields[key] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield uri.rstrip("/"), suite


def parse_one_line(text: str) -> Iterator[tuple[str, str]]:
    """(URI, suite) of the binary sources in a .list file."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+\S", line)
        if match:
            yield match.group(1).rstrip("/"), match.group(2)


def suites_for(machine: Sequence[tuple[str, str]], codename: str, wanted: str) -> list[tuple[str, str]]:
    """The machine's own sources, moved to another release; the public ones when the machine is no Debian."""
    kinds = re.compile(rf"^{re.escape(codename)}(|-updates|-security)$")
    ours = [(uri, match.group(1)) for uri, suite in machine for match in (kinds.match(suite),) if match]
    if not any(kind == "" for _uri, kind in ours):
        ours = list(PUBLIC)
    return [(uri, wanted + kind) for uri, kind in dict.fromkeys(ours)]


def source_lines(codename: str, wanted: str) -> list[str]:
    """The «deb …» lines for ``wanted``."""
    etc = Path("/etc/apt")
    machine: list[tuple[str, str]] = []
    for file in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        if file.is_file() and file.suffix in (".list", ".sources"):
            parse = parse_deb822 if file.suffix == ".sources" else parse_one_line
            machine += parse(file.read_text(encoding="utf-8", errors="replace"))
    return [f"deb {uri} {suite} main" for uri, suite in suites_for(machine, codename, wanted)]


def apt_options() -> list[str]:
    """The machine's proxy and date settings, in apt.conf syntax."""
    dumped = run(["apt-config", "dump"], timeout=20).stdout
    return [
        f'{match.group(1)} "{match.group(2)}"'
        for line in dumped.splitlines()
        for match in (_PASSED_ON.match(line),)
        if match
    ]
