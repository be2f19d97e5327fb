# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, said so that the reader knows what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


class CommandError(LabError):
    """A command on this machine failed."""

    def __init__(
        self, argv: Sequence[str], returncode: int | None, stdout: str, stderr: str, where: str = "this machine"
    ) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        outcome = "did not end in time" if returncode is None else f"exited {returncode}"
        parts = [f"on {where}, «{shlex.join(self.argv)}» {outcome}"]
        for name, text in (("stdout", stdout), ("stderr", stderr)):
            if text.strip():
                parts.append(f"--- {name}\n{text.rstrip()[-4000:]}")
        super().__init__("\n".join(parts))


class HostCommandError(CommandError):
    """A command inside a lab host failed (returncode None: it was stopped for taking too long)."""
