# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that fail once: on a busy machine a few among thousands may, so they are tried once more, and told."""

from __future__ import annotations

import re
import typing as t

from running import GateError, Log, say

#: So many failures may be the machine's; more are not tried again.
MOST_TRIED_AGAIN = 3
_FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


def twice(gate: str, work: t.Callable[[], None], log: Log) -> None:
    """Run tests, and all of them once more where a few failed: what stops at a failure has not run the rest.

    Raises:
        GateError: They fail again, or more failed than a busy machine explains.
    """
    try:
        work()
    except GateError as error:
        failed = failed_tests(log)
        if not 0 < len(failed) <= MOST_TRIED_AGAIN:
            raise
        log.note(f"{error}; once more, because of {', '.join(failed)}")
        work()
        tell(gate, failed)


def failed_tests(log: Log) -> list[str]:
    """The tests that pytest's summary names."""
    return _FAILED.findall(log.path.read_text(encoding="utf-8", errors="replace"))


def tell(gate: str, failed: t.Sequence[str]) -> None:
    """Name what passed only when it was tried again."""
    say("".join(f"  UNSTEADY  {gate}: failed at first, passed when tried again: {one}\n" for one in failed))
