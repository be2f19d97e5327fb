# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """Whose units are meant. Twin: SCOPE_ALL in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  scope:
    description:
      - Whose containers and units. V(system) means root's containers under the system's service manager, and needs
        root.
      - V(user) means a user's own containers under that user's own service manager. The user must be logged in or
        linger.
      - V(all) means the containers of the system and of every user whose service manager runs, and needs root. For each of
        them a process of theirs does what a run in their own scope would do, some side by side, with their own store,
        credentials and memory. RV(users) tells who was looked at.
      - With V(all), options that hold credentials are for the system's containers alone, because a user can read what a
        process of theirs is given. Bounds, such as a limit of units, count for each user by itself.
    type: str
    choices: [system, user, all]
    default: system
  user:
    description:
      - The user whose units are meant in the scope V(user). Without it, the user that the module runs as, in Ansible
        C(become_user).
      - Root can name any user. What is the user's is then touched by a process that is the user's, never by root.
    type: str
"""
