# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs of containerd's content store: only what has the digest that was asked for."""

from __future__ import annotations

import pathlib

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.content_store import ContentStore
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import digest_of

_BODY = b'{"schemaVersion": 2}'


def _blobs(root: pathlib.Path) -> pathlib.Path:
    folder = root / "io.containerd.content.v1.content" / "blobs" / "sha256"
    folder.mkdir(parents=True)
    return folder


def test_a_blob_is_found_below_any_root(tmp_path: pathlib.Path) -> None:
    (_blobs(tmp_path / "b") / digest_of(_BODY)[7:]).write_bytes(_BODY)
    store = ContentStore([str(tmp_path / "a"), str(tmp_path / "b")])
    assert store.blob(digest_of(_BODY)) == _BODY


def test_a_blob_of_another_digest_is_not_believed(tmp_path: pathlib.Path) -> None:
    (_blobs(tmp_path) / digest_of(_BODY)[7:]).write_bytes(b"something else")
    assert ContentStore([str(tmp_path)]).blob(digest_of(_BODY)) is None


def test_what_is_no_digest_names_no_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_bytes(_BODY)
    _blobs(tmp_path)
    assert ContentStore([str(tmp_path)]).blob("sha256:../../../secret") is None
