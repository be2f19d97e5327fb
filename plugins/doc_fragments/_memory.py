# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """What a run remembers and keeps. Twin: MEMORY in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - With V(updated), units go forward to what their references name now.
      - With V(staged), the images that they would go forward to are pulled, by digest, and nothing else is done; no tag moves and
        nothing is restarted. Rows are V(pending), reason C(staged). The images have names of the collection, which
        C(podman image prune) respects. A later run with V(updated), with the same plan or without one, activates them without a
        pull; then, or when another image is wanted, the names go.
      - With V(rolled_back), the units that O(only) names go back to the image that they ran before, as it is kept on the
        host. No registry is asked. What they leave is held, so that no later run brings it again; a newer image passes.
      - It is one step. A unit that is back already is V(current), however often it is asked for.
    type: str
    choices: [updated, staged, rolled_back]
    default: updated
  holds:
    description:
      - What must stay on the image that it has. The list is remembered on the host, and is the whole list; an entry that
        is missing from it the next time ends. V([]) ends all. Without this option, what earlier tasks gave stays.
      - A hold takes nothing back, and keeps nobody from restarting a unit by hand. Images that failed are held apart
        from this list.
      - Where a held unit shares a reference with others, they are held too, because the tag is one for all.
    type: list
    elements: dict
    suboptions:
      reference:
        description:
          - An image reference with its registry, or a glob over such references. Without a tag it means C(latest).
          - At least one of O(holds[].reference) and O(holds[].unit) is needed; with both, both must match.
        type: str
      unit:
        description: A glob over units; C(.service) may be left out. Of a pod's member, the pod's unit or the member's own.
        type: str
      reason:
        description: Why, for whoever reads the report.
        type: str
      until:
        description:
          - When the hold ends by itself, such as V(2026-12-27) or V(2026-12-27T06:00:00+01:00). Without a time it is the
            first moment of that day, without an offset it is UTC.
          - An entry whose time has come already holds nothing and is not remembered; a warning names it.
        type: str
  bad_images:
    description:
      - Images that failed on other hosts. They are held here as if they had failed here. This also happens where the run has nothing
        else to do, for example because O(plan) names no container of this host.
    type: list
    elements: dict
    default: []
    suboptions:
      reference:
        description: The image reference that must not get the image, with its registry.
        type: str
        required: true
      platform:
        description: The platform, such as V(linux/arm64); the host's own by default.
        type: str
      id:
        description: The image ID, as V(sha256:) and 64 hex digits.
        type: str
        required: true
      digests:
        description: All digests that are known for the image.
        type: list
        elements: str
        default: []
      reason:
        description: Why, for whoever reads the report.
        type: str
  lift_holds:
    description:
      - Forget all holds of what this run looks at, those of images that failed as well as those of people, and go on.
        What O(holds) lists in the same task holds nevertheless.
    type: bool
    default: false
  keep:
    description:
      - How many images that a unit ran before are kept for it, for each reference, under names that
        C(podman image prune) respects. From 0 to 20.
      - With V(0) there is a way back only until a run has seen the new image work.
    type: int
    default: 1
  prune:
    description:
      - What becomes of an image that is kept no longer. With V(replaced) it is removed, unless somebody else gave it a
        name, or a container uses it; nothing is ever forced. With V(none) only the collection's name goes.
    type: str
    choices: [replaced, none]
    default: replaced
"""
