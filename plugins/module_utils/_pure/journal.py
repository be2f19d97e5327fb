# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Entries of systemd's journal in its native form: one for each event of the history.

What goes over the wire: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/; the fields: systemd.journal-fields(7).
"""

from __future__ import annotations

import json
import typing as t

from .history import changes
from .texts import printable

if t.TYPE_CHECKING:
    from .history import Event, Passage

IDENTIFIER = "podfleet-autoupdate"
#: Fixed for ever, so that «journalctl MESSAGE_ID=…» finds every entry of a kind, of any release.
MESSAGE_IDS = {
    "updated": "90c142cfb56a4393a83514c418f8f48e",
    "rolled_back": "c9833396cf1145b3a21c396d8a4217bd",
    "failed": "47f03e2625ed4329889c2d78eb43a577",
}
#: Whatever else a verdict may be.
OTHER_MESSAGE_ID = "206a80cd1f7d497fa08a40643e20c1e6"
#: Those of syslog(3): error, warning, notice.
_PRIORITIES = {"failed": 3, "rolled_back": 4}
_NOTICE = 5
_LONGEST = 1000
_LONGEST_CHANGES = 16 * 1024
_MOST_PASSAGES = 50
_MOST_TOLD = 3
_PREFIX = len("sha256:")
_SHORT = _PREFIX + 12


def entry(event: Event) -> bytes:
    """The entry as one datagram of less than 100 KiB, which every kernel's default takes."""
    return b"".join(_field(name, value) for name, value in _fields(event) if value)


def _fields(event: Event) -> t.Iterator[tuple[str, str]]:
    """Names and values; a name with several values is there several times, which journald keeps."""
    yield "MESSAGE", _message(event)
    yield "MESSAGE_ID", MESSAGE_IDS.get(event.verdict, OTHER_MESSAGE_ID)
    yield "PRIORITY", str(_PRIORITIES.get(event.verdict, _NOTICE))
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    yield "UNIT", event.unit
    # What journalctl(1) looks for with --unit where root wrote it, and with --user-unit where the user did.
    yield "OBJECT_SYSTEMD_UNIT" if event.who.uid == 0 else "USER_UNIT", event.unit
    for one in event.passages[:_MOST_PASSAGES]:
        yield "IMAGE", one.image
        yield "BEFORE", one.before[0] or ""
        yield "AFTER", one.after[0] or ""
    yield "VERDICT", event.verdict
    yield "REASON", event.reason or ""
    yield "ERROR", event.error or ""
    yield "JOB_RESULT", event.job_result or ""
    yield "SECONDS", "" if event.seconds is None else f"{event.seconds:.3f}"
    yield "RUN", event.run
    yield "SUDO_USER", event.who.sudo_user or ""
    whole = json.dumps(changes(event.passages), separators=(",", ":"))
    yield "CHANGES", whole if len(whole) <= _LONGEST_CHANGES else ""


def _message(event: Event) -> str:
    said = f"{event.unit or 'a container without a unit'}: {event.verdict}"
    if event.reason:
        said += f" ({event.reason})"
    told = [_passage(one) for one in event.passages[:_MOST_TOLD]]
    if len(event.passages) > len(told):
        told.append(f"and {len(event.passages) - len(told)} more")
    return printable(f"{said}: {', '.join(told)}") if told else printable(said)


def _passage(one: Passage) -> str:
    before, after = (content[0][_PREFIX:_SHORT] if content[0] else "nothing" for content in (one.before, one.after))
    return f"{one.image} {before}" if one.before == one.after else f"{one.image} from {before} to {after}"


def _field(name: str, value: str) -> bytes:
    """One field. Only a value without line breaks may stand behind «=»: otherwise it could make up fields of its own."""
    body = value.encode("utf-8", "replace")
    if name != "CHANGES":
        body = body[:_LONGEST]
    if b"\n" not in body:
        return name.encode() + b"=" + body + b"\n"
    return name.encode() + b"\n" + len(body).to_bytes(8, "little") + body + b"\n"
