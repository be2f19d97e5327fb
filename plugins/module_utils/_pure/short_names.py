# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a short name is pulled as: by its alias, or through the unqualified-search registries (containers-registries.conf(5)).

C(podman info) tells the search registries and no aliases, so those are read from the files: the table C([aliases]) of
strings, and the key C(short-name-mode). That is the only TOML that is read here.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .errors import ImageError
from .reasons import Reason
from .references import InvalidReferenceError, Reference
from .texts import printable

_STRING = r"""(?:"([^"\\]*)"|'([^']*)')"""
_ENTRY = re.compile(rf"\s*(?:{_STRING}|([A-Za-z0-9_-]+))\s*=\s*{_STRING}\s*(?:#.*)?\Z")
_TABLE = re.compile(r"\s*\[\[?\s*([^\[\]]*?)\s*\]\]?\s*(?:#.*)?\Z")
_MODE_KEY = "short-name-mode"


@dataclass(frozen=True)
class ShortNames:
    """Aliases by short name, and how names without one are looked for: C(permissive), C(enforcing) or C(disabled)."""

    aliases: t.Mapping[str, str] = field(default_factory=dict)
    mode: str = "permissive"

    def over(self, text: str) -> ShortNames:
        """These rules, with those of one more file, which win. An empty alias takes an earlier one away."""
        aliases, mode, table = dict(self.aliases), self.mode, ""
        for line in text.splitlines():
            header = _TABLE.match(line)
            if header:
                table = header.group(1)
                continue
            entry = _ENTRY.match(line)
            if entry is None:
                continue
            key = next(group for group in entry.groups()[:3] if group is not None)
            value = next(group for group in entry.groups()[3:] if group is not None)
            if table == "aliases":
                aliases[key] = value
            elif not table and key == _MODE_KEY:
                mode = value
        return ShortNames({key: value for key, value in aliases.items() if value}, mode)

    def candidates(self, reference: Reference, search: t.Sequence[str]) -> tuple[Reference, ...]:
        """What a reference is asked for as, in order.

        Raises:
            ImageError: C(short_name): it means nothing here, or only a person at a terminal could choose.
        """
        if reference.fully_qualified:
            return (reference,)
        alias = self.aliases.get(reference.path) if self.mode != "disabled" else None
        name = f"short-name {printable(reference.path)!r}"
        try:
            if alias is not None:
                ending = f"@{reference.digest}" if reference.digest else f":{reference.tag}"
                return (Reference.parse(alias + ending),)
            if not search:
                message = f"{name} did not resolve to an alias and no unqualified-search registries are defined"
                raise ImageError(message, Reason.SHORT_NAME)
            if self.mode == "enforcing" and len(search) > 1:
                message = f"{name}: short-name resolution enforced but cannot prompt without a TTY"
                raise ImageError(message, Reason.SHORT_NAME)
            return tuple(reference.within(registry) for registry in search)
        except InvalidReferenceError as error:
            raise ImageError(f"{name}: {error}", Reason.SHORT_NAME) from None
