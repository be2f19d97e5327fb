# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection: it may change or go in any release.

from __future__ import annotations


class ModuleDocFragment:
    """The list of units of container_units. Twin: module_utils/_ansible/unit_arguments.py, and the role's argument specs."""

    DOCUMENTATION = r"""
options:
  units:
    description:
      - The units that the host should have.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The unit's name without C(.service); C(name@instance) is possible for a single container.
          - A pod's unit is C(NAME-pod.service), its members' are C(NAME-MEMBER.service).
        type: str
        required: true
      kind:
        description:
          - One container, a pod of several, or Kubernetes YAML that podman plays.
        type: str
        choices: [container, pod, kube]
        default: container
      image: &container_image
        description:
          - What the container runs; with its registry, for the policy V(registry).
        type: str
      container_name: &container_name
        description:
          - The container's name. Without it, the unit's, with a dash in place of C(@).
        type: str
      autoupdate: &container_autoupdate
        description:
          - >-
            Where a newer image is looked for: in the registry, among the host's own images, or nowhere.
        type: str
        choices: [registry, local, disabled]
        default: registry
      authfile: &container_authfile
        description:
          - A file on the host with credentials for the registry; also used for updates.
        type: path
      command: &container_command
        description:
          - The command and its arguments, each one taken literally.
        type: list
        elements: str
        default: []
      environment: &container_environment
        description:
          - Environment variables. Values are text or whole numbers, taken literally; quote everything else.
          - >-
            Not for passwords: whoever may look at the unit can read them. Use C(secrets).
        type: dict
        default: {}
      environment_files: &container_environment_files
        description:
          - Files on the host with more variables, one C(NAME=VALUE) in each line.
        type: list
        elements: path
        default: []
      secrets: &container_secrets
        description:
          - Podman secrets that the container is given, as podman's C(--secret) takes them. They must exist.
        type: list
        elements: str
        default: []
      publish:
        description:
          - Ports, as podman's C(--publish) takes them.
          - Without a port of the host's (V(:80), V(127.0.0.1::80)), podman takes a free one.
        type: list
        elements: str
        default: []
      volumes: &container_volumes
        description:
          - Volumes, as podman's C(--volume) takes them. Paths are absolute.
        type: list
        elements: str
        default: []
      networks:
        description:
          - Networks, as podman's C(--network) takes them. Named ones must exist.
        type: list
        elements: str
        default: []
      user: &container_user
        description:
          - The user, and after a colon the group, inside of the container.
        type: str
      userns:
        description:
          - The user namespace, as podman's C(--userns) takes it.
        type: str
      health: &container_health
        description:
          - The container's healthcheck. Without it, the image's own counts.
        type: dict
        suboptions:
          command:
            description:
              - What tells whether the container is healthy; a shell in the container runs it. V(none) switches
                the image's own off.
            type: str
            required: true
          interval:
            description:
              - How long from one check to the next, like V(30s); V(disable) for none.
            type: str
          retries:
            description:
              - After how many failures in a row the container is unhealthy.
            type: int
          start_period:
            description:
              - How long failures do not count after the start.
            type: str
          timeout:
            description:
              - How long a check may take.
            type: str
      notify: &container_notify
        description:
          - >-
            What makes the unit ready: the container runs (V(conmon)), its program says so itself (V(container)),
            or its healthcheck has passed (V(healthy), which needs podman 5.0).
          - >-
            An update is rolled back only where a start can fail: the later a unit is ready, the more it proves.
        type: str
        choices: [conmon, container, healthy]
        default: conmon
      restart: &container_restart
        description:
          - When systemd starts the unit again by itself.
        type: str
        choices: ["no", on-success, on-failure, on-abnormal, on-watchdog, on-abort, always]
        default: on-failure
      timeout_start: &container_timeout_start
        description:
          - How many seconds a start may take. Without it, systemd's default.
        type: int
      timeout_stop: &container_timeout_stop
        description:
          - How many seconds the container may take to stop before it is killed; systemd waits a minute longer.
        type: int
      requires: &container_requires
        description:
          - Units that must run, and are started first. Without a suffix, C(.service) is meant.
          - A unit that neither the list nor the host has is warned of.
        type: list
        elements: str
        default: []
      after: &container_after
        description:
          - Units that are started first where they are to be started at all.
        type: list
        elements: str
        default: []
      upholds:
        description:
          - Units that systemd keeps running as long as this one runs.
        type: list
        elements: str
        default: []
      labels: &container_labels
        description:
          - Labels of the container.
          - >-
            Those that auto-update reads, C(io.containers.autoupdate) and C(io.containers.autoupdate.authfile), are
            given by C(autoupdate) and C(authfile).
        type: dict
        default: {}
      podman_args: &container_podman_args
        description:
          - More options for podman, each one taken literally, with its value after an equals sign.
        type: list
        elements: str
        default: []
      unit_options: &container_unit_options
        description:
          - >-
            Lines for the unit file, in systemd's or Quadlet's own syntax: section, key, and a value or a list of
            values.
          - They stand after the role's lines of their section, and win over them.
        type: dict
        default: {}
      members:
        description:
          - The containers of a pod. They start and stop with it.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description:
              - The member's name; unit and container are C(POD-MEMBER).
            type: str
            required: true
          image: *container_image
          autoupdate: *container_autoupdate
          authfile: *container_authfile
          command: *container_command
          environment: *container_environment
          environment_files: *container_environment_files
          secrets: *container_secrets
          volumes: *container_volumes
          user: *container_user
          health: *container_health
          notify: *container_notify
          restart: *container_restart
          timeout_start: *container_timeout_start
          timeout_stop: *container_timeout_stop
          requires: *container_requires
          after: *container_after
          labels: *container_labels
          podman_args: *container_podman_args
          unit_options: *container_unit_options
          container_name: *container_name
      yaml:
        description:
          - Kubernetes YAML, for the kind V(kube).
        type: str
      path:
        description:
          - A file on the host with Kubernetes YAML, for the kind V(kube). The unit is restarted when it is newer
            than the unit's start.
        type: path
      policies:
        description:
          - >-
            For the kind V(kube), the update policy of each container: its name in the YAML, or V(*) for all, and
            V(registry), V(local) or V(disabled).
          - podman takes them for YAML of the kind C(Pod) only; elsewhere, write the annotation
            C(io.containers.autoupdate) into the YAML.
        type: dict
        default: {}
      state:
        description:
          - Whether the unit runs. V(absent) is the same as leaving the entry out.
        type: str
        choices: [started, stopped, absent]
        default: started
      enabled:
        description:
          - Whether the unit starts at boot.
        type: bool
        default: true
"""
