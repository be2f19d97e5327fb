# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of unit files: real ones, with real files, links and pipes in them."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.unit_folders import UnitFolders, packaged
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_files import marker
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_styles import Folder

_QUADLET = Folder.QUADLET
_OURS = f"{marker('shop')}\n[Container]\nImage=a\n"


@pytest.fixture
def folders(tmp_path: pathlib.Path) -> UnitFolders:
    """None of them is there yet."""
    return UnitFolders({folder: str(tmp_path / "etc" / folder.value) for folder in Folder})


def test_the_folders_of_the_system_and_of_a_user() -> None:
    assert UnitFolders.of_system().path(_QUADLET, "web.container") == "/etc/containers/systemd/web.container"
    user = UnitFolders.of_user("/home/ann")
    assert user.path(_QUADLET, "web.container") == "/home/ann/.config/containers/systemd/web.container"
    assert user.path(Folder.SYSTEMD, "web.service") == "/home/ann/.config/systemd/user/web.service"


def test_a_unit_of_a_package_is_found_where_one_of_ours_would_hide_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "ssh.service").write_text("", encoding="utf-8")
    places = [str(tmp_path / "none"), str(tmp_path)]
    assert packaged("ssh.service", user=False, places=places) == f"{tmp_path}/system/ssh.service"
    assert packaged("ssh.service", user=True, places=places) is None
    assert packaged("web.service", user=False, places=places) is None


def test_a_folder_that_is_not_there_holds_nothing(folders: UnitFolders) -> None:
    assert folders.read(_QUADLET, "web.container") is None
    assert folders.modified(folders.path(_QUADLET, "web.container")) is None
    assert folders.owned("shop") == {}
    folders.remove(_QUADLET, "web.container")


def test_a_file_is_written_whole_for_all_to_read_and_no_draft_stays(folders: UnitFolders) -> None:
    previous = os.umask(0o077)
    try:
        folders.write(_QUADLET, "web.container", _OURS, keep_time=False)
    finally:
        os.umask(previous)
    path = pathlib.Path(folders.path(_QUADLET, "web.container"))
    assert (path.read_bytes().decode(), stat.S_IMODE(path.stat().st_mode)) == (_OURS, 0o644)
    assert [one.name for one in path.parent.iterdir()] == ["web.container"]


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_file_that_says_nothing_new_can_keep_its_time(folders: UnitFolders, keep_time: bool) -> None:
    folders.write(_QUADLET, "web.container", _OURS, keep_time=False)
    path = folders.path(_QUADLET, "web.container")
    os.utime(path, (1000, 1000))
    folders.write(_QUADLET, "web.container", f"{_OURS}#\n", keep_time=keep_time)
    assert folders.read(_QUADLET, "web.container") == f"{_OURS}#\n"
    assert (folders.modified(path) == 1000) is keep_time


def test_a_write_that_fails_leaves_what_was_there(folders: UnitFolders) -> None:
    folders.write(_QUADLET, "web.container", _OURS, keep_time=False)
    with pytest.raises(UnicodeEncodeError):
        folders.write(_QUADLET, "web.container", "\ud800", keep_time=False)
    path = pathlib.Path(folders.path(_QUADLET, "web.container"))
    assert path.read_text(encoding="utf-8") == _OURS
    assert [one.name for one in path.parent.iterdir()] == ["web.container"]


def test_only_files_that_the_group_marked_are_its_own(folders: UnitFolders, tmp_path: pathlib.Path) -> None:
    folders.write(_QUADLET, "web.container", _OURS, keep_time=False)
    folders.write(Folder.SYSTEMD, "db.service", _OURS, keep_time=False)
    folders.write(_QUADLET, "other.container", _OURS.replace("shop", "other"), keep_time=False)
    folders.write(_QUADLET, "foreign.container", f"\n{_OURS}", keep_time=False)
    place = pathlib.Path(folders.path(_QUADLET, "."))
    (place / "folder.container").mkdir()
    os.mkfifo(place / "pipe.container")
    (tmp_path / "elsewhere").write_text(_OURS, encoding="utf-8")
    (place / "link.container").symlink_to(tmp_path / "elsewhere")
    assert set(folders.owned("shop")) == {(_QUADLET, "web.container"), (Folder.SYSTEMD, "db.service")}
    assert folders.owned("shop")[_QUADLET, "web.container"] == _OURS


def test_what_is_no_readable_text_file_is_somebody_elses(folders: UnitFolders, tmp_path: pathlib.Path) -> None:
    """An empty text has no marker, so it is left alone; a link is never followed, not even to a file of ours."""
    folders.write(_QUADLET, "web.container", _OURS, keep_time=False)
    place = pathlib.Path(folders.path(_QUADLET, "."))
    os.mkfifo(place / "pipe")
    (place / "folder").mkdir()
    (place / "link").symlink_to("web.container")
    (place / "broken").symlink_to(tmp_path / "nowhere")
    assert {name: folders.read(_QUADLET, name) for name in ("pipe", "folder", "link", "broken")} == {
        "pipe": "", "folder": "", "link": "", "broken": "",
    }  # fmt: skip
    (place / "bytes").write_bytes(b"\xff\xfe")
    assert folders.read(_QUADLET, "bytes") == "\ufffd\ufffd"
