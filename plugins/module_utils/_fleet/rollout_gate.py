# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The gate after each wave: what its hosts answered, whether the next wave begins, and who goes back."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._pure.reasons import Reason, Status
from .rollout_answers import Answer, Look, RowSeen, UnitKey, fallen
from .rollout_ledger import Bad, HostRecord, Ledger
from .rollout_settings import RolloutSettings
from .rollout_start import ARRIVED, Document, bad_of, missing, target_of

Looks = t.Mapping[tuple[UnitKey, str], Look]

#: Failures that tell nothing of the image: the unit never ran it.
_NOT_THE_IMAGE = (Reason.GROUP_FAILED.value, Reason.UNIT_REUSES_CONTAINER.value, Reason.INTERNAL_ERROR.value)


@dataclass(frozen=True)
class WaveAnswer:
    """What one host of a wave answered: C(first) and C(last) are the looks before and after the soak, None without one.

    C(soaked) says whether there was a soak at all, C(back) what became of the units that fell in it.
    """

    slice: Document | None
    applied: Answer | None
    first: Looks | None = None
    last: Looks | None = None
    soaked: bool = False
    back: Answer | None = None

    def fallen(self, state: str) -> dict[UnitKey, tuple[Reason, str]]:
        """The units that did not stay well during the soak."""
        if self.applied is None or self.first is None:
            return {}
        return fallen(self.applied, state, self.first, self.last)

    @property
    def silent(self) -> bool:
        """Whether there was a soak, and how the host came through it is not known."""
        return self.soaked and (self.first is None or self.last is None)


def judge(settings: RolloutSettings, ledger: Ledger, answers: t.Mapping[str, WaveAnswer]) -> Ledger:
    """The ledger after a wave."""
    wave = {host: answers.get(host, WaveAnswer(None, None)) for host in ledger.wave}
    records = {host: _record(settings, ledger, host, answer) for host, answer in wave.items()}
    bad = [one for host, answer in wave.items() for one in _bad(ledger.state, host, answer)]
    after = replace(ledger.noting(records).knowing(bad), done=ledger.done + 1)
    return _halted(settings, after, records)


def _record(settings: RolloutSettings, ledger: Ledger, host: str, answer: WaveAnswer) -> HostRecord:
    before = ledger.hosts.get(host, HostRecord())
    if answer.applied is None:
        return replace(before, verdict="unreachable", error="it did not answer")
    state = ledger.state
    verdict, told = answer.applied.verdict(state), answer.applied.told(state)
    if answer.applied.rows == () and not answer.applied.troubles:
        verdict, told = "failed", "no container that was to be changed runs any more"
    fell = answer.fallen(state)
    moved = {row.key for row in answer.applied.rows or () if row.moved(state)}
    if fell:
        sentences = [told] if told else []
        verdict, told = (
            "failed",
            "; ".join([*sentences, *(said for _reason, said in fell.values()), _gone_back(answer, fell)]),
        )
        moved -= answer.back.back if answer.back else frozenset()
    elif moved and answer.silent:
        verdict, told = "unreachable", "it was changed, and did not answer after the soak"
    elif verdict in ARRIVED:
        # What was left out from the beginning has not arrived, nor what is gone meanwhile.
        told = before.error or missing(settings, answer.slice, host, answer.applied)
        verdict = "held" if told else verdict
    return replace(before, verdict=verdict, moved=tuple(sorted(moved, key=_order)), error=told)


def _gone_back(answer: WaveAnswer, fell: t.Collection[UnitKey]) -> str:
    if answer.back is None:
        return "left as it is"
    if answer.back.back.issuperset(fell):
        return "the old image runs again"
    return f"it could not be rolled back: {_not_back(answer.back, fell)}"


def _not_back(answer: Answer, wanted: t.Iterable[UnitKey]) -> str:
    """Why not all of these units went back. A unit whose container does not run is in no row."""
    seen = {row.key for row in answer.rows or ()}
    silent = [f"no container of {unit} runs" for _user, unit in sorted(set(wanted) - seen, key=_order)]
    odd = answer.told("rolled_back")
    return "; ".join([*([odd] if odd else []), *([] if answer.error else silent)])


def _order(key: UnitKey) -> tuple[str, str]:
    return key[0] or "", key[1]


