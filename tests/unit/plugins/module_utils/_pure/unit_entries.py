# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries as the module has them once Ansible has put the defaults in; and command lines as systemd reads them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible.unit_arguments import MEMBER, UNIT

IMAGE = "registry.example.com/shop/web:stable"


def _with_defaults(spec: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    assert set(given) <= set(spec), set(given) - set(spec)
    return {**{name: option.get("default") for name, option in spec.items()}, **given}


def entry(name: str = "web", **given: t.Any) -> dict[str, t.Any]:
    """A container, unless another kind is given."""
    if given.get("kind", "container") == "container":
        given.setdefault("image", IMAGE)
    return _with_defaults(UNIT, {"name": name, **given})


def member(name: str, **given: t.Any) -> dict[str, t.Any]:
    """A member of a pod."""
    return _with_defaults(MEMBER, {"name": name, "image": IMAGE, **given})


def read_words(line: str) -> list[str]:
    """A command line as systemd.service(5) and systemd.syntax(7) say that it is read: by an independent reading."""
    words: list[str] = []
    rest = line
    while rest:
        rest = rest.lstrip(" \t")
        quoted = rest.startswith('"')
        found = re.match(r'"((?:[^"\\]|\\.)*)"(?: |$)' if quoted else r"([^ ]+)(?: |$)", rest, re.DOTALL)
        assert found, rest[:80]
        inner = found.group(1)
        assert quoted or not set(inner) & set("\"'\\;"), inner
        text = re.sub(r"\\(x[0-9a-f]{2}|.)", _unescaped, inner, flags=re.DOTALL) if quoted else inner
        assert not re.sub(r"\$\$|%%", "", text).count("%"), "a specifier"
        assert not re.sub(r"\$\$|%%", "", text).count("$"), "a variable"
        words.append(text.replace("$$", "$").replace("%%", "%"))
        rest = rest[found.end() :]
    return words


def _unescaped(found: re.Match[str]) -> str:
    kind = found.group(1)
    if kind.startswith("x"):
        return chr(int(kind[1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}[kind]
