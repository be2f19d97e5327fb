# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenarios of the update share."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._update import gate


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look once whether a container runs. The wait for late ones is no parameter, and 15 seconds are too long here."""
    monkeypatch.setattr(gate, "_APPEAR_SECONDS", 0.0)
