# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """How fast, and how much, a run goes about it. Twin: PACE in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  timeout:
    description:
      - How many seconds a restart may take. Where the unit's own C(TimeoutStopSec) and C(TimeoutStartSec) are finite and
        together with 30 seconds come to more, that counts instead.
      - A restart that takes longer is cancelled and counts as failed.
    type: int
    default: 180
  parallel:
    description:
      - How many groups of units are restarted side by side. The next images are pulled meanwhile, six at a time.
      - Restarts do not begin in the same moment. They are spaced by what a start takes on this host and by how many
        processors it has, because units that start all at once are all down for longer. With more than 8, they begin as
        fast as the processors can follow, and each unit is down for a bit longer.
    type: int
    default: 8
  registry_parallel:
    description:
      - How many images a registry is asked for side by side.
      - More is faster where the registry is far away, and unkind to a small one.
    type: int
    default: 8
  request_budget:
    description:
      - How many manifests each registry may be asked for by GET, which Docker Hub counts as pulls.
      - Finding that nothing is new takes none. Opening a new image takes one, and one more where it has several platforms.
      - What cannot be finished with what is left is not begun. That container is V(unknown), with the reason C(request_budget).
      - What podman fetches when it pulls an image is not counted.
      - There is no limit by default, but what the registry itself reports to be left is never exceeded.
    type: int
"""
