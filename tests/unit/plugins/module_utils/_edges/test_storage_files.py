# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of podman's storage: read where they are as expected, and no matter where they are not."""

from __future__ import annotations

import base64
import json
import os
import pathlib

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.storage_files import StorageFiles
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform

_HEX = "0e" * 32
_ID = f"sha256:{_HEX}"


def _store(root: pathlib.Path, *names: str, config: bytes = b"{}") -> StorageFiles:
    folder = root / "overlay-images"
    (folder / _HEX).mkdir(parents=True)
    entry = {"id": _HEX, "names": list(names), "big-data-names": [_ID, "manifest"]}
    (folder / "images.json").write_text(json.dumps([entry]), encoding="utf-8")
    (folder / _HEX / ("=" + base64.b64encode(_ID.encode()).decode())).write_bytes(config)
    return StorageFiles("overlay", [str(root)])


def test_the_index_and_the_config_are_read(tmp_path: pathlib.Path) -> None:
    config = {"os": "linux", "architecture": "arm", "variant": "v7"}
    files = _store(tmp_path, "localhost/web:1", config=json.dumps(config).encode())
    image = files.images()[_ID]
    assert (image.engine_id, image.names) == (_ID, ("localhost/web:1",))
    assert files.platform(image) == Platform("linux", "arm", "v7")


def test_the_users_own_storage_wins(tmp_path: pathlib.Path) -> None:
    _store(tmp_path / "own", "localhost/own:1")
    _store(tmp_path / "shared", "localhost/shared:1")
    files = StorageFiles("overlay", [str(tmp_path / "own"), str(tmp_path / "shared")])
    assert [image.names for image in files.images().values()] == [("localhost/own:1",)]


@pytest.mark.parametrize("index", [b"", b"{", b"{}", b"[3]", b"\xff", b"[" * 100_000])
def test_an_index_that_is_none_holds_nothing(tmp_path: pathlib.Path, index: bytes) -> None:
    files = _store(tmp_path)
    (tmp_path / "overlay-images" / "images.json").write_bytes(index)
    assert files.images() == {}


def test_what_is_not_there_tells_nothing(tmp_path: pathlib.Path) -> None:
    assert StorageFiles("overlay", [str(tmp_path)]).images() == {}
    assert StorageFiles("", [str(tmp_path)]).images() == {}
    files = _store(tmp_path, config=b"no JSON")
    image = files.images()[_ID]
    assert files.platform(image) is None
    next((tmp_path / "overlay-images" / _HEX).iterdir()).unlink()
    assert files.platform(image) is None


def test_an_absurdly_large_file_is_left_alone(tmp_path: pathlib.Path) -> None:
    files = _store(tmp_path)
    os.truncate(tmp_path / "overlay-images" / "images.json", 2**40)
    assert files.images() == {}
