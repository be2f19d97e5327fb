# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/reasons.md from the enums that define what a row can say; a unit test compares the two."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_PAGE = _ROOT / "docs" / "reasons.md"
_HEADER = """<!--
Copyright: Contributors to the podfleet.autoupdate collection
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
Written by docs/make_reasons.py.
-->

# Statuses and reasons
"""


def page() -> str:
    """The page as it should be."""
    reasons = _load()
    lines = [_HEADER, "| status | means | `podman_updated` |", "| --- | --- | --- |"]
    lines += [f"| `{one.value}` | {one.text} | `{reasons.PODMAN_UPDATED[one]}` |" for one in reasons.Status]
    lines += [
        "",
        "What `image_digest_info` says of images without containers:",
        "",
        "| status | means |",
        "| --- | --- |",
    ]
    lines += [f"| `{one.value}` | {one.text} |" for one in reasons.ImageStatus]
    lines += ["", "A reason says why a row has its status.", "", "| reason | means |", "| --- | --- |"]
    lines += [f"| `{one.value}` | {one.text} |" for one in reasons.Reason]
    return "\n".join(lines) + "\n"


def _load() -> Any:
    path = _ROOT / "plugins" / "module_utils" / "_pure" / "reasons.py"
    spec = importlib.util.spec_from_file_location("reasons", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    _PAGE.write_text(page(), encoding="utf-8")
