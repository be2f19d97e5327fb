#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_autoupdate
short_description: Update the containers that systemd units run to the current images
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Does what C(podman auto-update) does. It finds the running containers that are labelled C(io.containers.autoupdate),
    compares the image that each one runs with the one that its reference names now, pulls what is newer, and restarts
    the container's unit once over D-Bus.
  - Each distinct image is asked for once, by a C(HEAD) request, all images side by side. What the registry does not
    say is V(unknown), never up to date.
  - A new image is pulled by digest and moves no tag until its unit is restarted. If the restart fails, or the container
    does not run the new image afterwards, the old image is put back and the unit is restarted on it.
  - Units that share a reference are decided together. One of them is restarted and judged first, and if any of them
    fails, all of them go back.
  - What an earlier run left when it was interrupted is finished or undone first.
  - A container counts only if the unit that its C(PODMAN_SYSTEMD_UNIT) label names really owns its processes.
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._attributes.actiongroup_autoupdate
  - podfleet.autoupdate._scope_all
  - podfleet.autoupdate._selection
  - podfleet.autoupdate._gate
  - podfleet.autoupdate._admission
  - podfleet.autoupdate._outcome
  - podfleet.autoupdate._pace
  - podfleet.autoupdate._lock
  - podfleet.autoupdate._plan
  - podfleet.autoupdate._memory
  - podfleet.autoupdate._credentials
attributes:
  check_mode:
    support: full
    details:
      - Asks the registries and systemd as a real run does, and predicts the image IDs. Nothing is pulled, tagged or
        restarted.
  diff_mode:
    support: full
    details:
      - Lists the containers whose image changes, with image ID and digest. Ansible shows no diff for a task that fails;
        RV(updates) has the same facts.
  idempotent:
    support: full
requirements:
  - podman 4.3 or newer on the managed host
  - dbus-python and requests for a Python of the managed host
seealso:
  - module: podfleet.autoupdate.autoupdate_info
  - name: podman-auto-update(1)
    description: The command that this module follows.
    link: https://docs.podman.io/en/latest/markdown/podman-auto-update.1.html
"""

EXAMPLES = r"""
---
- name: Update all containers that take part
  podfleet.autoupdate.image_autoupdate:

- name: Update what every user of the host runs too
  podfleet.autoupdate.image_autoupdate:
    scope: all

- name: Update the web servers, but never the database
  podfleet.autoupdate.image_autoupdate:
    only:
      - unit:web*
    exclude:
      - container:postgres

- name: Go back to what the web server ran before, and stay away from what it leaves
  podfleet.autoupdate.image_autoupdate:
    state: rolled_back
    only:
      - unit:web

- name: Update all but the shop, which is frozen until the holidays are over
  podfleet.autoupdate.image_autoupdate:
    holds:
      - unit: shop-*
        reason: frozen for the holidays
        until: "2027-01-04"
      - reference: docker.io/library/postgres:16

- name: Try again an image that failed, after its configuration was mended
  podfleet.autoupdate.image_autoupdate:
    only:
      - unit:web
    lift_holds: true

- name: Go to what a plan says; with state staged before, nothing is pulled any more
  podfleet.autoupdate.image_autoupdate:
    plan: "{{ lookup('ansible.builtin.file', 'plan.json') | from_json }}"
    plan_host: "{{ inventory_hostname }}"

- name: Stay away from an image that failed on another host
  podfleet.autoupdate.image_autoupdate:
    bad_images:
      - reference: registry.example.com/shop/web:stable
        id: sha256:77aa2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f702
        reason: unhealthy on web-1

- name: Use credentials from the vault for one registry
  podfleet.autoupdate.image_autoupdate:
    credentials:
      - registry: registry.example.com
        username: reader
        password: "{{ vault_registry_password }}"
  register: update

- name: Take an image only if the unit runs for a minute, and the site answers
  podfleet.autoupdate.image_autoupdate:
    settle: 60
    health_command:
      - /usr/bin/curl
      - --fail
      - --silent
      - http://localhost/health

