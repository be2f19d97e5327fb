# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter C(fleet_variables)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_variables
short_description: Check the variables of the collection's playbooks plan and status
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Reads the variables of a playbook of this collection as the playbook documents them, and returns their values, with
    the defaults of those that are not given. What is null or an empty text is not given, because that is what a survey
    sends for a question that nobody answered.
  - What cannot be meant is an error that names the variable. Texts are read as numbers, booleans and lists where such are
    wanted.
  - The paths C(plan_file) and C(status_file) are from the folder in which Ansible was started, as those of other arguments of its
    command line are.
options:
  _input:
    description: The variables by their full name.
    type: dict
    required: true
  playbook:
    description: Which playbook they are for.
    type: str
    choices: [plan, status]
    required: true
seealso:
  - module: podfleet.autoupdate.autoupdate_info
"""

EXAMPLES = r"""
---
- name: Refuse what a plan could not use
  ansible.builtin.debug:
    msg: "{{ {'plan_expires': '90m', 'plan_file': ''} | podfleet.autoupdate.fleet_variables('plan') }}"
"""

RETURN = r"""
_value:
  description: The value of each variable but C(rollout_credentials), which is checked in shape and kept out of facts.
  type: dict
  sample: {plan_expires: 5400, plan_file: /srv/plans/plan.json, rollout_hosts: all, rollout_resolver: host}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.readers import from_here
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.variables import PLAYBOOKS, read_variables
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError

#: What no fact may hold.
_KEPT_OUT = "rollout_credentials"

#: Files of the controller.
_FILES = ("plan_file", "status_file")


def fleet_variables(given: object, playbook: object) -> dict[str, t.Any]:
    """The variables' values, as documented."""
    if not isinstance(given, t.Mapping) or playbook not in PLAYBOOKS:
        raise AnsibleFilterError(f"fleet_variables: give a dictionary, and one of {', '.join(PLAYBOOKS)}")
    try:
        values = read_variables(PLAYBOOKS[str(playbook)], {str(key): value for key, value in given.items()})
    except InputError as error:
        raise AnsibleFilterError(f"fleet_variables: {error}") from None
    for name in _FILES:
        if values.get(name):
            values[name] = from_here(values[name])
    return {name: value for name, value in values.items() if name != _KEPT_OUT}


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., object]]:
        """Name → filter."""
        return {"fleet_variables": fleet_variables}
