#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: autoupdate_info
short_description: List the containers that take part in updates
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Lists the running containers that are labelled C(io.containers.autoupdate), with the unit that runs each one, its
    policy, and the image that it runs.
  - Containers that M(podfleet.autoupdate.image_autoupdate) would refuse are listed with the reason.
  - No registry is contacted.
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._attributes.actiongroup_autoupdate
  - podfleet.autoupdate._attributes.info_module
  - podfleet.autoupdate._scope
  - podfleet.autoupdate._selection
requirements:
  - podman 4.3 or newer on the managed host
  - dbus-python for a Python of the managed host; without it, RV(workloads[].unit_state) is null
seealso:
  - module: podfleet.autoupdate.image_autoupdate
"""

EXAMPLES = r"""
---
- name: List what takes part
  podfleet.autoupdate.autoupdate_info:
  register: info

- name: Name the containers that would never be updated
  ansible.builtin.debug:
    msg: "{{ item.container_name }}: {{ item.error }}"
  loop: "{{ info.workloads | selectattr('error') }}"
  loop_control:
    label: "{{ item.container_name }}"
"""

RETURN = r"""
workloads:
  description: One entry for each container that takes part, sorted by unit and container name.
  returned: success
  type: list
  elements: dict
  contains:
    unit:
      description: The unit that the container's label names; in a pod, the unit of the pod.
      type: str
      returned: success
      sample: web.service
    scope:
      description: Whose units these are.
      type: str
      returned: success
      sample: system
    user:
      description: The user whose containers these are; null in the scope V(system).
      type: str
      returned: success
      sample: null
    container:
      description: Short ID and name, as podman prints them.
      type: str
      returned: success
      sample: 3d7c5ef93a1b (web)
    container_id:
      description: The container's full ID.
      type: str
      returned: success
      sample: 3d7c5ef93a1b8d8a3a4b8ab84ba9b4a2d7d55d2f6c2b5d1c26f1a0a9d5e7f001
    container_name:
      description: The container's name.
      type: str
      returned: success
      sample: web
    image:
      description: The image argument that created the container.
      type: str
      returned: success
      sample: registry.example.com/shop/web:stable
    policy:
      description: Where a newer image is looked for, V(registry) or V(local); null where the label is invalid.
      type: str
      returned: success
      sample: registry
    shared_with:
      description: Containers on the same reference that no run updates; they meet a moved tag at their next start.
      type: list
      elements: str
      returned: success
      sample: []
    pinned:
      description: Whether the container names one fixed image, by digest or by ID.
      type: bool
      returned: success
      sample: false
    reason:
      description: Why the container would be refused, as a stable code; null where it would not.
      type: str
      returned: success
      sample: null
    error:
      description: The same as a sentence.
      type: str
      returned: success
      sample: null
    running:
      description: The image that the container runs.
      type: dict
      returned: success
      contains:
        id:
          description: The image ID.
          type: str
          returned: success
          sample: sha256:9c1b2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f701
        digest:
          description: The digest that podman names first.
          type: str
          returned: success
          sample: sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4
        digests:
          description: All digests that are recorded for the image.
          type: list
          elements: str
          returned: success
          sample: ["sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4"]
        platform:
          description: Operating system and architecture.
          type: str
          returned: success
          sample: linux/amd64
    unit_state:
      description: The unit's state; null where systemd was not asked or does not know the unit.
      type: dict
      returned: success
      sample: {load_state: loaded, active_state: active, sub_state: running, job_running: false}
    warnings:
      description: Codes of what an update of this container would put at risk.
      type: list
      elements: str
      returned: success
      sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.inventory import inventory
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.scopes import within


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec={**arguments.SCOPE, **arguments.SELECTION}, supports_check_mode=True)

    def body() -> dict[str, t.Any]:
        settings = arguments.settings(module.params)
        return within(settings.user, lambda: inventory(settings).to_result())

    entry.run(module, body, libraries=("dbus",))


if __name__ == "__main__":
    main()
