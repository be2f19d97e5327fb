# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter C(fleet_status)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_status
short_description: Say how far a fleet is
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Says of each reference and platform which hosts run its target, and which do not yet, by what the registries told, or by
    a plan.
  - A fleet is converged if every host answered, every container that follows a registry runs its target, and no container
    would be refused by an update.
options:
  _input:
    description: The result of M(podfleet.autoupdate.autoupdate_info), by host; an unreachable host's result too.
    type: dict
    required: true
  answers:
    description:
      - Results of M(podfleet.autoupdate.image_digest_info), each with the call of P(podfleet.autoupdate.fleet_calls#filter) as
        its loop's C(item). Not looked at where there is a plan.
    type: list
    elements: dict
    default: []
  plan:
    description:
      - A plan, as a dictionary or as JSON. One that has expired will do; one that was changed is an error. What it does not
        name is unknown.
    type: raw
  scope:
    description: The scope in which hosts were asked. With V(system), what a plan says of users' containers does not count.
    type: str
    choices: [system, user, all]
    default: all
  only:
    description: The C(only) with which hosts were asked. What a plan names beyond that does not count.
    type: list
    elements: str
    default: []
  exclude:
    description: The C(exclude) with which hosts were asked, likewise.
    type: list
    elements: str
    default: []
seealso:
  - plugin: podfleet.autoupdate.fleet_calls
    plugin_type: filter
  - plugin: podfleet.autoupdate.fleet_plan
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Fail where the fleet is not there yet
  ansible.builtin.assert:
    that: status.converged
    fail_msg: "{{ status.msg }}"
  vars:
    status: "{{ {'web1': {'workloads': []}} | podfleet.autoupdate.fleet_status }}"
"""

RETURN = r"""
_value:
  description: The status.
  type: dict
  contains:
    converged:
      description: Whether the whole fleet runs what it should.
      type: bool
      returned: success
      sample: true
    plan:
      description: The ID of the plan, where it was judged by one.
      type: str
      returned: success
      sample: null
    references:
      description:
        - One entry for each C(reference) and C(platform) with its target's C(digest), and the hosts that are C(converged),
          C(pending), C(held) (the target was bad there before), C(failed) (its unit is down, or the plan failed there),
          C(unreachable), or C(unknown) (nobody told the target). A host with several containers counts for the worst.
      type: list
      elements: dict
      returned: success
      sample:
        - reference: quay.io/shop/web:1
          platform: linux/amd64
          digest: "sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4"
          converged: [web1, web2]
          pending: []
          unknown: []
          held: []
          failed: []
          unreachable: []
    summary:
      description: How many hosts are where, each by the worst that it has.
      type: dict
      returned: success
      sample: {converged: 2, pending: 0, unknown: 0, held: 0, failed: 0, unreachable: 0}
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
    msg:
      description: The status in one sentence.
      type: str
      returned: success
      sample: "2 hosts: 2 converged. The fleet is converged."
"""

import typing as t
from datetime import datetime, timezone

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.answers import NOTHING_TOLD
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plain import document, plain
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.reports import read_reports
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.status import Meant, status
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import read_plan

_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


def fleet_status(
    told: object, answers: object = (), plan: object = None, scope: str = "all", only: object = (), exclude: object = ()
) -> dict[str, t.Any]:
    """How far the fleet is, as documented."""
    if not isinstance(told, t.Mapping) or not isinstance(answers, t.Sequence):
        raise AnsibleFilterError("fleet_status: give hosts' results by host, and a list of answers")
    if any(isinstance(some, str) or not isinstance(some, t.Sequence) for some in (only, exclude)):
        raise AnsibleFilterError("fleet_status: only and exclude are lists of patterns")
    heard = NOTHING_TOLD.with_results(answers)
    meant = Meant(str(scope), *(tuple(map(str, plain(some))) for some in (only, exclude)))
    try:
        return status(read_reports(told), heard, _plan(plan) if plan else None, meant).to_result()
    except InputError as error:
        raise AnsibleFilterError(f"fleet_status: {error}") from None


def _plan(given: object) -> t.Mapping[str, t.Any]:
    try:
        found = document(given)
        # What has expired must not be applied any more, but can be looked at.
        read_plan(found, _LONG_AGO)
    except (InputError, ValueError, RecursionError) as error:
        raise AnsibleFilterError(f"fleet_status: {error}") from None
    return t.cast("t.Mapping[str, t.Any]", found)


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., object]]:
        """Name → filter."""
        return {"fleet_status": fleet_status}
