# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private files: gone when their process is, at the latest with the next run."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import private_files


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    found = tmp_path / "podfleet"
    monkeypatch.setattr(private_files, "_folder", lambda: found)
    return found


def test_what_a_killed_process_left_is_removed_and_nothing_else(folder: pathlib.Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = f"auth-{int(ended.stdout)}-x.json"
    with private_files.private_file("secret") as mine:
        for name in (left, "auth-x.json", "other-1-.json"):
            (folder / name).touch()
        private_files.sweep()
        assert {one.name for one in folder.iterdir()} == {pathlib.Path(mine).name, "auth-x.json", "other-1-.json"}
        assert pathlib.Path(mine).read_text(encoding="utf-8") == "secret"
        assert pathlib.Path(mine).stat().st_mode & 0o777 == 0o600
    assert not pathlib.Path(mine).exists()


def test_a_folder_that_holds_nothing_else_goes_with_it(folder: pathlib.Path) -> None:
    private_files.sweep()
    folder.mkdir(mode=0o700)
    (folder / "auth-999999999-x.json").touch()
    private_files.sweep()
    assert not folder.exists()


def test_a_folder_that_others_can_enter_is_not_swept(folder: pathlib.Path) -> None:
    folder.mkdir(mode=0o755)
    (folder / "auth-999999999-x.json").touch()
    private_files.sweep()
    assert [one.name for one in folder.iterdir()] == ["auth-999999999-x.json"]
