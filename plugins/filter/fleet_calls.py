# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter C(fleet_calls)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_calls
short_description: Choose who asks the registries for a fleet
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - From what each host told of its containers, chooses as few hosts as have all images that the fleet follows, so that each
    reference and platform is asked for once. Of equal hosts, the first one is chosen.
  - With O(answers), it chooses whom to ask for what is still missing, among those that were not asked for it yet.
options:
  _input:
    description: The result of M(podfleet.autoupdate.autoupdate_info), by host; an unreachable host's result too.
    type: dict
    required: true
  answers:
    description: Results of M(podfleet.autoupdate.image_digest_info), each with the call as its loop's C(item).
    type: list
    elements: dict
    default: []
  resolver:
    description: Whether hosts are asked, or the controller, for which P(podfleet.autoupdate.image_targets#lookup) takes the calls.
    type: str
    choices: [host, controller]
    default: host
seealso:
  - plugin: podfleet.autoupdate.fleet_plan
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: See who would be asked
  ansible.builtin.debug:
    msg: "{{ told | podfleet.autoupdate.fleet_calls }}"
  vars:
    told:
      web1:
        workloads:
          - unit: web.service
            container_name: web
            image: quay.io/shop/web:1
            policy: registry
            running: {id: null, digest: null, digests: [], platform: linux/amd64}
# => [{'host': 'web1', 'names': ['quay.io/shop/web:1'], 'of': 'linux/amd64', 'platform': None}]
"""

RETURN = r"""
_value:
  description: The calls. What C(platform) is null in needs no platform, because the host has images of one only.
  type: list
  elements: dict
  contains:
    host:
      description: Who is to be asked.
      type: str
      returned: success
      sample: web1
    names:
      description: The references.
      type: list
      elements: str
      returned: success
      sample: ["quay.io/shop/web:1"]
    platform:
      description: The platform to name in the call.
      type: str
      returned: success
      sample: null
    of:
      description: The platform that the answers are for.
      type: str
      returned: success
      sample: linux/amd64
    known:
      description: With O(resolver=controller), the digests of each reference that a host runs.
      type: dict
      returned: with O(resolver=controller)
      sample: {"quay.io/shop/web:1": []}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.asking import calls, controller_calls
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports


def fleet_calls(told: object, answers: object = (), resolver: object = "host") -> list[dict[str, t.Any]]:
    """Who is to be asked for what, as documented."""
    if not isinstance(told, t.Mapping) or not isinstance(answers, t.Sequence) or resolver not in ("host", "controller"):
        raise AnsibleFilterError("fleet_calls: give hosts' results by host, a list of answers, and host or controller")
    reports = read_reports(told)
    if resolver == "controller":
        return controller_calls(reports)
    return [one.to_result() for one in calls(reports, NOTHING_TOLD.with_results(answers))]


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., object]]:
        """Name → filter."""
        return {"fleet_calls": fleet_calls}
