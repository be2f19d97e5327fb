# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command on this machine: no shell, always bounded, with an error that shows everything."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from .errors import CommandError


def as_text(value: object) -> str:
    """Whatever TimeoutExpired carried (bytes, str or None) as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    check: bool = True,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    show: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run ``argv``; ``show`` lets its output go to the caller's terminal instead of collecting it."""
    pipe = None if show else subprocess.PIPE
    # Nothing to say to the command is an empty input, not the terminal of whoever called us.
    said = None if show else input or ""
    try:
        done = subprocess.run(
            list(argv),
            check=False,
            env=dict(env) if env is not None else None,
            errors="replace",
            input=said,
            stdout=pipe,
            stderr=pipe,
            text=True,
            timeout=timeout,
        )
    except FileNotFoundError as missing:
        raise CommandError(argv, 127, "", f"{missing}; «lab.py probe» tells which package has it") from missing
    except subprocess.TimeoutExpired as late:
        raise CommandError(argv, None, as_text(late.stdout), as_text(late.stderr)) from late
    if check and done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stdout or "", done.stderr or "")
    return done
