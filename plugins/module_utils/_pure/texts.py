# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Text of strangers (labels, names) made fit for a terminal."""

from __future__ import annotations

import re

_LONGEST = 255
_TEMPLATE = re.compile(r"\{(?=[{%#])")


def printable(text: str) -> str:
    """The text with every character escaped that could move a cursor or break a line, and cut where it is absurd."""
    return escaped(shortened(text))


def shortened(text: str, most: int = _LONGEST) -> str:
    """The text, cut where it is absurd: no name of a unit (systemd.unit(5)) or a container is longer than the default."""
    return text if len(text) <= most else text[:most] + "…"


def escaped(text: str) -> str:
    """The text with every such character escaped, at its full length: for what is bounded already."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def harmless(text: object) -> str:
    """A stranger's text that no terminal obeys, and that no release of Ansible takes for a template."""
    return _TEMPLATE.sub("{ ", printable(str(text)))
