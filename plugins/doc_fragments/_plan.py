# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """A plan that was made for many hosts. Twin: PLAN in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  plan:
    description:
      - A plan, which says by digest what containers are to run, or the part of it that is about this host. Only what it names is
        looked at, and no registry is asked what is new; it is asked for nothing but what podman pulls by digest.
      - A container that runs its target is V(current). One that ran, when the plan was made, what it runs now goes to the target.
        Any other is V(held), reason C(plan_drift). Holds, rollback, limits and everything else are as without a plan, and
        O(only) and O(exclude) select from what it names.
      - A container of the policy V(local) is never pulled for. It goes to the target where its name means that in local storage, or
        comes to mean it because the plan updates another container on that name; else it is V(held), reason C(plan_drift). A container
        whose reference is a digest stays V(pinned), whatever the plan says.
      - What the plan names and does not run here, or takes no part in updates any more, is told by a warning.
      - A plan that has expired, was changed after it was made, is of a newer schema, or is not about this host is refused before anything
        is looked at. C(docs/plan.schema.json) describes it.
      - Where the host's C(policy.json) wants signatures, the tag itself is pulled, because a signature may name it, and what arrives is
        refused where it is not what the plan says, reason C(tag_moved).
    type: dict
  plan_host:
    description:
      - What O(plan) calls this host, normally C(inventory_hostname). It may be left out where the plan is about one host only.
    type: str
  allow_follower:
    description:
      - Whether O(plan) is followed although the host's own timer, which the role C(container_units) installs, follows the registry. It
        would leave what the plan says at its next run. With V(false) such a plan is refused.
    type: bool
    default: false
"""
