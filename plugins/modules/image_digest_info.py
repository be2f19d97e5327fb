#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_digest_info
short_description: Compare images in podman's storage with their registries
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Says of each name whether local storage holds what the registry has under it now. Nothing is pulled.
  - Each distinct image is asked for once, by a C(HEAD) request, all images side by side. Only what is not known locally by
    its digest is opened, with one C(GET) request, or two where it is a multi-platform image. The C(HEAD) requests do not
    count against a pull limit.
  - An image is current if any digest that is recorded for it is the registry's, whatever name stands before that digest,
    or if it has the image ID that the registry has for its platform.
  - The storage is that of the user who runs the module, so use C(become) for root's.
  - A short name means what podman finds under it locally, and is asked for under that full name. One that podman does not
    find is V(unknown), because podman alone knows which registry it would ask.
  - A name that is a digest or an image ID means one fixed image. It is V(pinned) where storage holds it, and no registry is
    asked. An image whose tag was moved to another one has no name that a registry knows, so it is such a case too. What
    containers run is compared by M(podfleet.autoupdate.image_autoupdate) in check mode.
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._attributes.info_module
  - podfleet.autoupdate._credentials
requirements:
  - podman 4.3 or newer on the managed host
  - requests for a Python of the managed host
options:
  name:
    description:
      - The names to compare, such as V(quay.io/project/app:stable). C(docker://) may stand before them.
      - What is no name of an image, or is one behind another transport, fails the task after all others were compared.
    type: list
    elements: str
    required: true
  platform:
    description:
      - Operating system, architecture and, if need be, variant, such as V(linux/arm64) or V(linux/arm/v7). Images of other
        platforms are passed over in local storage.
      - Without it, the platform is that of the image in local storage, and the host's where there is none.
    type: str
  registry_parallel:
    description:
      - How many requests one registry gets at once.
    type: int
    default: 8
  registry_timeout:
    description:
      - How many seconds one request to a registry may take. A whole question, with all repetitions, may take four times that.
    type: int
    default: 30
  request_budget:
    description:
      - How many manifests one registry may be asked for with C(GET) requests, which count against a pull limit. What would
        go beyond is V(unknown). Without it, the limit that the registry itself reports is the only one.
    type: int
  fail_on:
    description:
      - The statuses that make the task fail, after everything was asked.
    type: list
    elements: str
    choices: [current, pending, missing, pinned, unknown]
    default: []
seealso:
  - module: podfleet.autoupdate.image_autoupdate
  - plugin: podfleet.autoupdate.image_digest
    plugin_type: lookup
"""

EXAMPLES = r"""
---
- name: See what a pull would change
  podfleet.autoupdate.image_digest_info:
    name:
      - quay.io/project/app:stable
      - docker.io/library/nginx:1
  register: compared

- name: Name what is stale
  ansible.builtin.debug:
    msg: "{{ compared.images | selectattr('status', 'in', ['pending', 'missing']) | map(attribute='name') }}"

- name: Fail where a registry does not tell
  podfleet.autoupdate.image_digest_info:
    name: registry.example.com/shop/web:stable
    credentials:
      - registry: registry.example.com
        username: reader
        password: "{{ vault_registry_password }}"
    fail_on: unknown
"""

RETURN = r"""
images:
  description: One entry for each name, in the order asked.
  returned: success and failure
  type: list
  elements: dict
  contains:
    name:
      description: The name as it was asked.
      type: str
      returned: success and failure
      sample: quay.io/project/app:stable
    status:
      description:
        - V(current) holds what the registry has. V(pending) holds another image. V(missing) holds none, or only a damaged
          one. V(pinned) holds the one fixed image that the name means. V(unknown) could not be told.
      type: str
      returned: success and failure
      sample: pending
    reason:
      description: A stable code that says why; null where there is nothing to explain. The documentation lists them.
      type: str
      returned: success and failure
      sample: null
    error:
      description: A sentence that says what went wrong.
      type: str
      returned: success and failure
      sample: null
    local:
      description: The image in local storage; null where there is none of that name.
      type: dict
      returned: success and failure
      contains:
        id:
          description: The image ID.
          type: str
          returned: success and failure
          sample: sha256:9c1b2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f701
        digests:
          description: All digests that are recorded for the image.
          type: list
          elements: str
          returned: success and failure
          sample: ["sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4"]
    remote:
      description:
        - What the registry has under the name; null where it was not asked, or did not tell.
        - What no decision needed was not asked for, and is null.
      type: dict
      returned: success and failure
      contains:
        digest:
          description: The digest that the name answers with; of a multi-platform image, the index's own.
          type: str
          returned: success and failure
          sample: sha256:1b5c9e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b5
        platform_digest:
          description: Of a multi-platform image, the digest of the image for the platform.
          type: str
          returned: success and failure
          sample: sha256:2c6d9e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b6
        id:
          description: The image ID that a pull would bring.
          type: str
          returned: success and failure
          sample: sha256:77aa2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f702
        media_type:
          description: The media type of what the name answers with.
          type: str
          returned: success and failure
          sample: application/vnd.oci.image.index.v1+json
        size:
          description: Bytes of all layers, as transferred.
          type: int
          returned: success and failure
          sample: 54321987
        registry:
          description: The host that said so; where C(registries.conf) names mirrors, it can be one of them.
          type: str
          returned: success and failure
          sample: quay.io
registries:
  description: What each registry was asked for.
  returned: success and failure
  type: list
  elements: dict
  contains:
    registry:
      description: Host and port.
      type: str
      returned: success and failure
      sample: quay.io
    requests:
      description: All HTTP requests, those to a token service included.
      type: int
      returned: success and failure
      sample: 4
    manifest_gets:
      description: How many of them count against a pull limit.
      type: int
      returned: success and failure
      sample: 0
    bytes:
      description: Bytes of all bodies.
      type: int
      returned: success and failure
      sample: 0
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
msg:
  description: The comparison in one sentence.
  returned: success and failure
  type: str
  sample: "5 images: 3 current, 1 pending, 1 unknown (registry.example.com/shop/web:stable: auth_required)."
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.digests import DigestSettings, digests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import ImageStatus


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            **arguments.CREDENTIALS,
            "name": {"type": "list", "elements": "str", "required": True},
            "platform": {"type": "str"},
            "registry_parallel": {"type": "int", "default": 8},
            "registry_timeout": {"type": "int", "default": 30},
            "request_budget": {"type": "int"},
            "fail_on": {
                "type": "list",
                "elements": "str",
                "choices": [status.value for status in ImageStatus],
                "default": [],
            },
        },
        supports_check_mode=True,
    )

    def body() -> dict[str, t.Any]:
        params = module.params
        settings = DigestSettings(
            names=tuple(params["name"]),
            platform=params["platform"],
            registry_parallel=params["registry_parallel"],
            timeout=params["registry_timeout"],
            access=arguments.access(params),
        )
        return digests(settings).to_result(fail_on=params["fail_on"])

    entry.run(module, body, libraries=("requests",))


if __name__ == "__main__":
    main()
