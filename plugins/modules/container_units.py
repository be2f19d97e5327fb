#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_units
short_description: Give containers, pods and Kubernetes YAML systemd units that can be updated
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Writes one systemd unit for each entry, as a Quadlet file or as a classic service, and starts it. Both start a fresh
    container from what the tag names at that time, report when they are ready, and set C(PODMAN_SYSTEMD_UNIT), which
    M(podfleet.autoupdate.image_autoupdate) and C(podman auto-update) need.
  - Values are taken literally. Spaces, quotes, newlines, C(%) and C($) reach the container as they are.
  - Files are checked by Quadlet and by C(systemd-analyze verify) before they replace anything.
  - Only a unit whose definition changed is restarted. Units of the same O(group) that are not listed are stopped and
    removed; containers and named volumes that were not made by them are left alone.
  - The role P(podfleet.autoupdate.container_units#role) uses this module, and prepares the host for it.
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._lock
  - podfleet.autoupdate._unit_definitions
attributes:
  check_mode:
    support: full
    details:
      - Files are checked as in a real run. On a host without podman, they are predicted as for podman 5, with a warning.
  diff_mode:
    support: full
    details:
      - Shows the files, with all environment variables in them, and what happens to each unit.
  idempotent:
    support: full
requirements:
  - podman 4.3 or newer on the managed host
  - systemd 250 or newer on the managed host
options:
  style:
    description:
      - How the units are written. Quadlet needs podman 4.4, and 5.0 for pods; V(auto) takes it where the host has
        it, and classic services elsewhere.
    type: str
    choices: [auto, quadlet, service]
    default: auto
  user:
    description:
      - >-
        Whose units they are. Without it, those of the user that the module runs as: for root, the system's.
      - The user must linger, so that the units run without a login.
    type: str
  group:
    description:
      - A name for all units that are listed together. Units of the same group that are not listed are removed;
        those of other groups, and everything else on the host, are left alone.
    type: str
    default: default
  timeout:
    description:
      - How many seconds systemd may take to stop and start all units. A start may pull images.
    type: int
    default: 600
seealso:
  - module: podfleet.autoupdate.image_autoupdate
"""

EXAMPLES = r"""
---
- name: Run a web server that follows its tag
  podfleet.autoupdate.container_units:
    units:
      - name: web
        image: registry.example.com/shop/web:stable
        publish: ["8080:80"]
        volumes: ["web-data:/var/lib/web"]
        environment:
          GREETING: "100% of $HOME, as it stands"
        health:
          command: wget -q -O /dev/null http://localhost/
          interval: 30s
        notify: healthy

- name: Run a pod of two, by the user shop
  podfleet.autoupdate.container_units:
    user: shop
    units:
      - name: shop
        kind: pod
        publish: ["8081:80"]
        members:
          - name: web
            image: registry.example.com/shop/web:stable
          - name: cache
            image: registry.example.com/shop/cache:stable
            autoupdate: disabled

- name: Remove all of root's units that this module made
  podfleet.autoupdate.container_units:
    units: []
"""

RETURN = r"""
units:
  description: One entry for each unit that is listed or was removed, sorted by unit.
  returned: always, unless a parameter was refused
  type: list
  elements: dict
  contains:
    name:
      description: The entry's name.
      type: str
      returned: always
      sample: web
    kind:
      description: The entry's kind; null for a unit that was removed.
      type: str
      returned: always
      sample: container
    style:
      description: How it is written, V(quadlet) or V(service); null for a unit that was removed.
      type: str
      returned: always
      sample: quadlet
    unit:
      description: The unit to start and to stop.
      type: str
      returned: always
      sample: web.service
    services:
      description: All units that the entry makes.
      type: list
      elements: str
      returned: always
      sample: ["web.service"]
    files:
      description: The files that make them.
      type: list
      elements: str
      returned: always
      sample: ["/etc/containers/systemd/web.container"]
    definition:
      description: What happened to the files, V(created), V(changed), V(removed) or V(unchanged).
      type: str
      returned: always
      sample: created
    operation:
      description: What happened to the unit, V(started), V(restarted), V(stopped) or V(none).
      type: str
      returned: always
      sample: started
    enablement:
      description: What happened to the link that starts a classic unit at boot, V(enabled), V(disabled) or V(unchanged).
      type: str
      returned: always
      sample: unchanged
    error:
      description: Why the unit does not run as it should; null where it does. The task has failed then.
      type: str
      returned: always
      sample: null
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible.unit_arguments import UNIT
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.unit_setup import SetupSettings, set_up


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            **arguments.LOCK,
            "units": {"type": "list", "elements": "dict", "required": True, "options": UNIT},
            "style": {"type": "str", "choices": ["auto", "quadlet", "service"], "default": "auto"},
            "user": {"type": "str"},
            "group": {"type": "str", "default": "default"},
            "timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )

    def body() -> dict[str, t.Any]:
        return set_up(
            SetupSettings(
                entries=module.params["units"],
                style=module.params["style"],
                user=module.params["user"],
                group=module.params["group"],
                timeout=module.params["timeout"],
                lock_timeout=module.params["lock_timeout"],
                check=module.check_mode,
            )
        )

    entry.run(module, body, libraries=())


if __name__ == "__main__":
    main()
