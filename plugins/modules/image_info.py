#!/usr/bin/python

# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Look up any image in a store, archive, layout or registry
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Says which image a name means and what it is, in the same words whatever holds it. That may be the storage of podman,
    a Docker daemon, a CRI runtime, an archive file, an OCI layout, a directory, or a registry.
  - RV(images[].id) is the digest of the image's config wherever that can be told, so the same image has the same ID
    everywhere. Digests of manifests change with the registry and the compression; this does not.
  - The images of podman are those of the user who runs the module. Root is not needed.
extends_documentation_fragment:
  - podfleet.autoupdate._attributes
  - podfleet.autoupdate._attributes.info_module
  - podfleet.autoupdate._credentials
requirements:
  - podman 4.3 or newer, docker or crictl on the managed host, for images in their stores
  - requests for a Python of the managed host, for images in registries
options:
  name:
    description:
      - What to look up. Without it, all images of the store of O(engine).
      - "A reference, short or full, with a tag or a digest, is looked for in the store of O(engine), as is an image ID or
        the beginning of one. In the store of podman, it means the image that podman would take it for."
      - V(docker://REFERENCE) asks a registry. A short name behind it is one of Docker Hub.
      - V(containers-storage:REFERENCE) and V(docker-daemon:REFERENCE) look into the store of podman or docker, whatever
        O(engine) says.
      - V(docker-archive:PATH[:REFERENCE|:@INDEX]), V(oci-archive:PATH[:NAME]), V(oci:PATH[:NAME]) and V(dir:PATH) read a
        file or folder. No container engine is needed for them, and layers are not unpacked. Without V(REFERENCE), V(INDEX)
        or V(NAME), all images of the source are returned. V(PATH) is on the managed host, should be absolute, and ends at the
        first colon. An archive may be packed by gzip, bzip2 or xz, or by zstd where
        the host's Python is 3.14 or has the library C(zstandard) or C(backports.zstd).
    type: list
    elements: str
  engine:
    description:
      - Whose store is meant by a name that does not say where the image is.
      - V(cri) asks the runtime that C(crictl) is set up for, such as containerd or CRI-O.
      - A Docker daemon or runtime on another machine is never asked. An environment variable that names one is ignored;
        one that names a socket of this machine is heeded.
    type: str
    choices: [podman, docker, cri]
    default: podman
  platform:
    description:
      - C(os/architecture) or C(os/architecture/variant). Images of another platform count as not there,
        wherever they are, and of a multi-platform image this one is chosen.
      - Without it, a multi-platform image means the one for the managed host.
    type: str
  filters:
    description:
      - List only images that pass all of these filters of C(podman images), each C(KEY=VALUE) or C(KEY!=VALUE).
      - The keys are C(reference), C(dangling), C(containers), C(until), C(before), C(since), C(label), C(id), C(digest) and
        C(manifest). An older podman may not know all of them.
      - Only for V(podman) as O(engine), and without O(name).
      - Damaged images pass no filter.
    type: list
    elements: str
    default: []
  manifest_list:
    description:
      - Return the manifest lists that the names in podman's store mean, not the images in them. A name of an image that is
        no list is a failure then.
      - Only for V(podman) as O(engine). Names of archives and registries are not concerned.
    type: bool
    default: false
  registry_timeout:
    description:
      - How many seconds one request to a registry may take, from 1 to 86400. A whole question, with all repetitions, may
        take four times that.
    type: int
    default: 30
seealso:
  - module: podfleet.autoupdate.autoupdate_info
"""

EXAMPLES = r"""
---
- name: Look up one image in podman's storage
  podfleet.autoupdate.image_info:
    name: localhost/shop/web:stable
  register: web

- name: Show what a playbook can decide on
  ansible.builtin.debug:
    msg: "{{ web.images[0].id if web.images[0].found else 'not there' }}"

- name: List all images that nobody uses any more
  podfleet.autoupdate.image_info:
    filters: [dangling=true]
  register: dangling

- name: Check that an archive holds what the Docker daemon runs
  podfleet.autoupdate.image_info:
    name:
      - docker-daemon:shop/web:stable
      - docker-archive:/srv/images/web.tar
  register: both
  failed_when: both.failed or both.images | map(attribute='id') | unique | length != 1

- name: Ask a registry for the image of another platform
  podfleet.autoupdate.image_info:
    name: docker://registry.example.com/shop/web:stable
    platform: linux/arm64
"""

RETURN = r"""
images:
  description:
    - One entry for each image that was found, in the order asked. A name that means nothing has one entry too.
    - If the task fails, all entries are here as well; those that could not be looked up have an RV(images[].error).
  returned: success, and failure to look up a name
  type: list
  elements: dict
  contains:
    query:
      description: The name as it was asked for; null where all images were.
      type: str
      returned: always
      sample: shop/web:stable
    found:
      description: Whether there is such an image. A damaged one counts as found.
      type: bool
      returned: always
      sample: true
    reason:
      description:
        - Why the image was not found, or why it is not quite as it should be, as a stable code; null where all is well.
        - V(image_unknown) and V(not_found) mean that it is not there. They are no failure.
      type: str
      returned: always
      sample: null
    error:
      description: What made the task fail for this name, as a sentence.
      type: str
      returned: always
      sample: null
    name:
      description: The full name under which the image was found, or the first of its names.
      type: str
      returned: always
      sample: registry.example.com/shop/web:stable
    id:
      description:
        - The image ID, which is the digest of the image's config.
        - Null for a manifest list, and where the config digest cannot be told (V(id_not_config) as RV(images[].reason)).
      type: str
      returned: always
      sample: sha256:9c1b2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f701
    engine_id:
      description: The engine's own ID of the image, where that is something else than the config digest.
      type: str
      returned: always
      sample: null
    digest:
      description: The digest of the manifest or index that the holder names first.
      type: str
      returned: always
      sample: sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4
    digests:
      description: All digests of manifests and indexes that are recorded for the image.
      type: list
      elements: str
      returned: always
      sample: ["sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4"]
    tags:
      description: All full names with a tag.
      type: list
      elements: str
      returned: always
      sample: ["registry.example.com/shop/web:stable"]
    repo_digests:
      description: All full names with a digest.
      type: list
      elements: str
      returned: always
      sample: ["registry.example.com/shop/web@sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4"]
    platform:
      description: Operating system, architecture and variant (empty where there is none); null where it cannot be told.
      type: dict
      returned: always
      sample: {os: linux, architecture: amd64, variant: ""}
    created:
      description: When the image was made, in UTC.
      type: str
      returned: always
      sample: "2026-11-20T09:30:00Z"
    size:
      description: Its size in bytes as the holder counts it. Registries and archives count layers as they hold them.
      type: int
      returned: always
      sample: 187420413
    labels:
      description: The image's labels.
      type: dict
      returned: always
      sample: {org.opencontainers.image.version: "2.1"}
    source:
      description:
        - What holds the image, V(podman), V(docker), V(cri), V(registry), V(docker-archive), V(oci-archive), V(oci) or
          V(dir).
        - Null where it was not found.
      type: str
      returned: always
      sample: podman
    corrupted:
      description: Whether the image is recorded in podman's storage, but parts of it are missing.
      type: bool
      returned: always
      sample: false
    is_manifest_list:
      description: Whether this is a manifest list and not an image.
      type: bool
      returned: always
      sample: false
registries:
  description: What each registry was asked for.
  returned: success, and failure to look up a name
  type: list
  elements: dict
  contains:
    registry:
      description: Host and port.
      type: str
      returned: always
      sample: registry.example.com
    requests:
      description: All HTTP requests, those to a token service included.
      type: int
      returned: always
      sample: 3
    manifest_gets:
      description: How many of them count against a pull limit.
      type: int
      returned: always
      sample: 2
    bytes:
      description: Bytes of all bodies.
      type: int
      returned: always
      sample: 1653
    retries:
      description: How many requests were repeated.
      type: int
      returned: always
      sample: 0
    rate_limit:
      description: C(limit), C(remaining), C(window) in seconds, and C(source), where the registry reports them.
      type: dict
      returned: always
      sample: {limit: 100, remaining: 97, window: 21600, source: 192.0.2.7}
    reason:
      description: Why the registry could not be asked; null where it could.
      type: str
      returned: always
      sample: null
reason:
  description: Why the task failed, as a stable code; of several failures, the first one.
  returned: failure
  type: str
  sample: bad_reference
msg:
  description: What went wrong, as a sentence.
  returned: failure
  type: str
  sample: "1 of 2 could not be looked up: Shop: 'Shop' is not an image reference: repository name must be lowercase"
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible import arguments, entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.images import ImageSettings, image_info


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str"},
            "engine": {"type": "str", "choices": ["podman", "docker", "cri"], "default": "podman"},
            "platform": {"type": "str"},
            "filters": {"type": "list", "elements": "str", "default": []},
            "manifest_list": {"type": "bool", "default": False},
            "registry_timeout": {"type": "int", "default": 30},
            **arguments.CREDENTIALS,
        },
        supports_check_mode=True,
    )

    def body() -> dict[str, t.Any]:
        params = module.params
        names = None if params["name"] is None else tuple(params["name"])
        settings = ImageSettings(
            names=names,
            engine=params["engine"],
            platform=params["platform"],
            filters=tuple(params["filters"]),
            manifest_list=params["manifest_list"],
            timeout=params["registry_timeout"],
            access=arguments.access(params),
        )
        return image_info(settings).to_result()

    asks_registry = any(name.startswith("docker://") for name in module.params["name"] or ())
    entry.run(module, body, libraries=("requests",) if asks_registry else ())


if __name__ == "__main__":
    main()
