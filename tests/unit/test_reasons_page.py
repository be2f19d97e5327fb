# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reasons.md says what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_what_its_maker_would_write() -> None:
    spec = importlib.util.spec_from_file_location("make_reasons", _DOCS / "make_reasons.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (_DOCS / "reasons.md").read_text(encoding="utf-8") == maker.page(), "run python3 docs/make_reasons.py"
