# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter C(image_reference)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Take the name of an image apart
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Reads the name of an image as podman does, and returns its parts. Nothing is looked up anywhere.
  - A name is a reference (V(quay.io/team/app:1.2)), an image ID (64 hex digits, with or without V(sha256:)), or something
    behind a transport (V(oci:/srv/layout:1.2)). The grammar is that of references and of
    L(containers-transports,https://github.com/containers/image/blob/main/docs/containers-transports.5.md).
  - What is none of these is an error that says what is wrong. A known transport is never taken for a repository,
    whatever follows it.
options:
  _input:
    description: The name of an image.
    type: str
    required: true
seealso:
  - plugin: podfleet.autoupdate.fully_qualified
    plugin_type: test
"""

EXAMPLES = r"""
---
- name: Refuse images that do not come from the company's registry
  ansible.builtin.assert:
    that: (item | podfleet.autoupdate.image_reference).registry == 'registry.example.com'
  loop: "{{ images }}"
  vars:
    images:
      - registry.example.com/team/app:1.2
      - registry.example.com/team/db@sha256:2f9d1c1a35ed1b32ec2ad9a0ecb1c0f8ef5aa4b9bd9c0a9d5a2c1f0be70a5f4e

- name: Show the tags of a list of images
  ansible.builtin.debug:
    msg: "{{ images | map('podfleet.autoupdate.image_reference') | map(attribute='tag') | list }}"
  vars:
    images: [nginx, 'quay.io/team/app:1.2']
# => ['latest', '1.2']

- name: Name an image in another registry
  ansible.builtin.debug:
    msg: "mirror.example.com/{{ parts.repository }}:{{ parts.tag }}"
  vars:
    parts: "{{ 'docker.io/nginx:1.27' | podfleet.autoupdate.image_reference }}"
# => mirror.example.com/library/nginx:1.27
"""

RETURN = r"""
_value:
  description: The parts of the name. All keys are always there; what the name does not have is null.
  type: dict
  contains:
    kind:
      description: What the name is, a C(reference), an image C(id), or a C(source) behind a transport other than C(docker).
      type: str
      choices: [reference, id, source]
      returned: success
      sample: reference
    transport:
      description: The transport that the name begins with, such as C(docker), C(docker-archive) or C(oci).
      type: str
      returned: success
      sample: docker
    registry:
      description:
        - The registry with its port. Null for a short name, which podman looks for in several registries.
        - Behind C(docker://) a short name is Docker Hub's, for podman too.
      type: str
      returned: success
      sample: registry.example.com:5000
    repository:
      description: The repository, without registry. Docker Hub's official images are in C(library).
      type: str
      returned: success
      sample: team/app
    tag:
      description: The tag; C(latest) where the name has neither tag nor digest. Beside a digest it means nothing to podman.
      type: str
      returned: success
      sample: "1.2"
    digest:
      description: The digest.
      type: str
      returned: success
      sample: sha256:2f9d1c1a35ed1b32ec2ad9a0ecb1c0f8ef5aa4b9bd9c0a9d5a2c1f0be70a5f4e
    name:
      description: The reference as podman writes it, with C(latest) where nothing else is said, and without a tag beside a digest.
      type: str
      returned: success
      sample: registry.example.com:5000/team/app:1.2
    familiar:
      description: The reference as Docker shows it, without C(docker.io), C(library) and C(latest).
      type: str
      returned: success
      sample: registry.example.com:5000/team/app:1.2
    canonical:
      description: The reference in full. A short name is Docker Hub's here, as it is for Docker; podman may find it elsewhere.
      type: str
      returned: success
      sample: registry.example.com:5000/team/app:1.2
    id:
      description: The image ID, with C(sha256:).
      type: str
      returned: success
      sample: null
    path:
      description: The file or folder of an archive or a layout.
      type: str
      returned: success
      sample: null
    selector:
      description: Which image behind the transport, as it was written; a reference, or a layout's own name for it.
      type: str
      returned: success
      sample: null
    index:
      description: Which image of an archive or a layout, counted from 0, where it was chosen by C(:@INDEX).
      type: int
      returned: success
      sample: null
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import (
    ImageId,
    Source,
    parse_image_name,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import (
    InvalidReferenceError,
    Reference,
)

_KEYS = (
    "kind", "transport", "registry", "repository", "tag", "digest", "name", "familiar", "canonical", "id", "path",
    "selector", "index",
)  # fmt: skip


def image_reference(text: object) -> dict[str, object]:
    """The parts of an image's name, as documented."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"image_reference: the name of an image is a string, not {type(text).__name__}")
    # Without the marks that templating leaves on its strings.
    text = "".join(text)
    try:
        parts = _parts(text)
    except (ImageError, InvalidReferenceError) as error:
        raise AnsibleFilterError(f"image_reference: {error}") from error
    return {key: parts.get(key) for key in _KEYS}


def _parts(text: str) -> dict[str, object]:
    name = parse_image_name(text)
    if isinstance(name, ImageId):
        return {"kind": "id", "id": name.id}
    if isinstance(name, Source):
        return {
            "kind": "source",
            "transport": name.transport.value,
            "path": name.path or None,
            "selector": name.selector,
            "index": name.index,
        }
    return _of_reference(name, "docker" if text.startswith("docker://") else None)


def _of_reference(name: Reference, transport: str | None) -> dict[str, object]:
    return {
        "kind": "reference",
        "transport": transport,
        "registry": name.registry or None,
        "repository": name.path,
        "tag": name.tag,
        "digest": name.digest,
        "name": name.name,
        "familiar": name.familiar,
        "canonical": name.canonical,
    }


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., object]]:
        """Name → filter."""
        return {"image_reference": image_reference}
