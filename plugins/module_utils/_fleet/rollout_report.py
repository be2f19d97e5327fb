# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a rollout tells people and programs: a sentence for each wave, and a report at the end."""

from __future__ import annotations

import typing as t
from collections import Counter
from types import MappingProxyType

from .._pure.ownership import is_service_name
from .rollout_answers import UnitKey
from .rollout_ledger import WAITING, HostRecord, Ledger
from .rollout_settings import RolloutSettings

#: In the order in which a person wants to hear of them.
_ORDER = ("failed", "unreachable", "rolled_back", "held", "pending", WAITING, "staged", "converged")


def wave_message(ledger: Ledger) -> str:
    """The wave that ended last, in a sentence."""
    if not ledger.done:
        return f"Nothing was begun: {ledger.halt}." if ledger.halt else "Nothing was begun."
    wave = ledger.waves[ledger.done - 1]
    counts = _counted(ledger.hosts.get(host, HostRecord()).verdict for host in wave)
    ended = f"Wave {ledger.done} of {len(ledger.waves)} ({_hosts(len(wave))}): {counts}."
    return f"{ended} The rollout stops: {ledger.halt}." if ledger.halt else ended


def is_failure(settings: RolloutSettings, ledger: Ledger, *, check: bool) -> bool:
    """Whether the job is to fail."""
    verdicts = {record.verdict for record in ledger.hosts.values()}
    if ledger.halted:
        return True
    bad = {"failed"} if settings.ignore_unreachable else {"failed", "unreachable"}
    if not check and settings.state != "rolled_back":
        bad.add("rolled_back")
    if not check:
        bad.add(WAITING)
    return bool(verdicts & bad)


def message(ledger: Ledger, *, check: bool) -> str:
    """The rollout in a sentence."""
    if not ledger.hosts:
        back = ledger.state == "rolled_back"
        return "Nothing of what is to go back runs on these hosts." if back else "The plan has nothing for these hosts."
    counts = _counted(record.verdict for record in ledger.hosts.values())
    if check:
        sizes = ", ".join(map(str, map(len, ledger.waves))) or "none"
        return f"{_hosts(len(ledger.hosts))}: {counts}. Waves: {sizes}. Nothing was changed, because this is a check."
    held = sum(one.id is not None for one in ledger.bad)
    bad = f" {held} held for the whole fleet." if held else ""
    halt = f" Stopped: {ledger.halt}." if ledger.halt else ""
    return f"{_hosts(len(ledger.hosts))}: {counts}.{halt}{bad}"


def report(
    ledger: Ledger, text: str, not_held: t.Mapping[str, str] = MappingProxyType({}), *, check: bool, failed: bool
) -> dict[str, t.Any]:
    """What programs read, and workflows hand on. C(not_held) says of hosts why they did not note what to hold."""
    return {
        "msg": text,
        "plan": ledger.plan,
        "sha256": ledger.sha256,
        "state": ledger.state,
        "check_mode": check,
        "failed": failed,
        "halted": ledger.halted,
        "halt": ledger.halt,
        "waves": [list(wave) for wave in ledger.waves],
        "waves_done": ledger.done,
        "summary": dict(sorted(Counter(record.verdict for record in ledger.hosts.values()).items())),
        "hosts": {
            host: {"verdict": record.verdict, "wave": record.wave, "error": record.error}
            for host, record in sorted(ledger.hosts.items())
        },
        # What a rollback that follows in a workflow takes back.
        "moved": {
            host: sorted(_named(key) for key in record.moved if is_service_name(key[1]))
            for host, record in sorted(ledger.hosts.items())
            if record.moved and ledger.state == "updated"
        },
        "bad_images": [one.to_entry() for one in ledger.bad],
        "not_held": dict(not_held),
    }


def _named(key: UnitKey) -> str:
    user, unit = key
    return f"{user}/{unit}" if user else unit


def table(ledger: Ledger, text: str, not_held: t.Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Aligned lines for people: one for each host, the worst first, and the sentence."""
    rows = [
        (host, str(record.wave or "-"), record.verdict, record.error or "-")
        for host, record in sorted(ledger.hosts.items(), key=lambda item: (_rank(item[1]), item[1].wave or 0, item[0]))
    ]
    lines = [("HOST", "WAVE", "VERDICT", "WHY"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    aligned = ["  ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[3]]) for line in lines]
    held = [
        # Nobody told the ID of the others, without which nothing can be held before it comes.
        f"{'held' if one.id else 'bad'}: {one.reference} {one.digest} ({one.reason} on {one.host})"
        for one in ledger.bad
    ]
    held += [f"not held on {host}: {why}" for host, why in not_held.items()]
    return [*(aligned if rows else []), *held, text]


def _rank(record: HostRecord) -> int:
    return _ORDER.index(record.verdict) if record.verdict in _ORDER else len(_ORDER)


def _counted(verdicts: t.Iterable[str]) -> str:
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict.replace('_', ' ')}" for verdict in _ORDER if counts[verdict])


def _hosts(number: int) -> str:
    return f"{number} host{'' if number == 1 else 's'}"
