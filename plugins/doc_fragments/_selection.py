# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """Which containers a run looks at. Twin: SELECTION in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  only:
    description:
      - Globs of what to look at; without it, everything that takes part.
      - A prefix says what a glob is compared with, C(unit:), C(container:) or C(image:). A bare glob is compared with
        all three. C(.service) may be left out of a unit's name.
      - A glob that matches nothing is most likely a typing error; a warning says so, for O(exclude) as well.
      - C(unit@USER:), and likewise the others, is about the units of this user alone, C(unit@root:) about the system's.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - Globs of what to leave alone, written as in O(only). They win over O(only).
      - What runs in one unit restarts together, so this does not keep a container from being restarted with another one
        of its unit or pod.
    type: list
    elements: str
    default: []
  policies:
    description:
      - Which update policies to look at.
    type: list
    elements: str
    choices: [registry, local]
    default: [registry, local]
"""
