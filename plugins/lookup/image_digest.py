# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_digest
short_description: Tell the digest that an image reference has in its registry
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Asks the registries, from the controller, for the digest that each reference answers with now, so that hosts can be
    given images that no tag moves under them.
  - Without O(platform), one C(HEAD) request tells it, which does not count against a pull limit. All references are asked
    for side by side.
  - No container engine is needed, and no C(registries.conf) is read. The registry is the one that the reference names, and
    it is asked over HTTPS.
options:
  _terms:
    description:
      - References that name their registry, such as V(quay.io/project/app:stable). Docker Hub is V(docker.io).
      - C(docker://) may stand before them. A reference that has a digest answers with it, if the registry has it.
    type: list
    elements: str
    required: true
  platform:
    description:
      - Operating system, architecture and, if need be, variant, such as V(linux/arm64) or V(linux/arm/v7).
      - With it, a multi-platform image answers with the digest of the image for that platform, and any other
        image with its own if it is for that platform. Where there is none for it, the lookup fails (C(not_found)).
      - That takes two or three C(GET) requests, of which one or two count against a pull limit. Without it, the answer is
        the digest of what the tag names, be it an image or an index.
    type: str
  username:
    description:
      - The user name for the registries of all references, with O(password). A short form of O(credentials).
    type: str
  password:
    description:
      - The password or access token for O(username).
    type: str
extends_documentation_fragment:
  - podfleet.autoupdate._lookup_access
requirements:
  - requests for the controller's Python
notes:
  - Lookups run on the controller, each time that they are evaluated. Keep the answer in a fact, or run the task once.
seealso:
  - module: podfleet.autoupdate.image_digest_info
"""

EXAMPLES = r"""
---
- name: Pin what all hosts of this play will run
  ansible.builtin.set_fact:
    app_image: "quay.io/project/app@{{ lookup('podfleet.autoupdate.image_digest', 'quay.io/project/app:stable') }}"
  run_once: true

- name: Show the digests of two images for one platform
  ansible.builtin.debug:
    msg: "{{ query('podfleet.autoupdate.image_digest', 'quay.io/project/app:1', 'quay.io/project/db:1', platform='linux/arm64') }}"

- name: Ask a registry that wants a password
  ansible.builtin.debug:
    msg: >-
      {{ lookup('podfleet.autoupdate.image_digest', 'registry.example.com/shop/web:stable',
                username='reader', password=vault_registry_password) }}
"""

RETURN = r"""
_raw:
  description: The digests, in the order of the references.
  type: list
  elements: str
  sample: ["sha256:0f4a8e93b2c1d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4"]
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
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.remote_digests import remote_digests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import EngineError, InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference


class LookupModule(LookupBase):
    """Tag to digest, on the controller."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        # Ansible's own methods have no types.
        t.cast("t.Any", self).set_options(var_options=variables, direct=kwargs)
        option: Option = t.cast("t.Any", self).get_option
        names = [_text(term) for term in terms]
        try:
            settings = access(option, fallback=_one_for_all(option, names))
            answers = remote_digests(names, option("platform"), settings, option("timeout"))
        except REFUSALS as error:
            raise AnsibleLookupError(f"image_digest: {in_words(error)}") from None
        failures = [(name, one) for name, one in zip(names, answers) if isinstance(one, EngineError)]
        if failures:
            told = "; ".join(f"{name}: {error} ({error.reason.value})" for name, error in failures)
            raise AnsibleLookupError(f"image_digest: {told}")
        return [one for one in answers if isinstance(one, str)]


def _one_for_all(option: Option, names: t.Sequence[str]) -> dict[str, Credential]:
    """The options username and password, for the registries of all references."""
    username, password = option("username"), option("password")
    if (username is None) != (password is None):
        raise InputError("username and password are required together")
    if username is None:
        return {}
    return {registry: Credential(username, password) for registry in filter(None, map(_registry, names))}


def _text(term: object) -> str:
    if not isinstance(term, str):
        raise AnsibleLookupError(f"image_digest: a reference is a text, not {type(term).__name__}")
    return str(term)


def _registry(name: str) -> str | None:
    try:
        return Reference.parse(name).registry
    except ValueError:
        return None  # Asking for it tells.
