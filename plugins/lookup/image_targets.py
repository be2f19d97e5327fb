# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_targets
short_description: Tell what registries have under many references, for a fleet
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Asks the registries, from the controller, what each reference is now on a platform, once each, all side by side.
  - One C(HEAD) request tells the digest, which does not count against a pull limit. Only what no host of the fleet knows by its
    digest is opened, by one or two C(GET) requests.
  - No C(registries.conf) is read. The registry is the one that the reference names, and it is asked over HTTPS.
options:
  _terms:
    description:
      - Calls as P(podfleet.autoupdate.fleet_calls#filter) makes them with C(resolver) V(controller), each with C(names), C(of)
        (the platform) and C(known).
    type: list
    elements: dict
    required: true
  request_budget:
    description:
      - How many manifests one registry may be asked for with C(GET) requests, which count against a pull limit.
    type: int
extends_documentation_fragment:
  - podfleet.autoupdate._lookup_access
requirements:
  - requests for the controller's Python
seealso:
  - plugin: podfleet.autoupdate.image_digest
    plugin_type: lookup
  - plugin: podfleet.autoupdate.fleet_plan
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Ask from the controller what two images are now
  ansible.builtin.set_fact:
    answers: "{{ query('podfleet.autoupdate.image_targets', call) }}"
  vars:
    call:
      names: ['quay.io/project/app:1', 'quay.io/project/db:1']
      of: linux/amd64
      known: {}
  run_once: true
"""

RETURN = r"""
_raw:
  description:
    - For each call a dictionary with the call as C(item), and C(images) and C(registries) as
      M(podfleet.autoupdate.image_digest_info) returns them, though without C(local).
  type: list
  elements: dict
  sample:
    - item: {names: ["quay.io/project/app:1"], of: linux/amd64, known: {}}
      images:
        - name: quay.io/project/app:1
          status: missing
          reason: null
          error: null
          local: null
          remote:
            digest: "sha256:1b5c9e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b5"
            platform_digest: null
            id: "sha256:77aa2f1d3ad7bd4a32dc3a2d2f5a5e2b1f6a3b4c5d6e7f8091a2b3c4d5e6f702"
            media_type: application/vnd.oci.image.manifest.v1+json
            size: 54321987
            registry: quay.io
      registries: []
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.podfleet.autoupdate.plugins.module_utils._ansible.lookups import (
    REFUSALS,
    Option,
    access,
    in_words,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.remote_targets import Asked, remote_targets


class LookupModule(LookupBase):
    """What registries have, asked for a fleet on the controller."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        # Ansible's own methods have no types.
        t.cast("t.Any", self).set_options(var_options=variables, direct=kwargs)
        option: Option = t.cast("t.Any", self).get_option
        try:
            settings = access(option, request_budget=option("request_budget"))
            return [{"item": term, **remote_targets(_call(term), settings, option("timeout"))} for term in terms]
        except REFUSALS as error:
            raise AnsibleLookupError(f"image_targets: {in_words(error)}") from None


def _call(term: object) -> Asked:
    if not isinstance(term, dict) or not isinstance(term.get("names"), list) or not isinstance(term.get("of"), str):
        raise AnsibleLookupError("image_targets: a call is a dictionary with names and of")
    known = term.get("known") or {}
    return {
        "names": [str(name) for name in term["names"]],
        "platform": str(term["of"]),
        "known": {str(name): frozenset(map(str, digests)) for name, digests in known.items()},
    }
