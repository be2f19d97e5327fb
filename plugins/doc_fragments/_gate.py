# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """How a restarted unit is judged. Twin: GATE in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  settle:
    description:
      - For how many seconds a restarted unit must run before it is accepted. It is put back if it fails meanwhile, if systemd or
        podman starts it or one of its containers again, or if a healthcheck says unhealthy.
      - Units of one group settle side by side. The old image, after a rollback, is judged in the same way.
      - With V(0), a unit that runs its new image right after the restart is accepted.
    type: int
    default: 10
  wait_healthy:
    description:
      - Whether a container that has a healthcheck must become healthy.
      - It is waited for as long as its settings allow, which is its start period, and its interval and timeout for each
        retry and once more, and 30 seconds. Waiting for several containers is one wait.
      - podman runs the healthcheck by itself. Only one that has no timer (C(--health-interval=disable)) is run by this module.
    type: bool
    default: true
  health_command:
    description:
      - A program on the managed host, by its absolute path, and its arguments. It is run for each restarted unit that has settled,
        without a shell, with the unit's name in the environment variable E(UNIT).
      - A unit for which it does not end with 0 within 60 seconds is put back.
    type: list
    elements: str
    default: []
"""
