# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter C(fleet_plan)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_plan
short_description: Make a plan of what a fleet is to run
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - From what each host told of its containers and what the registries told of their references, makes a plan, which says
    of each reference and platform which image it is to be, and of each host which containers run another one.
  - The plan has a new ID and the time at which it was made, so two of them are never equal. Keep it in a fact.
  - Containers that are pinned, follow local names, or would be refused are not in it, nor are hosts that told nothing.
options:
  _input:
    description: The result of M(podfleet.autoupdate.autoupdate_info), by host; an unreachable host's result too.
    type: dict
    required: true
  answers:
    description:
      - Results of M(podfleet.autoupdate.image_digest_info), each with the call of P(podfleet.autoupdate.fleet_calls#filter) as
        its loop's C(item).
    type: list
    elements: dict
    default: []
  expires:
    description: For how many seconds the plan may be used.
    type: int
    default: 86400
  artifact:
    description:
      - An artifact of an earlier job, as this filter returns it. The plan that it stands for is made again from what the hosts
        tell now, without any registry. A host has its part only if that is what was planned for it, by its fingerprint.
      - One that has expired is an error.
    type: dict
seealso:
  - plugin: podfleet.autoupdate.fleet_calls
    plugin_type: filter
  - plugin: podfleet.autoupdate.fleet_status
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Make a plan of nothing
  ansible.builtin.debug:
    msg: "{{ ({'web1': {'workloads': []}} | podfleet.autoupdate.fleet_plan).empty }}"
# => true
"""

RETURN = r"""
_value:
  description: The plan, and all that there is to say about it.
  type: dict
  contains:
    plan:
      description: The plan itself; docs/plan.schema.json describes it.
      type: dict
      returned: success
      sample: {schema: 1, id: 4a3f…, created: "2026-01-31T12:00:00Z", expires: "2026-02-01T12:00:00Z", targets: {}, hosts: {}, sha256: 9f86…}
    artifact:
      description: The plan with a fingerprint of each host's part in place of the part; null where that is larger than 1 MB.
      type: dict
      returned: success
      sample: {schema: 1, id: 4a3f…, created: "2026-01-31T12:00:00Z", expires: "2026-02-01T12:00:00Z", targets: {}, hosts: {}, sha256: 9f86…}
    plan_drift:
      description:
        - With O(artifact), the hosts of the artifact whose part is not what was planned any more, or who lack a container that
          was planned. The plan leaves them out.
      type: list
      elements: str
      returned: success
      sample: []
    empty:
      description: Whether there is nothing to do.
      type: bool
      returned: success
      sample: false
    summary:
      description: How many containers are C(pending), C(current), C(held), C(unknown), C(pinned), C(local) or C(refused).
      type: dict
      returned: success
      sample: {current: 38, pending: 2}
    pull:
      description: At most so many C(bytes) to pull over all hosts, and how many pulls are of C(unknown) size.
      type: dict
      returned: success
      sample: {bytes: 123456789, unknown: 0}
    unknown:
      description: What the registries did not tell, with C(reference), C(platform), C(reason) and C(error).
      type: list
      elements: dict
      returned: success
      sample: []
    registries:
      description: What each registry was asked for, all calls together, in the words of M(podfleet.autoupdate.image_digest_info).
      type: list
      elements: dict
      returned: success
      sample: [{registry: quay.io, requests: 3, manifest_gets: 0, bytes: 0, retries: 0, rate_limit: null, reason: null}]
    unreachable:
      description: The hosts that could not be reached, with C(host) and C(error).
      type: list
      elements: dict
      returned: success
      sample: [{host: web7, error: Failed to connect to the host via ssh}]
    failed:
      description: The hosts that could be reached and did not tell, likewise.
      type: list
      elements: dict
      returned: success
      sample: []
    refused:
      description: The containers that an update would refuse, with C(host), C(unit), C(container), C(image), C(reason) and C(error).
      type: list
      elements: dict
      returned: success
      sample: []
    table:
      description: Lines for people, aligned.
      type: list
      elements: str
      returned: success
      sample: ["REFERENCE  PLATFORM ..."]
    diff:
      description: What the plan changes, as the lines of a diff; no more than a person would read.
      type: list
      elements: str
      returned: success
      sample: []
    msg:
      description: The plan in one sentence.
      type: str
      returned: success
      sample: "40 containers on 2 hosts (38 current, 2 pending): 2 hosts to update; at most 61.7 MB to pull. Valid until 2026-02-01T12:00:00Z."
"""

import typing as t
import uuid
from datetime import datetime, timedelta, timezone

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plain import plain
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plan_report import to_result
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.planning import plan, restored
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


def fleet_plan(told: object, answers: object = (), expires: int = 86_400, artifact: object = None) -> dict[str, t.Any]:
    """The plan with its report, as documented."""
    if not isinstance(told, t.Mapping) or not isinstance(answers, t.Sequence):
        raise AnsibleFilterError("fleet_plan: give hosts' results by host, and a list of answers")
    reports, now = read_reports(told), datetime.now(timezone.utc)
    if artifact:
        try:
            return to_result(*restored(plain(artifact), reports, now))
        except InputError as error:
            raise AnsibleFilterError(f"fleet_plan: {error}") from None
    heard = NOTHING_TOLD.with_results(answers)
    return to_result(plan(reports, heard, id=uuid.uuid4().hex, created=now, lasts=timedelta(seconds=int(expires))))


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., object]]:
        """Name → filter."""
        return {"fleet_plan": fleet_plan}
