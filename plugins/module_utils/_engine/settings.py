# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a caller of the engine may set, and what is refused before anything is looked at."""

from __future__ import annotations

import os
import pathlib
import typing as t
from dataclasses import dataclass, field

from .._pure.credentials import Credential
from .._pure.errors import InputError
from .._pure.holds import BadImage, UserHold
from .._pure.policies import Policy
from .._pure.selection import Selection
from .._pure.slots import MOST as MOST_SLOTS

#: Requests at once to one registry: more is measurably faster where it is far away, and impolite to a small one.
REGISTRY_WIDTH = 8
REGISTRY_SECONDS = 30.0
LONGEST_TIMEOUT = 24 * 3600
WIDEST = 100
_MOST_HOLDS = 1000
LONGEST_SETTLE = 3600
#: How long a run waits for others, in seconds, unless it is told; the timer's has nobody waiting for it.
LOCK_SECONDS = 120.0
PATIENT_LOCK_SECONDS = 300.0
SYSTEM_NEEDS_ROOT = "scope system means root's containers: run as root, in Ansible with become: true"
ALL_NEEDS_ROOT = "scope all means everybody's containers: run as root, in Ansible with become: true"


@dataclass(frozen=True)
class Access:
    """What the caller says of registries: credentials by registry, an authfile's path, and TLS.

    C(validate_certs) is None where registries.conf decides. C(request_budget) is how many manifests each registry may be
    asked for; None where only what the registry has left counts.
    """

    credentials: t.Mapping[str, Credential] = field(default_factory=dict)
    authfile: str | None = None
    validate_certs: bool | None = None
    ca_path: str | None = None
    request_budget: int | None = None


@dataclass(frozen=True)
class Settings:
    """What a caller may set.

    C(timeout) bounds a restart, C(settle) is how long a unit must run well; in seconds. C(limit) is how many units may be
    restarted, C(max_failures) how many may fail before nothing more is begun; None: any number.

    C(lock_timeout) is how long other runs, and C(podman auto-update), are waited for, in seconds; C(caller) is what they are
    told of this one.

    C(user) is the user whose units they are; None for the system's. The process that runs must be that user's, or root's.
    C(everyone) means the system's and every user's; C(limit) and C(max_failures) then count for each by itself.
    """

    user: str | None = None
    everyone: bool = False
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    policies: frozenset[Policy] = frozenset(Policy)
    rollback: bool = True
    timeout: float = 180.0
    settle: float = 10.0
    wait_healthy: bool = True
    health_command: tuple[str, ...] = ()
    parallel: int = 8
    registry_parallel: int = REGISTRY_WIDTH
    #: How many replaced images are kept for each unit and reference.
    keep: int = 1
    #: Whether replaced images that are kept no longer are removed.
    prune: bool = True
    #: The holds of people from now on; None where those of earlier runs stay.
    holds: tuple[UserHold, ...] | None = None
    lift_holds: bool = False
    #: Whether units are to go back to what they ran before.
    back: bool = False
    #: Whether only what an earlier run was interrupted in is repaired.
    repair_only: bool = False
    limit: int | None = None
    max_failures: int | None = None
    allow_unsafe_rollback: bool = False
    trust_labels: bool = False
    lock_timeout: float = LOCK_SECONDS
    caller: str = "image_autoupdate"
    #: A plan, or this host's slice of one, and what it calls this host.
    plan: t.Mapping[str, t.Any] | None = None
    plan_host: str | None = None
    #: Whether each of everybody follows the last plan that was given, as far as there is one.
    follow_plan: bool = False
    #: Whether a host takes plans although its own timer follows the registry.
    allow_follower: bool = False
    #: Whether what is to come is only pulled.
    stage: bool = False
    #: Images that failed on other hosts, to be held here.
    bad_images: tuple[BadImage, ...] = ()
    access: Access = field(default_factory=Access)


