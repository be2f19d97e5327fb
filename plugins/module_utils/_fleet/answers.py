# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What the registries told through whoever was asked: one answer for each reference and platform, and the cost of it."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from .._pure.decisions import RemoteImage
from .._pure.questions import RegistryUsage
from .._pure.references import is_digest
from .._pure.texts import harmless
from .reports import Key

_MOST_SIZE = 2**63 - 1
#: Answers that no other host would give differently: the registry itself, or the name, says so.
_FINAL = frozenset({"not_found", "bad_reference", "bad_id", "unsupported_transport", "short_name", "by_id"})


@dataclass(frozen=True)
class Told:
    """One answer. Without C(remote), C(reason) and C(error) say why; C(by) are all who were asked."""

    remote: RemoteImage | None
    by: tuple[str, ...]
    reason: str | None = None
    error: str | None = None

    @property
    def final(self) -> bool:
        """Whether it makes no sense to ask somebody else."""
        return self.remote is not None or self.reason in _FINAL


@dataclass(frozen=True)
class Answers:
    """All that was told so far, and what asking took: each registry's requests, of all who asked."""

    told: t.Mapping[Key, Told]
    usage: tuple[RegistryUsage, ...] = ()

    def with_results(self, results: t.Iterable[object]) -> Answers:
        """These and the results of more calls, each with its loop's C(item)."""
        told = dict(self.told)
        usage = list(self.usage)
        for result in results:
            item = result.get("item") if isinstance(result, t.Mapping) else None
            if not isinstance(result, t.Mapping) or not isinstance(item, t.Mapping) or result.get("skipped"):
                continue
            host, platform, names = str(item.get("host")), str(item.get("of")), _list(item.get("names"))
            rows = {str(row.get("name")): row for row in _list(result.get("images")) if isinstance(row, t.Mapping)}
            for name in map(str, names):
                key = (name, platform)
                before = told.get(key)
                if before is None or not before.final:
                    one = _told(host, rows.get(name), result)
                    told[key] = replace(one, by=(*before.by, *one.by)) if before else one
            usage += filter(None, map(_usage, _list(result.get("registries"))))
        return Answers(told, _summed(usage))

    def registries(self) -> list[dict[str, t.Any]]:
        """What each registry was asked for, in the words of all modules."""
        return [asdict(one) for one in self.usage]


NOTHING_TOLD = Answers({})


def _told(host: str, row: t.Mapping[str, t.Any] | None, result: t.Mapping[str, t.Any]) -> Told:
    if row is None:
        message = harmless(result.get("msg") or "no answer")
        return Told(None, (host,), harmless(result.get("reason") or "not_asked"), f"{host}: {message}")
    remote, local = row.get("remote"), row.get("local")
    if not isinstance(remote, t.Mapping) or not is_digest(remote.get("digest")):
        reason = harmless(row.get("reason") or "unknown")
        return Told(None, (host,), reason, harmless(row.get("error") or reason))
    image_id = remote.get("id")
    if image_id is None and row.get("status") == "current" and isinstance(local, t.Mapping):
        # What is known by its digest was not opened: the host has it, and knows its ID.
        image_id = local.get("id")
    return Told(
        RemoteImage(
            str(remote["digest"]),
            _digest(remote.get("platform_digest")),
            _digest(image_id),
            _number(remote.get("size")),
            registry=harmless(remote.get("registry") or "") or None,
        ),
        (host,),
    )


def _usage(row: object) -> RegistryUsage | None:
    if not isinstance(row, t.Mapping):
        return None
    limit = row.get("rate_limit")
    return RegistryUsage(
        harmless(row.get("registry")),
        _number(row.get("requests")) or 0,
        _number(row.get("manifest_gets")) or 0,
        _number(row.get("bytes")) or 0,
        _number(row.get("retries")) or 0,
        _limit(limit) if isinstance(limit, t.Mapping) else None,
        harmless(row["reason"]) if row.get("reason") else None,
    )


def _limit(told: t.Mapping[str, object]) -> dict[str, object]:
    numbers: dict[str, object] = {key: _number(told.get(key)) for key in ("limit", "remaining", "window")}
    return {**numbers, "source": harmless(told["source"]) if told.get("source") else None}


def _summed(usage: t.Iterable[RegistryUsage]) -> tuple[RegistryUsage, ...]:
    """One entry for each registry; of several quotas, the one with least left, since hosts may share an address or not."""
    found: dict[str, RegistryUsage] = {}
    for one in usage:
        before = found.get(one.registry)
        if before is None:
            found[one.registry] = one
        else:
            limits = [limit for limit in (before.rate_limit, one.rate_limit) if limit]
            least = min(limits, key=_left, default=None)
            found[one.registry] = before.plus(one, least, before.reason or one.reason)
    return tuple(found[name] for name in sorted(found))


def _left(limit: t.Mapping[str, object]) -> int:
    left = _number(limit.get("remaining"))
    return _MOST_SIZE if left is None else left


def _digest(value: object) -> str | None:
    return "".join(value) if is_digest(value) else None


def _number(value: object) -> int | None:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_SIZE
    return int(t.cast("int", value)) if sound else None


def _list(value: object) -> t.Sequence[t.Any]:
    return value if isinstance(value, t.Sequence) and not isinstance(value, str) else ()
