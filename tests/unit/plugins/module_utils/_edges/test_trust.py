# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file can be trusted: real files, folders and links."""

from __future__ import annotations

import os
import pathlib
import tempfile
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import trust

_ME = frozenset({0, os.geteuid()})


@pytest.fixture
def folder() -> t.Iterator[pathlib.Path]:
    """A folder that nobody else can write, all the way up."""
    with tempfile.TemporaryDirectory(dir="/root" if os.geteuid() == 0 else pathlib.Path.home()) as name:
        place = pathlib.Path(name).resolve()
        (place / "deep").mkdir(mode=0o755)
        (place / "deep/file").touch(mode=0o600)
        yield place


def test_what_only_its_owner_can_write_is_trusted(folder: pathlib.Path) -> None:
    (folder / "deep/file").chmod(0o644)
    assert trust.objection(f"{folder}/deep/file", _ME) is None
    assert trust.objection(f"{folder}//./deep/../deep/file", _ME) is None


@pytest.mark.parametrize("what", ["deep/file", "deep"])
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o772, 0o1777])
def test_what_others_can_write_is_not(folder: pathlib.Path, what: str, mode: int) -> None:
    (folder / what).chmod(mode)
    objection = trust.objection(f"{folder}/deep/file", _ME)
    assert objection == f"is not trusted: others than its owner can write {folder / what}"


@pytest.mark.parametrize("what", ["deep/file", "deep"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_somebody_else_is_not(folder: pathlib.Path, what: str) -> None:
    os.chown(folder / what, 4242, -1)
    assert f"{folder / what} belongs to user 4242" in str(trust.objection(f"{folder}/deep/file", _ME))
    assert trust.objection(f"{folder}/deep/file", _ME | {4242}) is None


def test_links_are_followed_and_every_place_on_the_way_counts(folder: pathlib.Path) -> None:
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    (folder / "open/file").touch(mode=0o600)
    (folder / "good").symlink_to("deep/file")
    (folder / "bad").symlink_to(folder / "open/file")
    (folder / "open/back").symlink_to("../deep/file")
    assert trust.objection(f"{folder}/good", _ME) is None
    assert "can write" in str(trust.objection(f"{folder}/bad", _ME))
    assert "can write" in str(trust.objection(f"{folder}/open/back", _ME))
    assert "can write" in str(trust.objection(f"{folder}/open/../deep/file", _ME))


def test_links_in_a_circle_end(folder: pathlib.Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert trust.objection(f"{folder}/a", _ME) == "leads through too many links"


def test_what_is_missing_is_trusted_as_far_as_it_goes(folder: pathlib.Path) -> None:
    assert trust.objection(f"{folder}/deep/none/file", _ME) is None
    (folder / "deep").chmod(0o777)
    assert trust.objection(f"{folder}/deep/none", _ME) is not None


@pytest.mark.parametrize("path", ["", "auth.json", "./auth.json", "~/auth.json", "/root/\0"])
def test_only_an_absolute_path_is_one(path: str) -> None:
    assert trust.objection(path, _ME) == "is not an absolute path"


def test_a_file_above_is_said(folder: pathlib.Path) -> None:
    assert trust.objection(f"{folder}/deep/file/more", _ME) == "cannot be looked at: Not a directory"
