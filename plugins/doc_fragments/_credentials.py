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
      - Where it or one of the two variables names a file, no other file counts. In order, E(REGISTRY_AUTH_FILE),
        E(DOCKER_CONFIG), and then the default files of podman and Docker are looked at.
      - A container's label C(io.containers.autoupdate.authfile) comes before this. It counts only if the container did
        not inherit it from its image, and if nobody else than root and the owner of the containers can write the file or
        any folder above it. A file that it names, but that is not there, means that the registry is asked anonymously.
      - Credential helpers (C(credHelpers), C(credsStore)) are run, one time for each registry.
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
          - Two entries for the same one are refused. Of a registry and a repository in it, the repository's counts there.
        type: str
        required: true
      username:
        description:
          - The user name, which a password needs.
        type: str
      password:
        description:
          - The password or access token. Either this or O(credentials[].identity_token) is required.
        type: str
      identity_token:
        description:
          - The identity token of a token service (an OAuth2 refresh token), as C(docker login) keeps it for some
            registries, in place of a password.
        type: str
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
