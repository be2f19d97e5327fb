# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenarios of the update share."""

from __future__ import annotations

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._update import gate
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.parts import APP, V1, V2, Recipe
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._update.world import Host


@pytest.fixture
def host() -> Host:
    """A host that runs version 1 in one unit, while the registry has version 2."""
    host = Host()
    host.has(V1, APP)
    host.service("app.service", Recipe("app", APP))
    host.registry.publish(V2)
    return host


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look once whether a container runs. The wait for late ones is no parameter, and 15 seconds are too long here."""
    monkeypatch.setattr(gate, "_APPEAR_SECONDS", 0.0)
