# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """What becomes of a unit that fails, and of the task. Twin: OUTCOME in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  rollback:
    description:
      - Whether a unit that fails on its new image is put back on the old one.
      - With V(false), it stays as the failed restart left it, and its row is V(failed). The tag stays on the new image
        too, so every other unit that shares it gets that image at its next start.
    type: bool
    default: true
  fail_on:
    description:
      - The statuses that make the task fail, after everything was processed.
      - The default is V(failed) and V(rolled_back), with O(state=rolled_back) only V(failed).
    type: list
    elements: str
    choices: [current, pending, updated, rolled_back, failed, held, pinned, unknown]
"""
