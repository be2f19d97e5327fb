# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """Which updates a run begins at all. Twin: ADMISSION in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  limit:
    description:
      - How many units this run may restart. The rows of the others are V(pending) with the reason C(limit_reached), and their
        tags do not move.
      - Units that share a reference, or that systemd restarts together, are begun together or not at all. Where they are more
        than what is left of the limit, they are passed over, and smaller ones after them may still be begun.
      - Units are taken in the order of their names. There is no limit by default.
    type: int
  max_failures:
    description:
      - After so many units that failed or were rolled back, no other is begun. The rows of those are V(pending) with the
        reason C(max_failures), and their tags do not move.
      - What has begun already, side by side up to O(parallel), is brought to its end.
      - There is no bound by default.
    type: int
  allow_unsafe_rollback:
    description:
      - Whether units are updated too that could not be put back.
      - The start of such a unit pulls its image, by C(--pull=always) or C(newer), by C(--platform), by the C(imagePullPolicy) of
        its Kubernetes YAML or by C(pull_policy) in containers.conf, so that a rollback would fetch the image again that has
        failed; or the image that it runs is no longer in local storage.
      - With V(false) these units are left alone, and their rows are V(held) with the reason C(rollback_unsafe). That does
        not matter where O(rollback) is V(false).
    type: bool
    default: false
  trust_labels:
    description:
      - Whether the label C(PODMAN_SYSTEMD_UNIT) counts also where the unit that it names does not own the container's processes.
      - Whoever can start a container can then have any service restarted. Leave it off where that is not the same person.
    type: bool
    default: false
"""