def _bad(state: str, host: str, answer: WaveAnswer) -> t.Iterator[Bad]:
    """The targets that failed on a host because of what they are."""
    if state == "rolled_back":
        return
    fell = answer.fallen(state)
    for row in (answer.applied.rows or ()) if answer.applied else ():
        target = target_of(row, host, answer.slice)
        if target is None:
            continue
        if row.key in fell:
            yield bad_of(target, row, host, fell[row.key][0].value)
        elif _failed_on_it(row):
            yield bad_of(target, row, host)


def _failed_on_it(row: RowSeen) -> bool:
    ended = row.status in (Status.ROLLED_BACK.value, Status.FAILED.value)
    return ended and row.changed and row.reason not in _NOT_THE_IMAGE


def _halted(settings: RolloutSettings, ledger: Ledger, wave: t.Mapping[str, HostRecord]) -> Ledger:
    """The ledger, halted where the wave, or all waves so far, went too badly."""
    number = ledger.done
    failed = sorted(host for host, record in wave.items() if record.verdict == "failed")
    so_far = [record.verdict for record in ledger.hosts.values() if record.wave is not None and record.wave <= number]
    if wave and all(record.verdict == "unreachable" for record in wave.values()):
        return ledger.stopped("unreachable", f"no host of wave {number} answered, so nothing is known of it")
    if settings.max_failures.exceeded(len(failed), len(wave)):
        return ledger.stopped("failures", f"wave {number} failed on {', '.join(failed[:10])}")
    if settings.max_failures_total.exceeded(so_far.count("failed"), len(so_far)):
        return ledger.stopped(
            "failures", f"{so_far.count('failed')} of {len(so_far)} hosts have failed after wave {number}"
        )
    return ledger


def going_back(settings: RolloutSettings, ledger: Ledger) -> dict[str, tuple[UnitKey, ...]]:
    """The hosts that go back after a halt, and their units. C(rollback_all) takes in what the plan moved earlier."""
    if ledger.halted not in ("failures", "unreachable") or settings.on_halt == "stop" or ledger.state != "updated":
        return {}
    found = {}
    for host, record in ledger.hosts.items():
        everywhere = settings.on_halt == "rollback_all"
        units = (*record.moved, *record.earlier) if everywhere else record.moved if record.wave == ledger.done else ()
        if units and record.verdict != "unreachable":
            found[host] = tuple(sorted(set(units), key=_order))
    return found


def gone_back(
    ledger: Ledger, wanted: t.Mapping[str, t.Collection[UnitKey]], answers: t.Mapping[str, Answer | None]
) -> Ledger:
    """The ledger after hosts went back with the units that were wanted back."""
    records = {}
    for host, units in wanted.items():
        before, answer = ledger.hosts.get(host, HostRecord()), answers.get(host)
        if answer is None or not answer.reached:
            error = "it did not answer when it was to go back"
            records[host] = replace(before, verdict="unreachable", error=error)
            continue
        all_back = answer.back.issuperset(units) and not answer.troubles
        records[host] = replace(
            before,
            verdict="rolled_back" if all_back and before.verdict != "failed" else "failed",
            moved=tuple(key for key in before.moved if key not in answer.back),
            error=before.error if all_back else f"it could not be rolled back: {_not_back(answer, units)}",
        )
    return ledger.noting(records)


def has_gone_back(answer: Answer | None, units: int) -> bool:
    """Whether a host told of so many units, as far as it can: one that is just being started has no container, or is pending."""
    if answer is None or not answer.reached:
        return True
    told = {row.key for row in answer.rows or () if row.status != Status.PENDING.value}
    return len(told) >= units


def not_held(ledger: Ledger, answers: t.Mapping[str, Answer | None]) -> dict[str, str]:
    """Why hosts did not note what all are to hold; who was not asked because nobody answers there did not either."""
    if not any(one.id for one in ledger.bad):
        return {}
    found = {}
    for host, answer in answers.items():
        record = ledger.hosts.get(host)
        if answer is None:
            if record is not None and record.verdict == "unreachable":
                found[host] = "it did not answer"
        elif answer.rows is None or answer.troubles:
            found[host] = answer.error or "; ".join(answer.troubles)
    return found
