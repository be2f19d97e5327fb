# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Everybody: the system's containers and those of every user with a running manager, by a child process for each."""

from __future__ import annotations

import os
import pathlib
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from .._edges import accounts
from .._edges.acting import Answer, Job, act
from .._pure.errors import EngineError, InputError, MissingLibraryError
from .._pure.plan_records import Verdict
from .._pure.reasons import Reason
from .._pure.texts import escaped
from .._update.everyone import Looked, read_report, together
from .scopes import import_from_archive
from .settings import Settings

if t.TYPE_CHECKING:
    from .._update.report import Report

#: How many users are looked after at once: each has several calls of podman under way.
_WIDTH = 4
#: A user's answer. The system's is root's own.
_MOST_BYTES = 4 * 1024 * 1024
#: What root's environment says of credentials is root's.
_ROOTS_OWN = ("registry_auth_file", "docker_config")
#: A run that takes longer hangs: an hour, and what some restarts one after another may take.
_SECONDS, _RESTARTS = 3600.0, 20
_LONGEST_ERROR = 1000
_WELL = (Verdict.CONVERGED.value, Verdict.STAGED.value)
#: Where podman has its containers: without any of these, a user never had one.
_TRACES = (".local/share/containers", ".config/containers/storage.conf")
_RUNNING_TRACES = ("containers", "libpod")

#: One run for the system's or a user's containers; it is told whether there can be any.
Run = t.Callable[[Settings, bool], dict[str, t.Any]]


@dataclass(frozen=True)
class Told:
    """What came of one user's run (None: the system's): an answer, or why there is none."""

    user: str | None
    uid: int
    answer: dict[str, t.Any] | None
    reason: Reason | None = None
    error: str | None = None

    def looked(self) -> Looked:
        """The user's entry in the report."""
        return Looked(self.user, self.uid, self.answer is not None, self.reason, self.error)

    def nonsense(self) -> Told:
        """The same, where the answer is not what a run answers."""
        said = "the process that acts for the user answered with something else than the result of a run"
        return replace(self, answer=None, reason=Reason.NO_ANSWER, error=said)


def ask_everyone(settings: Settings, run: Run, seconds: float) -> list[Told]:
    """Run for everybody: the system first, then users by name; those without a manager are told with the reason.

    C(seconds) is how long each may take.

    What the task says of credentials is for the system's containers: a user could read what podman is given as that user.

    Raises:
        InputError: A setting is unusable.
        MissingLibraryError: A library is needed and not there.
    """
    own = replace(settings, everyone=False)
    access = replace(own.access, credentials={}, authfile=None)
    users = accounts.with_containers()
    there = [one for one in users if accounts.has_manager(one)]
    jobs = [Job(None, lambda: run(own, True))]
    jobs += [Job(one, _bodies(replace(own, user=one.name, access=access), run), _MOST_BYTES) for one in there]
    import_from_archive()
    system, *answers = act(jobs, width=_WIDTH, seconds=seconds)
    if isinstance(system, (InputError, MissingLibraryError)):  # It is the same for all.
        raise system
    told = [_told(None, 0, system)]
    by_uid = dict(zip((one.uid for one in there), answers))
    for one in users:
        if one.uid in by_uid:
            told.append(_told(one.name, one.uid, by_uid[one.uid]))
        else:
            why = f"{one.name} has no running service manager"
            told.append(Told(one.name, one.uid, None, Reason.NO_MANAGER, why))
    return told


def update_everyone(settings: Settings, run: Run, *, check_mode: bool) -> Report:
    """Run for everybody, and make one report of all; C(run) returns the result of a report, nothing where it has none.

    Raises:
        InputError: A setting is unusable.
        MissingLibraryError: A library is needed and not there.
    """
    told, reports = [], []
    seconds = _SECONDS + _RESTARTS * (settings.timeout + settings.settle) + 2 * settings.lock_timeout
    for one in ask_everyone(settings, run, seconds):
        report = read_report(one.answer, one.user, check_mode=check_mode) if one.answer else None
        told.append(one.nonsense() if report is None and one.answer else one)
        reports += [(one.user, report)] if report else []
    whole = together(reports, [one.looked() for one in told], check_mode=check_mode)
    if whole.plan_verdict in _WELL and any(_is_planned(settings, one.user) for one in told if not one.answer):
        whole = replace(whole, plan_verdict=Verdict.HALTED.value)
    return replace(whole, repair_only=settings.repair_only)


def _is_planned(settings: Settings, user: str | None) -> bool:
    """Whether the plan names units of somebody who could not be looked at, or has no containers."""
    from .._update.planned import for_this_host  # noqa: PLC0415 (most runs follow none)

    if settings.plan is None:
        return False
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return bool(for_this_host(settings.plan, settings.plan_host, user, now).entries)


def _bodies(settings: Settings, run: Run) -> t.Callable[[], dict[str, t.Any]]:
    """What a user's child does, as that user."""

    def body() -> dict[str, t.Any]:
        for name in [one for one in os.environ if one.lower() in _ROOTS_OWN]:
            del os.environ[name]
        return run(settings, _may_have_containers())

    return body


def _may_have_containers() -> bool:
    """Whether podman was ever used by this user: asking it would make folders of people who only log in."""
    home, runtime = pathlib.Path.home(), pathlib.Path(os.environ["XDG_RUNTIME_DIR"])
    return any(
        path.exists() for path in [*(home / one for one in _TRACES), *(runtime / one for one in _RUNNING_TRACES)]
    )


def _told(user: str | None, uid: int, answer: Answer) -> Told:
    if not isinstance(answer, Exception):
        return Told(user, uid, answer)
    reason = answer.reason if isinstance(answer, EngineError) else Reason.NO_ANSWER
    return Told(user, uid, None, reason, escaped(str(answer)[:_LONGEST_ERROR]))
