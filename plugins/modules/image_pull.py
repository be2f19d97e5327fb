#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
short_description: Pull images by policy, and never another one than was decided
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Has images in podman's local storage, as C(podman create --pull=POLICY) would, and says truthfully what that changed.
  - The registry is asked first, all images side by side. What it answered with is then pulled by digest, and the tag is
    set afterwards, so a tag that moves in between brings nothing else. podman does the transfer, under its own policies.
  - Where the host's C(policy.json) wants a signature, the tag itself is pulled, because a signature may name it. What
    arrives is compared with what was decided. Another image is refused, and the old tag is put back.
  - An image that cannot be pulled fails the task after all others were seen to. Its old image and tag stay.
  - Works on the images of the user who runs it, which is root with C(become).
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._attributes.actiongroup_autoupdate
  - podfleet.autoupdate._credentials
  - podfleet.autoupdate._lock
attributes:
  check_mode:
    support: full
    details:
      - Asks the registries, reads archives, and predicts image IDs, digests and free space. Nothing is pulled or tagged.
      - For an image of one platform only, its config is asked for as well, which is one request more.
  diff_mode:
    support: full
    details:
      - Shows image ID and digest, before and after, of each name that changes. Ansible shows no diff for a task that
        fails; RV(images) has the same facts.
  idempotent:
    support: full
requirements:
  - podman 4.3 or newer on the managed host, in C(PATH) or one of C(/usr/local/sbin), C(/usr/local/bin), C(/usr/sbin),
    C(/usr/bin), C(/sbin) and C(/bin)
  - requests for a Python of the managed host, where a registry is to be asked
