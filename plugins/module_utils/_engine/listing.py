# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What takes part in updates, and what is remembered of it: the system's, a user's, or everybody's in one result."""

from __future__ import annotations

import typing as t

from .._pure.policies import Policy
from .._pure.reasons import Reason
from .._pure.shapes import ListOf, Maybe, OneOf, fits, picked
from .._update.everyone import common_warnings, read_warnings
from .everyone import ask_everyone
from .inventory import inventory
from .recalling import recalled
from .settings import Settings, must_be_owner, must_be_usable

_SECONDS = 300.0
_REASON = OneOf(frozenset(one.value for one in Reason))
_CONTENT = {"id": Maybe(str), "digest": Maybe(str)}
_CHANGE = {"container": str, "image": str, "before": _CONTENT}
_WORKLOAD = {
    "unit": Maybe(str),
    "container": str,
    "container_id": str,
    "container_name": str,
    "image": str,
    "policy": Maybe(OneOf(frozenset(one.value for one in Policy))),
    "shared_with": ListOf(str),
    "pinned": bool,
    "reason": Maybe(_REASON),
    "error": Maybe(str),
    "started": Maybe(str),
    "health": Maybe(str),
    "running": {**_CONTENT, "digests": ListOf(str), "platform": Maybe(str)},
    "unit_state": Maybe({"load_state": str, "active_state": str, "sub_state": str, "job_running": bool}),
    "warnings": ListOf(_REASON),
}
_HOLD = {
    "by": OneOf(frozenset({"image", "user"})),
    "reference": str,
    "unit": str,
    "reason": str,
    "until": Maybe(str),
    "platform": Maybe(str),
    "id": Maybe(str),
    "digests": Maybe(ListOf(str)),
    "since": Maybe(str),
}
_SLOT = {
    "unit": str,
    "reference": str,
    "number": int,
    "name": str,
    "id": str,
    "digests": ListOf(str),
    "kept": Maybe(str),
}
_UNIT = {
    "unit": str,
    "verdict": str,
    "reason": Maybe(str),
    "error": Maybe(str),
    "job_result": Maybe(str),
    "seconds": Maybe(float),
    "changes": ListOf({**_CHANGE, "after": _CONTENT}),
}
_BY = {"uid": int, "user": str, "sudo_user": Maybe(str)}
_RUN = {"run": str, "time": str, "by": _BY, "plan": Maybe(str), "units": ListOf(_UNIT)}
_INTENT = {"unit": str, "run": str, "time": str, "changes": ListOf({**_CHANGE, "target": _CONTENT})}
_INTERRUPTION = {"reference": str, "platform": str, "id": str, "times": int, "unit": str, "last": str}
_PLAN = {"id": str, "sha256": str, "of": Maybe(str), "verdict": str, "at": str}
_LISTS = {
    "workloads": _WORKLOAD,
    "holds": _HOLD,
    "slots": _SLOT,
    "runs": _RUN,
    "intents": _INTENT,
    "interruptions": _INTERRUPTION,
}
_LISTING = {
    **{key: Maybe(ListOf(shape)) for key, shape in _LISTS.items()},
    "plan": Maybe(_PLAN),
    "follows": Maybe(str),
    "warned": ListOf(str),
}


def listing(settings: Settings, runs: int) -> dict[str, t.Any]:
    """What C(autoupdate_info) returns, with the last C(runs). No registry is asked, nothing is changed.

    Raises:
        InputError: A setting is unusable.
        EngineError: The host could not be looked at.
        MissingLibraryError: A library is needed and not there.
    """
    if not settings.everyone:
        return inventory(settings, runs).to_result()
    must_be_owner(settings)
    must_be_usable(settings)
    return list_everyone(settings, lambda own, used: _own(own, runs, used=used))


def _own(settings: Settings, runs: int, *, used: bool) -> dict[str, t.Any]:
    if used:
        return inventory(settings, runs).to_result()
    remembered, unread = recalled(settings.user, runs)
    return {"changed": False, "workloads": [], **remembered, "warned": unread}


def list_everyone(settings: Settings, run: t.Callable[[Settings, bool], dict[str, t.Any]]) -> dict[str, t.Any]:
    """One result of everybody's; what is not a list is the system's, and for a user stands in C(users).

    Raises:
        MissingLibraryError: A library is needed and not there.
    """
    whole: dict[str, t.Any] = {key: [] for key in _LISTS}
    whole.update(plan=None, follows=None)
    users: list[dict[str, t.Any]] = []
    failed: list[str] = []
    warnings: list[tuple[str | None, tuple[str, ...]]] = []
    for told in ask_everyone(settings, run, _SECONDS):
        one = told.nonsense() if told.answer is not None and not fits(told.answer, _LISTING) else told
        entry = {**one.looked().to_result(), "plan": None, "follows": None}
        users.append(entry)
        if one.answer is None:
            failed += [f"{one.user or 'the system'}: {one.error}"] if one.looked().failed else []
            continue
        answer = picked(one.answer, _LISTING)
        own = {key: answer[key] for key in ("plan", "follows")}
        entry.update(own)
        whole.update(own if one.user is None else {})
        for key in _LISTS:
            whole[key] += [{**item, "scope": entry["scope"], "user": entry["user"]} for item in answer[key] or ()]
        if answer["workloads"] or answer["warned"]:  # Who has no containers knows nothing of patterns.
            warnings.append((one.user, read_warnings(answer["warned"])))
    return {"changed": False, **whole, "warned": [*failed, *common_warnings(warnings)], "users": users}
