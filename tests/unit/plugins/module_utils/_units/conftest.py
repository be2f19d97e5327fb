# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for each test."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._units.hosts import Host


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    """One without any unit."""
    return Host(tmp_path / "host")
