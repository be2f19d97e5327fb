# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """How registries are logged in to. Twin: CREDENTIALS in module_utils/_ansible/arguments.py."""

    DOCUMENTATION = r"""
options:
  authfile:
    description:
      - Path, on the managed host, of a file with credentials as C(podman login) writes it.
      - Without it, E(REGISTRY_AUTH_FILE), E(DOCKER_CONFIG) and the default files of podman and Docker are looked for,
        in this order.
    type: path
  credentials:
    description:
      - Credentials that are used before those of any file. They never appear on a command line.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description:
          - The registry's host with an optional port, to which a namespace or repository may be added.
        type: str
        required: true
      username:
        description:
          - The user name.
        type: str
        required: true
      password:
        description:
          - The password or access token.
        type: str
        required: true
  validate_certs:
    description:
      - Whether certificates of registries are verified. Without it, C(registries.conf) decides for each registry.
      - With V(false), a registry is also asked in plain HTTP where HTTPS is not answered.
    type: bool
  ca_path:
    description:
      - Path, on the managed host, of a file with CA certificates to trust when asking registries, beside those of the
        system and of C(certs.d). podman itself, which pulls, trusts those of the system and of C(certs.d).
    type: path
"""
