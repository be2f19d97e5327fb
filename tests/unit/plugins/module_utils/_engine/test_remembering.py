# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a host: the history and the journal are written each, whatever happens to the other."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import state_folder
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.history import HistoryFile
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.journal import Journal
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.remembering import HostMemory
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StateError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.history import Event, Who
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_NOON = datetime(2026, 11, 21, tzinfo=timezone.utc)
EVENT = Event(_NOON, "1", Who(0, "root"), "web.service", "updated", None, None, "done", 2.5, ())


def test_without_a_journal_the_history_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_folder, "_default_path", lambda _environment: tmp_path)
    memory = HostMemory(Journal(tmp_path / "none"))
    with pytest.raises(StateError) as caught:
        memory.add([EVENT])
    assert caught.value.reason is Reason.NO_JOURNAL
    assert HistoryFile(tmp_path).read() == (EVENT,)


def test_both_errors_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "history.jsonl").mkdir()
    monkeypatch.setattr(state_folder, "_default_path", lambda _environment: tmp_path)
    with pytest.raises(StateError, match=r"history.jsonl cannot be written.*takes no entry"):
        HostMemory(Journal(tmp_path / "none")).add([EVENT])