- name: Show what happened
  ansible.builtin.debug:
    var: update.table
"""

RETURN = r"""
updates:
  description: One row for each container that takes part, sorted by unit and container name.
  returned: success and failure
  type: list
  elements: dict
  contains:
    unit:
      description: The unit that runs the container; in a pod, the unit of the pod.
      type: str
      returned: success and failure
      sample: web.service
    scope: &scope
      description: Whose units these are.
      type: str
      returned: success and failure
      sample: system
    user: &user
      description: The user whose containers these are; null in the scope V(system).
      type: str
      returned: success and failure
      sample: null
    container:
      description: Short ID and name, as podman prints them.
      type: str
      returned: success and failure
      sample: 3d7c5ef93a1b (web)
    container_id:
      description: The full ID that the container had when the run began.
      type: str
      returned: success and failure
      sample: 3d7c5ef93a1b8d8a3a4b8ab84ba9b4a2d7d55d2f6c2b5d1c26f1a0a9d5e7f001
    container_name: {description: "The container's name.", type: str, returned: success and failure, sample: web}
    image:
      description: The image argument that created the container.
      type: str
      returned: success and failure
      sample: registry.example.com/shop/web:stable
    policy:
      description: Where a newer image is looked for, V(registry) or V(local); null where the label is invalid.
      type: str
      returned: success and failure
      sample: registry
    shared_with:
      description: Others on the same reference, not looked at or refused; they meet a moved tag at their next start.
      type: list
      elements: str
      returned: success and failure
      sample: []
    status:
      description:
        - What became of the container.
        - V(current) runs what its reference names. V(pending) would be updated. V(updated) runs the new image.
          V(rolled_back) failed on the new image and runs the old one again, or went back because O(state) asks for it. V(failed) needs attention. V(held) is
          deliberately left alone. V(pinned) names one fixed image. V(unknown) could not be told by the registry.
      type: str
      returned: success and failure
      sample: updated
    changed:
      description:
        - Whether this container was moved to another image, or moved and put back; in check mode whether it would be. With
          O(state=staged), whether its image was pulled.
        - A container that is current, but is restarted together with another one of its unit, is not changed.
      type: bool
      returned: success and failure
      sample: true
    podman_updated:
      description: The same outcome in the words of C(podman auto-update --format json).
      type: str
      returned: success and failure
      sample: "true"
    reason:
      description: A stable code that says why; null where there is nothing to explain. The documentation lists them.
      type: str
      returned: success and failure
      sample: null
    error: {description: "A sentence that says what went wrong.", type: str, returned: success and failure, sample: null}
    before:
      description: The image that ran when the run began.
      type: dict
      returned: success and failure
      contains:
        id:
          description: The image ID.
          type: str
          returned: success and failure
          sample: sha256:9c1b2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f701
        digest:
          description: The digest that it is known by.
          type: str
          returned: success and failure
          sample: sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4
    after:
      description:
        - The image that runs now; in check mode, and where it is only staged, the one that would. Both values are null where nothing
          runs.
      type: dict
      returned: success and failure
      contains:
        id:
          description: The image ID.
          type: str
          returned: success and failure
          sample: sha256:77aa2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f702
        digest:
          description: The digest that the reference answered with.
          type: str
          returned: success and failure
          sample: sha256:1b5c9e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b5
    job_result: {description: "What systemd said of the restart onto the new image.", type: str, returned: success and failure, sample: done}
    duration:
      description: Seconds from the start of the pull to the verdict; null where nothing was moved.
      type: float
      returned: success and failure
      sample: 2.417
summary:
  description: How many rows have each status.
  returned: success and failure
  type: dict
  sample: {current: 3, pending: 0, updated: 1, rolled_back: 0, failed: 0, held: 0, pinned: 1, unknown: 0}
