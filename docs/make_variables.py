# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the variables of the playbooks plan and status into docs/fleet.md; a unit test compares the two.

Run it with the collection on PYTHONPATH (`make collections`, then PYTHONPATH=.collections).
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.variables import PLAYBOOKS, Variable

PAGE = Path(__file__).resolve().parent / "fleet.md"
HEADING = "## Variables\n"


def page(text: str) -> str:
    """The page with the tables as they should be, after what stands above them."""
    above = text.partition(HEADING)[0]
    intro = (
        "They come from the command line, a survey, or the inventory's group `all`; `rollout_hosts` not from the inventory, which a\n"
        "play's hosts do not know yet. All are read before any host is asked, and what cannot be meant is refused by name, as is a\n"
        "pattern that means no host. An empty text is «not given».\n"
    )
    tables = "".join(
        f"\n### {name}\n\n| variable | written as | default | what it is for |\n| --- | --- | --- | --- |\n"
        + "".join(map(_row, PLAYBOOKS[name]))
        for name in PLAYBOOKS
    )
    return f"{above}{HEADING}\n{intro}{tables}"


def _row(one: Variable) -> str:
    default = "" if one.default is None or one.default == [] else f"`{str(one.default).lower()}`"
    return f"| `{one.name}` | {one.written} | {default} | {one.text} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
