# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The engine on its own, as a host's timer runs it: a file of settings in, lines for the journal out, an exit status.

No Ansible is there. Started as C(engine.pyz FILE), or with the options of L(EngineWords) before the file. As root it
updates the system's containers, with C(--scope all) every user's too, and as anybody else their own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import typing as t
from dataclasses import dataclass, fields, replace

from .._edges import accounts
from .._edges.timer_settings import PLAN, REGISTRY
from .._pure.engine_words import read_words
from .._pure.errors import EngineError, InputError, MissingLibraryError
from .._pure.policies import Policy
from .._pure.reasons import Status
from .._pure.texts import escaped
from .autoupdate import autoupdate
from .settings import ALL_NEEDS_ROOT, PATIENT_LOCK_SECONDS, Access, Settings, must_be_usable

if t.TYPE_CHECKING:
    from .._update.report import Report

#: Nothing failed; something did, and the report says what; nothing could be done; the settings are of no use (sysexits.h).
DONE, FAILED, UNABLE, MISCONFIGURED = 0, 1, 2, 78
#: Credentials are for files; holds, the way back and other people's containers are for somebody who watches.
_NOT_FOR_A_TIMER = (
    "access", "holds", "lift_holds", "back", "everyone", "user", "caller", "repair_only",
    "plan", "plan_host", "follow_plan", "allow_follower", "stage", "bad_images",
)  # fmt: skip
#: Words that say yes or no to a setting of another name or kind.
_EITHER = {"prune": ("prune", "replaced", "none"), "scope": ("everyone", "all", "system")}
_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_LIBRARIES = ("dbus", "requests")
_LONGEST = 1024 * 1024
#: The priorities of sd-daemon(3), which journald takes from the beginning of a line.
_ERROR, _WARNING, _NOTICE = "<3>", "<4>", "<5>"
_TELLING = (Status.UPDATED, Status.ROLLED_BACK, Status.FAILED, Status.UNKNOWN, Status.HELD)


@dataclass(frozen=True)
class TimerSettings:
    """What the file says; C(fail_on) are the statuses that make the run a failure, C(follow) is what tells it what to run."""

    settings: Settings
    fail_on: frozenset[str] = frozenset({"failed", "rolled_back"})
    follow: str = REGISTRY


def main(words: t.Sequence[str], tell: t.Callable[[str], None]) -> int:
    """Run once, tell by C(tell) what journald is to note, and return the exit status."""

    def say(line: str) -> None:
        """One line is one entry: what strangers say must not begin others, nor give them a priority."""
        tell(escaped(line))

    try:
        asked = read_words(words)
        wanted = parse_settings(_read(asked.path), asked.path)
        _must_have_libraries()
        if asked.validate:
            _must_be_runnable(wanted.settings)
            return DONE
        settings = replace(_of_whom(wanted.settings, asked.scope), repair_only=asked.repair)
        if (asked.follow or wanted.follow) == PLAN and not asked.repair:
            settings = _follower(settings, say)
        report = autoupdate(settings, check_mode=False)
    except InputError as error:
        say(f"{_ERROR}{error}")
        return MISCONFIGURED
    except MissingLibraryError as error:
        say(f"{_ERROR}the Python library {error.package} is missing")
        return UNABLE
    except EngineError as error:
        say(f"{_ERROR}{error.reason.value}: {error}")
        return UNABLE
    return _tell(report, wanted.fail_on, say)


def _follower(settings: Settings, say: t.Callable[[str], None]) -> Settings:
    if settings.everyone:  # What was staged only for one may have come to its end for another: each has a record of it.
        return replace(settings, follow_plan=True)
    from .planning import following  # noqa: PLC0415 (most timers follow the registry)

    settings, why = following(settings)
    say(f"{_NOTICE}{why}")
    return settings


def _of_whom(settings: Settings, scope: str) -> Settings:
    user = accounts.current().name if os.geteuid() else None
    everyone = settings.everyone or scope == "all"
    if everyone and user is not None:
        raise InputError(ALL_NEEDS_ROOT)
    return replace(settings, user=user, everyone=everyone)