repaired:
  description:
    - What an earlier run had left when it was interrupted, because it was killed or the host went down; one entry for each
      unit, empty where there was none. It is repaired before anything else is done. In check mode nothing is, and the entries
      say what a run would do.
    - An entry with an error makes the task fail.
  returned: success and failure
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    unit:
      description: The unit that was to be restarted.
      type: str
      returned: success and failure
      sample: web.service
    did:
      description:
        - V(finished) stays on its new image, which runs well. V(undone) is as it was before the interrupted run. With
          V(nothing) that run had not begun to move it.
      type: str
      returned: success and failure
      sample: undone
    error:
      description: A sentence that says what is wrong with the unit now; null where it runs.
      type: str
      returned: success and failure
      sample: null
users:
  description: Who was looked at, with O(scope=all); the system comes first. A user who should have been and was not makes the task fail.
  returned: success and failure, with O(scope=all)
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    uid: {description: The user's number., type: int, returned: success and failure, sample: 1000}
    looked_at: {description: Whether a process of theirs answered., type: bool, returned: success and failure, sample: true}
    reason:
      description: Why not, as a stable code; V(no_manager) where no service manager of theirs runs, which is no failure.
      type: str
      returned: success and failure
      sample: null
    error: {description: The same as a sentence., type: str, returned: success and failure, sample: null}
registries:
  description: What each registry was asked for; with O(scope=all) by whom, because whoever logs in has a quota of their own.
  returned: success and failure
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    registry: {description: "Host and port.", type: str, returned: success and failure, sample: registry.example.com}
    requests: {description: "All HTTP requests, those to a token service included.", type: int, returned: success and failure, sample: 4}
    manifest_gets: {description: "How many of them count against a pull limit.", type: int, returned: success and failure, sample: 0}
    bytes: {description: "Bytes of all bodies.", type: int, returned: success and failure, sample: 0}
    retries: {description: "How many requests were repeated.", type: int, returned: success and failure, sample: 0}
    rate_limit:
      description: C(limit), C(remaining), C(window) in seconds, and C(source), where the registry reports them.
      type: dict
      returned: success and failure
      sample: {limit: 100, remaining: 97, window: 21600, source: 192.0.2.7}
    reason:
      description: Why the registry could not be asked; null where it could.
      type: str
      returned: success and failure
      sample: null
plan:
  description: The ID of the plan that was followed; null without one.
  returned: success and failure
  type: str
  sample: 6c2f0d3a9b1e4f5786a7b8c9d0e1f2a3
plan_verdict:
  description:
    - How the plan ended here. V(converged), everything that it names runs its target; V(staged), all that is to come is in local storage;
      V(failed), a container failed or was put back; V(halted), none did, but not everything runs its target.
    - Null without a plan and in check mode. The host remembers it, with the plan.
  returned: success and failure
  type: str
  sample: converged
table:
  description: The rows as aligned lines, for people.
  returned: success and failure
  type: list
  elements: str
  sample:
    - "UNIT         CONTAINER  IMAGE                                 POLICY    STATUS   REASON"
    - "web.service  web        registry.example.com/shop/web:stable  registry  updated  -"
msg:
  description: The run in one sentence.
  returned: success and failure
  type: str
  sample: "5 containers: 3 current, 1 updated, 1 pinned."
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.autoupdate import autoupdate
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.scopes import within


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            **arguments.SCOPE_ALL,
            **arguments.SELECTION,
            **arguments.GATE,
            **arguments.ADMISSION,
            **arguments.PACE,
            **arguments.LOCK,
            **arguments.PLAN,
            **arguments.CREDENTIALS,
            **arguments.MEMORY,
            **arguments.OUTCOME,
        },
        supports_check_mode=True,
    )

    def body() -> dict[str, t.Any]:
        settings = arguments.settings(module.params)
        usual = ["failed"] if module.params["state"] == "rolled_back" else ["failed", "rolled_back"]
        given = module.params["fail_on"]

        def run() -> dict[str, t.Any]:
            report = autoupdate(settings, check_mode=module.check_mode)
            return report.to_result(fail_on=usual if given is None else given)

        return within(settings.user, run)

    entry.run(module, body, libraries=("dbus", "requests"))


if __name__ == "__main__":
    main()
