# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Argument specifications that several modules share; each has its twin in C(plugins/doc_fragments)."""

from __future__ import annotations

import typing as t

from .._engine import scopes
from .._engine.settings import Access, Settings
from .._pure.credentials import TOKEN_USER, Credential, must_be_distinct
from .._pure.holds import BadImage, UserHold
from .._pure.policies import Policy
from .._pure.reasons import Status

#: Twin: doc_fragments/_scope.py.
SCOPE: dict[str, t.Any] = {
    "scope": {"type": "str", "choices": ["system", "user"], "default": "system"},
    "user": {"type": "str"},
}

#: Twin: doc_fragments/_scope_all.py.
SCOPE_ALL: dict[str, t.Any] = {
    "scope": {"type": "str", "choices": ["system", "user", "all"], "default": "system"},
    "user": {"type": "str"},
}

#: Twin: doc_fragments/_selection.py.
SELECTION: dict[str, t.Any] = {
    "only": {"type": "list", "elements": "str", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "policies": {
        "type": "list",
        "elements": "str",
        "choices": ["registry", "local"],
        "default": ["registry", "local"],
    },
}

#: Twin: doc_fragments/_gate.py.
GATE: dict[str, t.Any] = {
    "settle": {"type": "int", "default": 10},
    "wait_healthy": {"type": "bool", "default": True},
    "health_command": {"type": "list", "elements": "str", "default": []},
}

#: Twin: doc_fragments/_admission.py.
ADMISSION: dict[str, t.Any] = {
    "limit": {"type": "int"},
    "max_failures": {"type": "int"},
    "allow_unsafe_rollback": {"type": "bool", "default": False},
    "trust_labels": {"type": "bool", "default": False},
}

#: Twin: doc_fragments/_plan.py.
PLAN: dict[str, t.Any] = {
    "plan": {"type": "dict"},
    "plan_host": {"type": "str"},
    "allow_follower": {"type": "bool", "default": False},
}

#: Twin: doc_fragments/_outcome.py.
OUTCOME: dict[str, t.Any] = {
    "rollback": {"type": "bool", "default": True},
    "fail_on": {"type": "list", "elements": "str", "choices": [status.value for status in Status]},
}

#: Twin: doc_fragments/_pace.py.
PACE: dict[str, t.Any] = {
    "timeout": {"type": "int", "default": 180},
    "parallel": {"type": "int", "default": 8},
    "registry_parallel": {"type": "int", "default": 8},
    "request_budget": {"type": "int"},
}

#: Twin: doc_fragments/_lock.py.
LOCK: dict[str, t.Any] = {"lock_timeout": {"type": "int", "default": 120}}

#: Twin: doc_fragments/_credentials.py.
CREDENTIALS: dict[str, t.Any] = {
    "authfile": {"type": "path"},
    "credentials": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {
            "registry": {"type": "str", "required": True},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "identity_token": {"type": "str", "no_log": True},
        },
        "required_one_of": [["password", "identity_token"]],
        "mutually_exclusive": [["password", "identity_token"]],
        "required_by": {"password": ["username"]},
    },
    "validate_certs": {"type": "bool"},
    "ca_path": {"type": "path"},
}


#: Twin: doc_fragments/_memory.py.
MEMORY: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["updated", "staged", "rolled_back"], "default": "updated"},
    "holds": {
        "type": "list",
        "elements": "dict",
        "options": {
            "reference": {"type": "str"},
            "unit": {"type": "str"},
            "reason": {"type": "str"},
            "until": {"type": "str"},
        },
        "required_one_of": [["reference", "unit"]],
    },
    "bad_images": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "reference": {"type": "str", "required": True},
            "platform": {"type": "str"},
            "id": {"type": "str", "required": True},
            "digests": {"type": "list", "elements": "str", "default": []},
            "reason": {"type": "str"},
        },
    },
    "lift_holds": {"type": "bool", "default": False},
    "keep": {"type": "int", "default": 1},
    "prune": {"type": "str", "choices": ["replaced", "none"], "default": "replaced"},
}


def credential(entry: t.Mapping[str, t.Any]) -> Credential:
    """One entry of the parameter C(credentials)."""
    token = entry.get("identity_token")
    username = entry.get("username") or (TOKEN_USER if token else "")
    return Credential(username, entry.get("password") or "", token or None)


def access(params: t.Mapping[str, t.Any]) -> Access:
    """What a module with the credentials fragment was told of registries; the others keep the defaults.

    Raises:
        InputError: Two credentials are for the same registry.
    """
    entries = params.get("credentials") or ()
    must_be_distinct(one["registry"] for one in entries)
    return Access(
        credentials={one["registry"]: credential(one) for one in entries},
        authfile=params.get("authfile"),
        validate_certs=params.get("validate_certs"),
        ca_path=params.get("ca_path"),
        request_budget=params.get("request_budget"),
    )


def holds(entries: t.Sequence[t.Mapping[str, t.Any]] | None) -> tuple[UserHold, ...] | None:
    """The parameter C(holds); None where it is left out.

    Raises:
        InputError: An entry cannot be meant.
    """
    if entries is None:
        return None
    return tuple(UserHold.parse(**{key: value for key, value in one.items() if value}) for one in entries)


def bad_image(entry: t.Mapping[str, t.Any]) -> BadImage:
    """One entry of the parameter C(bad_images).

    Raises:
        InputError: It cannot be meant.
    """
    return BadImage.parse(**{key: value for key, value in entry.items() if value})


#: Parameters that the engine's settings call the same.
_SAME = (
    "rollback",
    "timeout",
    "settle",
    "wait_healthy",
    "parallel",
    "registry_parallel",
    "keep",
    "lift_holds",
    "limit",
    "max_failures",
    "allow_unsafe_rollback",
    "trust_labels",
    "lock_timeout",
    "plan",
    "plan_host",
    "allow_follower",
)


def settings(params: t.Mapping[str, t.Any]) -> Settings:
    """The engine's settings from a module's parameters; what a module does not offer keeps its default."""
    given = {name: params[name] for name in _SAME if name in params}
    return Settings(
        user=scopes.user_of(params["scope"], params["user"]),
        everyone=params["scope"] == "all",
        only=tuple(params["only"]),
        exclude=tuple(params["exclude"]),
        policies=frozenset(map(Policy, params["policies"])),
        health_command=tuple(params.get("health_command") or ()),
        access=access(params),
        prune=params.get("prune") != "none",
        back=params.get("state") == "rolled_back",
        stage=params.get("state") == "staged",
        holds=holds(params.get("holds")),
        bad_images=tuple(map(bad_image, params.get("bad_images") or ())),
        **given,
    )


def restart_settings(params: t.Mapping[str, t.Any]) -> Settings:
    """The engine's settings for restarts alone."""
    return Settings(
        user=scopes.user_of(params["scope"], params["user"]),
        timeout=params["timeout"],
        settle=params["settle"],
        wait_healthy=params["wait_healthy"],
        health_command=tuple(params["health_command"] or ()),
        lock_timeout=params["lock_timeout"],
    )
