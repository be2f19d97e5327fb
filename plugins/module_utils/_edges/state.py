# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""The state file on this host: read strictly, written so that a crash leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import typing as t

from .._pure.errors import StateError
from .._pure.state import State, parse_state, render_state
from .state_folder import StateFolder

if t.TYPE_CHECKING:
    import pathlib

_NAME = "state.json"
#: No state that this collection writes comes near.
_LONGEST = 4 * 1024 * 1024


class StateFile:
    """The state of the user who runs this process; C(folder) is another place than theirs."""

    def __init__(self, folder: pathlib.Path | None = None) -> None:
        self._folder = StateFolder(folder)
        self._path = self._folder.path / _NAME

    def read(self) -> State:
        """What is remembered; nothing where there is no file.

        Raises:
            StateError: The file cannot be read or used (C(state_invalid)).
        """
        try:
            with self._path.open("rb") as file:
                body = file.read(_LONGEST + 1)
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise StateError(f"{self._path} cannot be read: {error.strerror}") from None
        return parse_state(body, str(self._path))

    def tidy(self) -> None:
        """Remove what processes that were killed while they wrote have left."""
        with contextlib.suppress(StateError, OSError):  # Whoever must write says what is wrong.
            self._folder.tidy()

    def change(self, change: t.Callable[[State], State]) -> State:
        """Replace what is remembered by what C(change) makes of it; one process at a time.

        Raises:
            StateError: The file cannot be read, used or written (C(state_invalid)), another process keeps it
                (C(lock_busy)), or what it was to hold could not be read again.
        """
        try:
            with self._folder.alone():
                before = self.read()
                after = change(before)
                if after != before:
                    self._folder.replace(_NAME, self._sound(render_state(after)))
                return after
        except OSError as error:
            raise StateError(f"{self._path} cannot be written: {error.strerror}") from None

    def _sound(self, body: bytes) -> bytes:
        """The same, if it can be read again: a file that cannot would end every later run."""
        why = f"it would have more than {_LONGEST} bytes" if len(body) > _LONGEST else None
        try:
            parse_state(body, "it")
        except StateError as error:
            why = str(error)
        if why is not None:
            said = f"{self._path} stays as it is, because what was to be remembered could not be read again: {why}"
            raise StateError(said)
        return body
