# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test C(fully_qualified)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fully_qualified
short_description: Whether an image reference names its registry
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Whether it is certain which registry a reference means. Only such a reference can follow its registry
    (C(io.containers.autoupdate=registry)); podman looks for a short one in several places.
  - Image IDs, names behind a transport other than C(docker://), and what is no name of an image at all are not fully
    qualified. Behind C(docker://) every reference is, because a short name is Docker Hub's there.
options:
  _input:
    description: The name of an image.
    type: str
    required: true
seealso:
  - plugin: podfleet.autoupdate.image_reference
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Every image must name its registry
  ansible.builtin.assert:
    that: item is podfleet.autoupdate.fully_qualified
    fail_msg: "{{ item }} may come from any registry"
  loop: [quay.io/team/app:1.2, localhost/built:latest]

- name: List the short names
  ansible.builtin.debug:
    msg: "{{ images | reject('podfleet.autoupdate.fully_qualified') | list }}"
  vars:
    images: [nginx, team/app, 'registry:5000/app']
# => ['nginx', 'team/app']
"""

RETURN = r"""
_value:
  description: Whether the reference names its registry.
  type: bool
  sample: true
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_names import parse_image_name
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference


def fully_qualified(text: object) -> bool:
    """Whether the text is a reference that names its registry."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"fully_qualified: the name of an image is a string, not {type(text).__name__}")
    try:
        name = parse_image_name(text)
    except ImageError:
        return False
    return isinstance(name, Reference) and name.fully_qualified


class TestModule:
    """What Ansible asks for the tests of this file."""

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        """Name → test."""
        return {"fully_qualified": fully_qualified}
