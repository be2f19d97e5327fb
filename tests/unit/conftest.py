# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis for all unit tests: the same examples in every run, so that a red gate is red again on the next machine.

A quick look is the default, also under ansible-test; the unit gate tries all examples on the oldest and the newest
Python. C(HYPOTHESIS_PROFILE=search) looks for new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A slow machine is no failure of a property.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("ci", _UNTIMED, derandomize=True, max_examples=60, database=None)
settings.register_profile("few", _UNTIMED, derandomize=True, max_examples=10, database=None)
settings.register_profile("search", _UNTIMED, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))
