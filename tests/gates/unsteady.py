# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that fail once: on a busy machine a few among thousands may, so they are tried once more, and told."""

from __future__ import annotations

import re
import typing as t

from running import GateError, Log, say

#: So many failures may be the machine's; more are not tried again.
_MOST_TRIED_AGAIN = 3
_FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


def twice(
    gate: str,
    work: t.Callable[[], None],
    log: Log,
    *,
    failed_tests: t.Callable[[], list[str]] | None = None,
    again: t.Callable[[], None] | None = None,
) -> None:
    """Run tests, and try C(again) where a few failed; what passes then is named.

    Without C(failed_tests) they are those that pytest's summary in the log names; without C(again) all are run once more, for
    what stops at a failure has not run the rest.

    Raises:
        GateError: They fail again, or more failed than a busy machine explains.
    """
    try:
        work()
    except GateError as error:
        failed = failed_tests() if failed_tests else _FAILED.findall(log.path.read_text("utf-8", "replace"))
        if not 0 < len(failed) <= _MOST_TRIED_AGAIN:
            raise
        log.note(f"{error}; once more: {', '.join(failed)}")
        (again or work)()
        say("".join(f"  UNSTEADY  {gate}: failed at first, passed when tried again: {one}\n" for one in failed))
