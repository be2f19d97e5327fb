#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_restart
short_description: Restart units whose containers run an old image
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Restarts units of systemd by D-Bus, side by side, waits for the results of their jobs, and then looks whether their
    containers really run and go on running.
  - By default, a unit is restarted only if one of its containers runs another image than its reference names now in local
    storage, as after M(podfleet.autoupdate.image_pull) or a build. No registry is asked.
  - Only units that are active are restarted, as C(systemctl try-restart) does it. One that is not, or that has a job in
    the queue, is left alone; RV(units[].reason) says so, and it is no failure.
  - A unit that does not exist, or that is masked, is a failure. All others are restarted all the same.
  - Units that require one of these, are bound to it or are part of it, go down with it, and were they active, they are
    started again. RV(units[].dependents) names them, in check mode too.
  - A restart that does not end in time is cancelled, which leaves the unit down. It is started again on the image that it
    had, while local names point to where they did afterwards; the task fails. A unit that fails on its new image is not put
    back; M(podfleet.autoupdate.image_autoupdate) does that.
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._attributes.actiongroup_autoupdate
  - podfleet.autoupdate._scope
  - podfleet.autoupdate._gate
  - podfleet.autoupdate._lock
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(condition=always), each run restarts the units.
options:
  name:
    description:
      - The units. C(.service) may be left out.
      - For a pod, the unit of the pod.
    type: list
    elements: str
    required: true
    aliases: [unit]
  condition:
    description:
      - Which of the units that are active are restarted.
      - With V(stale), those with a container that runs another image than its reference names in local storage. Containers
        that name their image by digest or ID are never stale.
    type: str
    choices: [stale, always]
    default: stale
  timeout:
    description:
      - For how many seconds at least a restart may take.
      - A unit whose own times for stopping and starting add up to more has that, and 30 seconds. This bound alone counts
        where one of them is infinite.
    type: int
    default: 180
requirements:
  - podman 4.3 or newer on the managed host
  - dbus-python for a Python of the managed host
seealso:
  - module: podfleet.autoupdate.image_pull
  - module: podfleet.autoupdate.image_autoupdate
"""

EXAMPLES = r"""
---
- name: Pull an image
  podfleet.autoupdate.image_pull:
    name: registry.example.com/shop/web:stable

- name: Restart what does not run it yet
  podfleet.autoupdate.unit_restart:
    name:
      - web.service
      - web-admin.service

- name: Restart a user's unit in any case
  podfleet.autoupdate.unit_restart:
    name: web
    scope: user
    user: shop
    condition: always
"""

RETURN = r"""
units:
  description: One row for each unit, in the order in which they were named.
  returned: success and failure
  type: list
  elements: dict
  contains:
    unit:
      description: The unit; its own name, where it was named by an alias.
      type: str
      returned: success and failure
      sample: web.service
    scope:
      description: Whose unit this is.
      type: str
      returned: success and failure
      sample: system
    user:
      description: The user whose unit this is; null in the scope V(system).
      type: str
      returned: success and failure
      sample: null
    stale:
      description: Whether one of its containers ran another image than its reference names.
      type: bool
      returned: success and failure
      sample: true
    restarted:
      description: Whether a restart was begun; in check mode whether it would be.
      type: bool
      returned: success and failure
      sample: true
    reason:
      description: A stable code that says why; null where there is nothing to explain. The documentation lists them.
      type: str
      returned: success and failure
      sample: null
    error:
      description: The same as a sentence.
      type: str
      returned: success and failure
      sample: null
    dependents:
      description:
        - The units that were active and that the restart takes along, because they require this one, are bound to it or
          are part of it, directly or through others; of a pod's unit, those of its members. In check mode those that it
          would take along.
        - Empty where the unit is not restarted, null where systemd does not tell.
      type: list
      elements: str
      returned: success and failure
      sample: [web-admin.service]
    job_result:
      description:
        - What systemd said of the restart, such as V(done), V(failed), V(canceled), V(timeout), V(dependency) or
          V(skipped); V(timeout) also where it did not end in time and was cancelled.
      type: str
      returned: success and failure
      sample: done
    active_state:
      description: The unit's state when the module ended; null where systemd was not asked.
      type: str
      returned: success and failure
      sample: active
    sub_state:
      description: The same in more detail.
      type: str
      returned: success and failure
      sample: running
    main_pid:
      description: The unit's main process; V(0) where it has none.
      type: int
      returned: success and failure
      sample: 4711
    n_restarts:
      description: How often systemd restarted the unit by itself since it was last started.
      type: int
      returned: success and failure
      sample: 0
    duration:
      description: Seconds from the restart to the verdict; null where nothing was restarted.
      type: float
      returned: success and failure
      sample: 11.342
msg:
  description: The run in one sentence.
  returned: success and failure
  type: str
  sample: 1 of 2 units restarted
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.restarts import restart_units
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.scopes import within


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            **arguments.SCOPE,
            **arguments.GATE,
            **arguments.LOCK,
            "name": {"type": "list", "elements": "str", "required": True, "aliases": ["unit"]},
            "condition": {"type": "str", "choices": ["stale", "always"], "default": "stale"},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )

    def body() -> dict[str, t.Any]:
        params = module.params
        settings = arguments.restart_settings(params)
        return within(
            settings.user,
            lambda: restart_units(settings, params["name"], params["condition"], check_mode=module.check_mode),
        )

    entry.run(module, body, libraries=("dbus",))


if __name__ == "__main__":
    main()
