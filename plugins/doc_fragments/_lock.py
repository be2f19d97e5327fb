# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """How long others are waited for. Twin: LOCK in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  lock_timeout:
    description:
      - How many seconds other runs that change the same containers or images are waited for, from 0 to 86400. One run at a time
        does, whichever module, playbook or timer began it.
      - A task that waits longer fails with the reason V(lock_busy), and its message names who holds the lock. It has
        changed nothing. The lock of a run that was killed ends with it.
      - M(podfleet.autoupdate.image_autoupdate) and M(podfleet.autoupdate.unit_restart) wait as long for a
        C(podman auto-update) of the same user, which knows no lock; the reason is then V(second_engine).
      - Check mode takes no lock and waits for nobody.
    type: int
    default: 120
"""
