#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: autoupdate_info
short_description: List the containers that take part in updates, and what the host remembers of them
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Lists the running containers that are labelled C(io.containers.autoupdate), with the unit that runs each one, its
    policy, and the image that it runs.
  - Containers that M(podfleet.autoupdate.image_autoupdate) would refuse are listed with the reason.
  - Tells what the host remembers too, that is which images and units are held, which earlier images are kept, and what
    the last runs did.
  - No registry is contacted, and nothing is changed.
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._attributes.actiongroup_autoupdate
  - podfleet.autoupdate._attributes.info_module
  - podfleet.autoupdate._scope_all
  - podfleet.autoupdate._selection
requirements:
  - podman 4.3 or newer on the managed host
  - dbus-python for a Python of the managed host; without it, RV(workloads[].unit_state) is null
options:
  runs:
    description:
      - How many of the last runs are returned in RV(runs). Only runs that changed something, or failed, leave a trace.
    type: int
    default: 5
seealso:
  - module: podfleet.autoupdate.image_autoupdate
"""

EXAMPLES = r"""
---
- name: List what takes part
  podfleet.autoupdate.autoupdate_info:
  register: info

- name: List what takes part of every user's, and who was not looked at
  podfleet.autoupdate.autoupdate_info:
    scope: all
  register: everybody
  failed_when: everybody.users | rejectattr('looked_at') | rejectattr('reason', 'eq', 'no_manager') | list | length > 0

- name: Name the containers that would never be updated
  ansible.builtin.debug:
    msg: "{{ item.container_name }}: {{ item.error }}"
  loop: "{{ info.workloads | selectattr('error') }}"
  loop_control:
    label: "{{ item.container_name }}"

- name: Tell what went back to an earlier image lately
  ansible.builtin.debug:
    msg: "{{ info.runs | map(attribute='units') | flatten | selectattr('verdict', 'eq', 'rolled_back') }}"
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
    scope: &scope
      description: Whose units these are.
      type: str
      returned: success
      sample: system
    user: &user
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
      description: Others on the same reference, not looked at or refused; they meet a moved tag at their next start.
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
        id: &id
          description: The image ID.
          type: str
          returned: success
          sample: sha256:9c1b2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f701
        digest:
          description: The digest that podman names first.
          type: str
          returned: success
          sample: sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4
        digests: &digests
          description: All digests that are recorded for the image.
          type: list
          elements: str
          returned: success
          sample: ["sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4"]
        platform: &platform
          description: Operating system and architecture.
          type: str
          returned: success
          sample: linux/amd64
    started:
      description: When the container was started last, by the host's clock, in UTC.
      type: str
      returned: success
      sample: "2026-11-21T16:04:05Z"
    health:
      description: What the container's own healthcheck said last, V(starting), V(healthy) or V(unhealthy); null without one.
      type: str
      returned: success
      sample: healthy
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
holds:
  description:
    - What is held, and so not updated. Holds that have ended are left out.
    - Null where the state file cannot be used; a warning says why.
  returned: success
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    by:
      description:
        - V(image) where an image failed here, or was left on purpose; V(user) where a person holds something.
        - An image has no RV(holds[].until), and what a person holds has no platform, ID, digests and RV(holds[].since); they are null.
      type: str
      returned: success
      sample: image
    reference:
      description: The reference that is held, normalised; with V(user) a glob, empty where any is meant.
      type: str
      returned: success
      sample: registry.example.com/shop/web:stable
    unit:
      description: The unit in which the image failed; with V(user) a glob, empty where any is meant.
      type: str
      returned: success
      sample: web.service
    reason:
      description: Why the image is held, as the code of the row that told it; with V(user) what the person wrote.
      type: str
      returned: success
      sample: job_failed
    until:
      description: When the hold of a person ends; null for one that stays.
      type: str
      returned: success
      sample: null
    platform: *platform
    id: *id
    digests: *digests
    since:
      description: When the image was left, in UTC.
      type: str
      returned: success
      sample: "2026-11-21T02:00:07Z"
slots:
  description:
    - Earlier images that are kept, so that units can go back to them.
    - Null where the state file cannot be used.
  returned: success
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    unit: {description: "The unit that ran the image.", type: str, returned: success, sample: web.service}
    reference:
      description: The reference for which it ran it, normalised.
      type: str
      returned: success
      sample: registry.example.com/shop/web:stable
    number: {description: "V(1) is the image that was left last.", type: int, returned: success, sample: 1}
    name:
      description: The name in local storage that keeps the image.
      type: str
      returned: success
      sample: localhost/podfleet-autoupdate/slot:0b2f6b1c9d0e4f5a8c7d6e5f4a3b2c1d-1
    id: *id
    digests: *digests
    kept:
      description: When the unit left the image; null where that is not known any more.
      type: str
      returned: success
      sample: "2026-11-21T02:00:07Z"