def must_be_owner(settings: Settings) -> None:
    """Refuse to look at the containers of somebody else than this process's user.

    Raises:
        InputError: It is the wrong user's.
    """
    if settings.user is None and os.geteuid() != 0:
        raise InputError(SYSTEM_NEEDS_ROOT)


def must_be_usable(settings: Settings) -> None:
    """Refuse what cannot be meant, or not on this host.

    Raises:
        InputError: It names the setting.
    """
    must_be_meant(settings)
    must_be_reachable(settings.access)


def must_be_meant(settings: Settings) -> None:
    """Refuse what cannot be meant on any host.

    Raises:
        InputError: It names the setting.
    """
    Selection.parse(settings.only, settings.exclude)
    for name, most in (("timeout", LONGEST_TIMEOUT), ("parallel", WIDEST), ("registry_parallel", WIDEST)):
        must_be_in_range(name, getattr(settings, name), most)
    must_be_in_range("lock_timeout", settings.lock_timeout, LONGEST_TIMEOUT, least=0)
    must_be_a_gate(settings.settle, settings.health_command)
    for name, given in (("limit", settings.limit), ("max_failures", settings.max_failures)):
        if given is not None and given < 1:
            raise InputError(f"{name} must be 1 or more, not {given}; leave it out for no bound")
    if not settings.policies:
        raise InputError("policies is empty, so nothing would be looked at; leave it out, or name registry or local")
    if not 0 <= settings.keep <= MOST_SLOTS:
        raise InputError(f"keep must be between 0 and {MOST_SLOTS}, not {settings.keep}")
    if settings.holds is not None and len(settings.holds) > _MOST_HOLDS:
        raise InputError(f"holds has more than {_MOST_HOLDS} entries; use globs")
    if settings.back and not settings.only:
        raise InputError(
            'state: rolled_back puts back what only names, and only is empty; write for example unit:web, or "*" for all'
        )
    _must_go_together(settings)
    _must_be_affordable(settings.access)


def _must_go_together(settings: Settings) -> None:
    if len(settings.bad_images) > _MOST_HOLDS:
        raise InputError(f"bad_images has more than {_MOST_HOLDS} entries")
    if settings.back and settings.plan is not None:
        raise InputError("plan says where units go forward to; leave it out with state: rolled_back")
    if settings.plan_host is not None and settings.plan is None:
        raise InputError("plan_host says which host of a plan this is, and there is no plan")


def must_be_a_gate(settle: float, health_command: t.Sequence[str]) -> None:
    """Refuse what no unit could be judged by.

    Raises:
        InputError: It names the setting.
    """
    if not 0 <= settle <= LONGEST_SETTLE:
        raise InputError(f"settle must be between 0 and {LONGEST_SETTLE}, not {settle}")
    if health_command and not pathlib.PurePosixPath(health_command[0]).is_absolute():
        raise InputError(f"health_command must begin with the absolute path of a program, not {health_command[0]!r}")
    if any("\0" in one for one in health_command):
        raise InputError("health_command must not hold NUL characters")


def must_be_in_range(name: str, value: float, most: float, *, least: float = 1) -> None:
    """Refuse numbers that cannot be meant.

    Raises:
        InputError: It names the setting.
    """
    if not (0 < value <= most or value == least):
        raise InputError(f"{name} must be between {least} and {most}, not {value}")


def must_be_reachable(access: Access) -> None:
    """Refuse files that are not there, and budgets that cannot be meant.

    Raises:
        InputError: It names the setting.
    """
    _must_be_affordable(access)
    if access.ca_path is not None and not pathlib.Path(access.ca_path).is_file():
        raise InputError(f"ca_path: {access.ca_path} is not there, or is not a file on this host")


def _must_be_affordable(access: Access) -> None:
    if access.request_budget is not None and access.request_budget < 0:
        raise InputError(f"request_budget must be 0 or more, not {access.request_budget}")