options:
  name:
    description:
      - The images. A name that is given twice is seen to once.
      - References such as V(quay.io/team/app:1), with C(docker://) in front or not. A digest pins the image, and a tag
        beside it counts for nothing. A short name such as V(app) is looked up locally first, then goes by podman's
        aliases and C(unqualified-search-registries).
      - An image ID, or the beginning of one, only ever names a local image.
      - An empty list is refused. A text that is no name, an empty one too, fails alone, with the reason V(bad_reference).
      - Sources behind V(docker-archive:), V(oci-archive:), V(oci:), V(dir:), V(docker-daemon:) and
        V(containers-storage:), written as for C(podman pull), with paths on the managed host. O(policy) does not count
        for them. They are loaded unless their image is there already by its ID. A source that holds several images must
        say which one, by C(:reference) or C(:@index). V(containers-storage:) means the user's own store, so
        there is nothing to copy and the image has to be there.
      - podman 4.3 cannot load a C(docker-archive) that is compressed with gzip. It is refused with the reason
        V(unsupported_transport), unless its image is there already.
    type: list
    elements: str
    required: true
  policy:
    description:
      - When to pull. Capitals do not count.
      - V(missing) pulls what is not there; V(ifmissing), V(ifnotpresent) and an empty text mean the same.
      - V(newer), or V(ifnewer), pulls what is not there or is another image in the registry. Where the registry cannot be
        asked and there is a local image, that will do; a warning says so.
      - V(always) pulls. An image ID cannot be pulled always.
      - V(never) only looks at what is there, and fails where it is not.
    type: str
    default: missing
  platform:
    description:
      - The platform to pull for, as C(os/architecture[/variant]); without it, the host's own.
      - If it is set, even to the host's own, V(missing) is taken for V(newer), as podman does, because the local image may
        be of another platform. V(always) and V(never) stay.
      - A registry that has the image for one platform only gives that one. podman takes it, and so does this module, with
        a warning and RV(images[].platform_mismatch). Unlike podman, it does not transfer that image again in the next run,
        unless O(policy=always).
    type: str
  retries:
    description:
      - How many times podman repeats a transfer that failed, from 0 to 100. Without it, podman's own configuration decides.
      - podman 4.3 always repeats three times by itself, so smaller numbers have no effect there.
    type: int
  timeout:
    description:
      - How many seconds the transfer of one image may take, with all its repetitions, from 1 to 86400. Then
        podman is killed.
      - For long transfers use Ansible's C(async) as well, so that no connection has to be kept open.
      - A task that is stopped ends its podman, but for one that is killed with SIGKILL, which cannot. That podman goes
        on to its own end, and the next run finds what it brought.
    type: int
    default: 3600
  parallel:
    description:
      - How many images are transferred side by side, from 1 to 100.
    type: int
    default: 3
  registry_timeout:
    description:
      - How many seconds one request to a registry may take, from 1 to 86400. A whole question, with all repetitions, may
        take four times that.
    type: int
    default: 30
  headroom:
    description:
      - What must stay free on the file system of podman's storage, as a size such as V(500M) or a percentage such as
        V(5%). What would not fit is refused before it is pulled, with the reason V(no_space).
        A percentage is below 100. What needs no layer is never refused for it.
      - What counts are the layers that are not there yet, by their compressed size, which is what a registry tells. They
        need more when they are unpacked, so leave room for that here. Archives and other local sources are not measured.
    type: str
    default: 256M
  lift_holds:
    description:
      - Whether an image is pulled although it, or its reference, is held on this host. Its holds are then forgotten.
      - Without it, a held image is refused with the reason V(held), unless the tag names it already.
    type: bool
    default: false
seealso:
  - module: podfleet.autoupdate.image_autoupdate
  - name: podman-pull(1)
    description: The command that transfers the images.
    link: https://docs.podman.io/en/latest/markdown/podman-pull.1.html
"""

EXAMPLES = r"""
---
- name: Have two images
  podfleet.autoupdate.image_pull:
    name:
      - registry.example.com/shop/web:stable
      - registry.example.com/shop/worker:stable

- name: Follow a tag; a registry that is down is no failure while there is an image
  podfleet.autoupdate.image_pull:
    name: registry.example.com/shop/web:stable
    policy: newer
  register: pull

- name: Say what came
  ansible.builtin.debug:
    msg: "{{ pull.images | map(attribute='after') | map(attribute='id') }}"

- name: Load an archive, unless its image is there
  podfleet.autoupdate.image_pull:
    name: docker-archive:/srv/images/web.tar

- name: Pull a large image without keeping the connection
  podfleet.autoupdate.image_pull:
    name: registry.example.com/models/large:1
    timeout: 7200
    headroom: 20%
  async: 7300
  poll: 10

- name: Pull for another platform
  podfleet.autoupdate.image_pull:
    name: registry.example.com/shop/web:stable
    platform: linux/arm64
"""

RETURN = r"""
images:
  description: One row for each name, in the order in which they were given.
  returned: success and failure
  type: list
  elements: dict
  contains:
    name:
      description: The name as it was given.
      type: str
      returned: success and failure
      sample: registry.example.com/shop/web:stable
    resolved_name:
      description:
        - The full name of the image; null for an image that has none, and where the name means nothing.
        - podman 4.3 gives an image without a name that of its folder, which is not told here.
      type: str
      returned: success and failure
      sample: registry.example.com/shop/web:stable
    before:
      description: The image that the name meant when the run began. A damaged image counts as none.
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
      description: The image that the name means now, in check mode the one that it would mean.
      type: dict
      returned: success and failure
      contains:
        id:
          description: The image ID, of what was pulled and not of what the name is looked up as afterwards.
          type: str
          returned: success and failure
          sample: sha256:77aa2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f702
        digest:
          description:
            - The digest that the image is known by. For an image that was not there it is what the registry answered with.
              podman keeps showing the first digest of an image, so a later pull of the same content under another one
              does not change it.
            - Null for V(docker-archive:) and V(docker-daemon:), here and in RV(images[].before), because these have IDs
              only.
          type: str
          returned: success and failure
          sample: sha256:1b5c9e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b5
    pulled:
      description: Whether podman transferred the image, in check mode whether it would.
      type: bool
      returned: success and failure
      sample: true
    changed:
      description: Whether an image came that was not there, or a tag names another image now.
      type: bool
      returned: success and failure
      sample: true
    reason:
      description: A stable code that says why; null where there is nothing to explain. The documentation lists them.
      type: str
      returned: success and failure
      sample: null
    error:
      description: A sentence that says what went wrong; null where the name did not fail.
      type: str
      returned: success and failure
      sample: null
    platform:
      description: The platform of the image, as podman or the registry tells it.
      type: str
      returned: success and failure
      sample: linux/amd64
    platform_mismatch:
      description: Whether that is another platform than the wanted one, which is also warned of.
      type: bool
      returned: success and failure
      sample: false
    bytes:
      description: The compressed size of the layers that were not there yet; null where nothing was to be pulled, or
        the source does not tell.
      type: int
      returned: success and failure
      sample: 1028238
    duration:
      description: Seconds that the transfer took; null where there was none.
      type: float
      returned: success and failure
      sample: 2.417
    log:
      description: What podman printed while it transferred the image.
      type: list
      elements: str
      returned: with a verbosity of 3 or more
      sample: ["Trying to pull registry.example.com/shop/web@sha256:1b5c…", "Writing manifest to image destination"]
registries:
  description: What each registry was asked for by this module; what podman asked it for the transfer is not counted.
  returned: success and failure
  type: list
  elements: dict
  contains:
    registry:
      description: Host and port.
      type: str
      returned: success and failure
      sample: registry.example.com
    requests:
      description: All HTTP requests, those to a token service included.
      type: int
      returned: success and failure
      sample: 4
    manifest_gets:
      description: How many of them count against a pull limit. Those without an answer do not.
      type: int
      returned: success and failure
      sample: 1
    bytes:
      description: Bytes of all bodies.
      type: int
      returned: success and failure
      sample: 1204
    retries:
      description: How many requests were repeated.
      type: int
      returned: success and failure
      sample: 0
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
reason:
  description: The RV(images[].reason) of the names that failed, where all of them failed for the same.
  returned: failure, where there is but one reason
  type: str
  sample: registry_unreachable
msg:
  description:
    - The run in one sentence. It has the errors of the first five names that failed, each with its reason.
    - What was pulled although it had not changed is counted apart, as is an image that only got a name.
  returned: success and failure
  type: str
  sample: "3 images: 1 pulled, 2 there already."
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.pulls import PullSettings, pull

#: From this verbosity on, what podman printed is part of the result.
_LOG_VERBOSITY = 3


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            **arguments.CREDENTIALS,
            **arguments.LOCK,
            "name": {"type": "list", "elements": "str", "required": True},
            "policy": {"type": "str", "default": "missing"},
            "platform": {"type": "str"},
            "retries": {"type": "int"},
            "timeout": {"type": "int", "default": 3600},
            "parallel": {"type": "int", "default": 3},
            "registry_timeout": {"type": "int", "default": 30},
            "headroom": {"type": "str", "default": "256M"},
            "lift_holds": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )

    def body() -> dict[str, t.Any]:
        given = {
            key: module.params[key]
            for key in ("policy", "platform", "retries", "timeout", "parallel", "registry_timeout", "lock_timeout")
        }
        settings = PullSettings(
            names=tuple(module.params["name"]),
            headroom=module.params["headroom"],
            lift_holds=module.params["lift_holds"],
            access=arguments.access(module.params),
            **given,
        )
        report = pull(settings, check_mode=module.check_mode)
        verbosity = module._verbosity  # noqa: SLF001 (Ansible has no other name for it)
        return report.to_result(with_log=verbosity >= _LOG_VERBOSITY)

    entry.run(module, body, libraries=("requests",))


if __name__ == "__main__":
    main()