runs:
  description:
    - The last runs that changed a unit, or failed at one; the newest first. They come from the history file.
    - Null where that file cannot be read.
  returned: success
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    run: &run
      description: The run's own number; the entries of the systemd journal have it in the field C(RUN).
      type: str
      returned: success
      sample: 5f0c3f0a2b7d4c1e9a8b7c6d5e4f3a2b
    time: &time
      description: When its entry was written, in UTC.
      type: str
      returned: success
      sample: "2026-11-21T02:00:07Z"
    by:
      description: C(uid) and C(user) who ran it, and C(sudo_user) who became that user by sudo.
      type: dict
      returned: success
      sample: {uid: 0, user: root, sudo_user: anna}
    plan: {description: "The ID of the plan that it followed; null where it followed none.", type: str, returned: success, sample: null}
    units:
      description: What became of each unit that was changed or failed.
      type: list
      elements: dict
      returned: success
      contains:
        unit: {description: "The unit.", type: str, returned: success, sample: web.service}
        verdict: {description: "V(updated), V(rolled_back) or V(failed).", type: str, returned: success, sample: rolled_back}
        reason:
          description: The code that says why; null where there is nothing to explain.
          type: str
          returned: success
          sample: job_failed
        error:
          description: A sentence that says what went wrong.
          type: str
          returned: success
          sample: "the restart of web.service ended as 'failed'; journalctl --unit=web.service says why"
        job_result: {description: "What systemd said of the restart onto the new image.", type: str, returned: success, sample: failed}
        seconds: {description: "From the start of the pull to the verdict.", type: float, returned: success, sample: 3.214}
        changes:
          description: The containers, each with C(container), C(image), and C(id) and C(digest) of C(before) and C(after).
          type: list
          elements: dict
          returned: success
          sample:
            - container: web
              image: registry.example.com/shop/web:stable
              before: {id: "sha256:9c1b…", digest: "sha256:0f4a…"}
              after: {id: "sha256:9c1b…", digest: "sha256:0f4a…"}
users:
  description: Who was looked at, with O(scope=all); the system comes first.
  returned: success, with O(scope=all)
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    uid: {description: The user's number., type: int, returned: success, sample: 1000}
    looked_at: {description: Whether a process of theirs answered., type: bool, returned: success, sample: true}
    reason: {description: "Why not, as a stable code: V(no_manager) where no service manager of theirs runs.", type: str, returned: success, sample: null}
    error: {description: The same as a sentence., type: str, returned: success, sample: null}
    plan: {description: As RV(plan) for the user's containers., type: dict, returned: success, sample: null}
    follows: {description: As RV(follows) for the user's containers., type: str, returned: success, sample: null}
plan:
  description: The plan that the host was given last and how it ended, without the plan itself; null where there was none.
  returned: success
  type: dict
  sample: {id: 0d3c9a5e7f1b4c2d8e6f0a1b2c3d4e5f, verdict: converged, at: "2026-11-21T02:00:07Z", sha256: 5e1f…, of: 77aa…}
intents:
  description:
    - What a run that works at this moment, or that was interrupted, is about to do; the next run finishes or undoes it. Null
      where the state file cannot be used.
  returned: success
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    unit:
      description: The unit that is restarted.
      type: str
      returned: success
      sample: web.service
    run: *run
    time: *time
    changes:
      description: The containers, each with C(container), C(image), and C(id) and C(digest) of C(before) and C(target).
      type: list
      elements: dict
      returned: success
      sample: []
interruptions:
  description:
    - Images that a run was interrupted with (killed, or its host went down) while a unit came up on them, and that did not
      work since. They are tried again; the second time in a row the image is held. Null where the state file cannot be used.
  returned: success
  type: list
  elements: dict
  contains:
    scope: *scope
    user: *user
    reference: {description: "What it was activated for, normalised.", type: str, returned: success, sample: "registry.example.com/shop/web:stable"}
    platform: *platform
    id: *id
    times: {description: "How many runs in a row were interrupted.", type: int, returned: success, sample: 1}
    unit: {description: "The unit (or one of them) that came up on it.", type: str, returned: success, sample: web.service}
    last: {description: "When the last one was found, in UTC.", type: str, returned: success, sample: "2026-11-21T02:00:07Z"}
follows:
  description:
    - What the host's own timer follows, V(registry) or V(plan).
    - Null where this collection's timer is not set up, or where its settings are not for this user to read.
  returned: success
  type: str
  sample: registry
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.listing import listing
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.scopes import within


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={**arguments.SCOPE_ALL, **arguments.SELECTION, "runs": {"type": "int", "default": 5}},
        supports_check_mode=True,
    )

    def body() -> dict[str, t.Any]:
        settings = arguments.settings(module.params)
        return within(settings.user, lambda: listing(settings, module.params["runs"]))

    entry.run(module, body, libraries=("dbus",))


if __name__ == "__main__":
    main()
