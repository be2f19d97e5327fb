# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The argument specification of units; its twins are the documentation of container_units and the role's argument specs."""

from __future__ import annotations

import typing as t

_HEALTH: dict[str, t.Any] = {
    "command": {"type": "str", "required": True},
    "interval": {"type": "str"},
    "retries": {"type": "int"},
    "start_period": {"type": "str"},
    "timeout": {"type": "str"},
}
#: What a container has wherever it runs.
_CONTAINER: dict[str, t.Any] = {
    "image": {"type": "str"},
    "autoupdate": {"type": "str", "choices": ["registry", "local", "disabled"], "default": "registry"},
    "authfile": {"type": "path"},
    "command": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "environment_files": {"type": "list", "elements": "path", "default": []},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "user": {"type": "str"},
    "health": {"type": "dict", "options": _HEALTH},
    "notify": {"type": "str", "choices": ["conmon", "container", "healthy"], "default": "conmon"},
    "restart": {
        "type": "str",
        "choices": ["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"],
        "default": "on-failure",
    },
    "timeout_start": {"type": "int"},
    "timeout_stop": {"type": "int"},
    "requires": {"type": "list", "elements": "str", "default": []},
    "after": {"type": "list", "elements": "str", "default": []},
    "labels": {"type": "dict", "default": {}},
    "podman_args": {"type": "list", "elements": "str", "default": []},
    "unit_options": {"type": "dict", "default": {}},
    "container_name": {"type": "str"},
}
#: A container of a pod.
MEMBER: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    **_CONTAINER,
}
#: An entry of the list of units.
UNIT: dict[str, t.Any] = {
    **_CONTAINER,
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["container", "pod", "kube"], "default": "container"},
    "publish": {"type": "list", "elements": "str", "default": []},
    "networks": {"type": "list", "elements": "str", "default": []},
    "userns": {"type": "str"},
    "upholds": {"type": "list", "elements": "str", "default": []},
    "members": {"type": "list", "elements": "dict", "default": [], "options": MEMBER},
    "yaml": {"type": "str"},
    "path": {"type": "path"},
    "policies": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
    "enabled": {"type": "bool", "default": True},
}
