# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """How lookups reach registries. Read by module_utils/_ansible/lookups.py."""

    DOCUMENTATION = r"""
options:
  credentials:
    description:
      - Credentials that are used before those of any file.
      - Each entry has C(registry) (a host with an optional port, to which a namespace or repository may be added) and
        C(username) with C(password), or C(identity_token).
      - Two entries for the same C(registry) are refused. Of a registry and a repository in it, the repository's counts there.
    type: list
    elements: dict
    default: []
  authfile:
    description:
      - Path, on the controller, of a file with credentials as C(podman login) or C(docker login) writes it.
      - Without it, E(REGISTRY_AUTH_FILE), E(DOCKER_CONFIG) and then the default files of podman and Docker are looked at.
        Credential helpers are run.
    type: path
  validate_certs:
    description:
      - Whether certificates of registries are verified.
      - With V(false), a registry is also asked in plain HTTP where HTTPS is not answered.
    type: bool
    default: true
  ca_path:
    description:
      - Path, on the controller, of a file with CA certificates to trust beside those of the system and of C(certs.d).
    type: path
  timeout:
    description:
      - How many seconds one request may take.
    type: int
    default: 30
"""
