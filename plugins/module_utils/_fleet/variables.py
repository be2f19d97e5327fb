# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What planning and looking at a fleet are asked to do: the playbooks' variables, refused before anything starts.

An empty text is «not given», because that is what a survey sends for a question that nobody answered.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from .._pure.errors import InputError
from .._pure.texts import harmless
from .readers import Reading, boolean, choice, credentials, line, none_wrong, patterns, shown, within

_DURATION = re.compile(r"(\d{1,9})\s*([smhd]?)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=366)
_LONGEST_TIMEOUT = 24 * 3600
_MOST = 1_000_000
_MOST_DIGITS = 9

_Read = t.Callable[[str, t.Any], t.Any]


@dataclass(frozen=True)
class Variable:
    """One variable of a playbook. C(text) says in Markdown what it is for, C(written) how it is written."""

    name: str
    written: str
    default: t.Any
    text: str
    read: _Read


def read_variables(known: t.Sequence[Variable], given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Every variable's value, the default where it is not given: null, an empty text, or nothing at all.

    Raises:
        InputError: Some cannot be meant; the message names them all.
    """
    read = Reading(given, prefix="")
    for strange in sorted(set(given) - {one.name for one in known}):
        read.object(f"{harmless(strange)}: there is no such variable")
    values = {one.name: read(one.name, one.read, one.default) for one in known}
    none_wrong(read.wrong)
    return values


def _duration(name: str, value: t.Any) -> int:
    """Seconds."""
    found = None if isinstance(value, bool) else _DURATION.match(str(value).strip().lower())
    lasts = timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else timedelta()
    if not _SHORTEST <= lasts <= _LONGEST:
        raise InputError(f"{name}: {shown(value)} is no time from 1m to 366d, such as 90m, 24h or 7d")
    return int(lasts.total_seconds())


_HOSTS = Variable("rollout_hosts", "pattern", "all", "Which hosts take part, as a play's `hosts`.", line)
_COMMON = (
    _HOSTS,
    Variable("rollout_scope", "`system` or `all`", "system", "Whose containers: root's, or those of users too.",
             choice("system", "all")),
    Variable("rollout_only", "list of patterns", [], "The `only` of `image_autoupdate`, or a text with commas.", patterns),
    Variable("rollout_exclude", "list of patterns", [], "The `exclude` of `image_autoupdate`, likewise.", patterns),
    Variable("rollout_resolver", "`host` or `controller`", "host",
             "Who asks the registries: few of the hosts, which have registries.conf and credentials, or the controller.",
             choice("host", "controller")),
    Variable("rollout_credentials", "list of dictionaries", [],
             "The `credentials` of `image_digest_info`, for whoever asks.", credentials),
    Variable("rollout_authfile", "path", None, "The `authfile` of `image_digest_info`, there.", line),
    Variable("rollout_validate_certs", "boolean", None, "The `validate_certs` of `image_digest_info`.", boolean),
    Variable("rollout_ca_path", "path", None, "The `ca_path` of `image_digest_info`.", line),
    Variable("rollout_registry_timeout", "seconds", 30, "How long one request to a registry may take.",
             within(_LONGEST_TIMEOUT, 1, digits=_MOST_DIGITS)),
    Variable("rollout_request_budget", "number", None, "How many counted `GET`s one registry may be asked for by one host.",
             within(_MOST, digits=_MOST_DIGITS)),
)  # fmt: skip

#: What playbooks/plan.yml reads.
PLAN = (
    Variable("plan_file", "path on the controller", None,
             "Where the plan is written, readable by its owner only. The path is from the folder in which Ansible was started.",
             line),
    Variable("plan_expires", "time, such as `90m` or `7d`", 86_400, "How long the plan may be used.", _duration),
    Variable("plan_artifact", "boolean", True, "Whether the plan's targets become an artifact of the job (`set_stats`).",
             boolean),
    *_COMMON,
)  # fmt: skip

#: What playbooks/status.yml reads.
STATUS = (
    Variable("plan_file", "path on the controller", None,
             "The plan to judge by, an expired one too; without it, the registries are asked. The path is as for `plan`.", line),
    Variable("status_file", "path on the controller", None, "Where the status is written, as JSON; likewise.", line),
    Variable("status_fail", "boolean", True, "Whether the job fails where the fleet is not converged.", boolean),
    *_COMMON,
)  # fmt: skip

PLAYBOOKS: t.Mapping[str, tuple[Variable, ...]] = {"plan": PLAN, "status": STATUS}