def parse_settings(body: bytes, where: str) -> TimerSettings:
    """The settings of a timer: the parameters of image_autoupdate under the same names, as a JSON object.

    Raises:
        InputError: A name is unknown, or a value cannot be what is meant.
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{where} is not JSON") from None
    if not isinstance(document, dict):
        raise InputError(f"{where} is not a JSON object")
    known = {one.name: getattr(Settings(), one.name) for one in fields(Settings) if one.name not in _NOT_FOR_A_TIMER}
    known.update(limit=1, max_failures=1)  # Without a bound by default, which tells no kind.
    access = {"authfile": "", "ca_path": "", "validate_certs": True, "request_budget": 0}
    given: dict[str, t.Any] = {}
    reach: dict[str, t.Any] = {}
    fail_on, follow = TimerSettings(Settings()).fail_on, REGISTRY
    for name, value in document.items():
        if name == "follow":
            (follow,) = _words(where, name, [value], (REGISTRY, PLAN))
        elif name == "fail_on":
            fail_on = frozenset(_words(where, name, value, {one.value for one in Status}))
        elif name == "policies":
            given[name] = frozenset(map(Policy, _words(where, name, value, {one.value for one in Policy})))
        elif name in _EITHER:
            field, yes, no = _EITHER[name]
            given[field] = _words(where, name, [value], (yes, no)) == [yes]
        elif name in access:
            reach[name] = _like(where, name, value, access[name])
        elif name in known:
            given[name] = _like(where, name, value, known[name])
        else:
            names = ", ".join(sorted([*known, *access, "fail_on", "follow", "scope"]))
            raise InputError(f"{where}: there is no setting {name[:64]!r}; there are {names}")
    usual = Settings(access=Access(**reach), lock_timeout=PATIENT_LOCK_SECONDS, caller="the host's own engine")
    return TimerSettings(replace(usual, **given), fail_on, follow)


def _like(where: str, name: str, value: object, example: object) -> t.Any:
    """A value of the same kind as the setting's default."""
    if isinstance(example, tuple):
        return tuple(_words(where, name, value, None))
    kind = next(one for one in _KINDS if isinstance(example, one))
    # To Python, true is a whole number too, and a whole number none with a point.
    wanted = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where}: {name} must be {_KINDS[kind]}, not {json.dumps(value)[:64]}")
    return value


def _words(where: str, name: str, value: object, choices: t.Collection[str] | None) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError(f"{where}: {name} must be a list of texts, not {json.dumps(value)[:64]}")
    strange = [one for one in value if choices is not None and one not in choices]
    if strange:
        raise InputError(f"{where}: {name} may have {', '.join(sorted(choices or ()))}, not {strange[0][:64]!r}")
    return value


def _read(path: str) -> bytes:
    try:
        with pathlib.Path(path).open("rb") as file:
            body = file.read(_LONGEST + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(body) > _LONGEST:
        raise InputError(f"{path} has more than {_LONGEST} bytes")
    return body


def _must_be_runnable(settings: Settings) -> None:
    """Refuse what each run would refuse."""
    from .._edges.credentials import CredentialFiles  # noqa: PLC0415 (a run has it anyway, later)

    must_be_usable(settings)
    CredentialFiles(settings.access.credentials, settings.access.authfile)


def _must_have_libraries() -> None:
    for library in _LIBRARIES:
        if importlib.util.find_spec(library) is None:
            raise MissingLibraryError(library, "")


def _tell(report: Report, fail_on: t.Collection[str], say: t.Callable[[str], None]) -> int:
    result = report.to_result(fail_on)
    for warning in result["warned"]:
        say(f"{_WARNING}{warning}")
    for row, line in zip(report.rows, result["table"][1:]):
        if row.finding.status in _TELLING:
            say(f"{_ERROR if row.finding.status.value in fail_on else _NOTICE}{line}")
            if row.finding.error:
                say(f"{_WARNING}  {row.finding.error}")
    say(f"{_ERROR if result['failed'] else _NOTICE}{result['msg']}")
    return FAILED if result["failed"] else DONE
