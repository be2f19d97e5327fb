# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives whose documents are not what they should be: a clear error, whatever they say."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives import making
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.making import (
    ONE,
    TWO,
    Files,
    as_json,
    digest,
    docker,
    docker_archive,
    entry,
    file_of,
    layout,
    packed,
    put_blob,
    put_image,
    unpacked,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.measuring import (
    cheap,
    refused_as_invalid,
)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"[" * 1_000_000, "values"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"[" + b"[]," * 1_000_000 + b"[]]", "values"),
        (b"[" + b'{"Config":"x"},' * 1000 + b"{}]", "1001 images"),
        (b'[{"Config":"\xff"}]', "not JSON"),
        (b'[{"Config":"\\ud800"}]', "missing"),
        (b"{}", "no list"),
        (b"null", "no list"),
        (b"[null]", "names no config"),
        (b'[{"Config":""}]', "names no config"),
        (b'[{"Config":7}]', "names no config"),
        (b'[{"Config":"gone"}]', "missing"),
        (b'[{"Config":"manifest.json"}]', "not a JSON object"),
        (b'[{"Config":"../../../../etc/passwd"}]', "missing"),
        (b'[{"Config":"/etc/passwd"}]', "missing"),
        (b'[{"Config":"config.json","Layers":"x"}]', "not a list"),
        (b'[{"Config":"config.json","Layers":["gone"]}]', "missing"),
        (b'[{"Config":"config.json","Layers":["/dev/zero"]}]', "missing"),
        (b'[{"Config":"config.json","Layers":[["x"]]}]', "not a list of texts"),
        (b'[{"Config":"config.json","RepoTags":["UPPER"]}]', "lowercase"),
        (b'[{"Config":"config.json","RepoTags":["a:\\u001b[2J"]}]', "unusable name"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_a_list_of_images_that_is_none(tmp_path: pathlib.Path, body: bytes, said: str) -> None:
    name = docker(tmp_path, packed({"config.json": ONE, "manifest.json": body}))
    told = refused_as_invalid(name)
    assert said in told
    assert told.isprintable()
    if len(body) > 10_000:
        assert cheap(name).said == told


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b" ", "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no list"),
        (as_json({"manifests": [{}] * 1001}), "1001 images"),
        (as_json({"manifests": [None]}), "digest"),
        (as_json({"manifests": [{"digest": "sha256:../../../../etc/passwd"}]}), "digest"),
        (as_json({"manifests": [{"digest": "sha512:" + "0" * 128}]}), "digest"),
        (as_json({"manifests": [{"digest": "sha256:" + "0" * 64}]}), "missing"),
        (as_json({"manifests": [{"digest": digest(b"junk")}]}), "not JSON"),
        (as_json({"manifests": [{"digest": digest(b"{}")}]}), "neither a manifest nor an index"),
        (as_json({"manifests": [{"digest": digest(b'{"schemaVersion":1}')}]}), "schema 1"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_an_index_that_is_none(tmp_path: pathlib.Path, body: bytes, said: str) -> None:
    files: Files = {}
    for blob in (b"junk", b"{}", b'{"schemaVersion":1}'):
        put_blob(files, blob)
    files["index.json"] = body
    assert said in refused_as_invalid(f"oci:{unpacked(files, tmp_path / 'layout')}")
    assert said in refused_as_invalid(f"oci-archive:{file_of(tmp_path, packed(files))}")


def test_documents_that_are_too_large_together(tmp_path: pathlib.Path) -> None:
    large = ONE + b" " * (4 * 1024 * 1024 - len(ONE))
    items = [{"Config": "config.json"}] * 17
    found = cheap(docker(tmp_path, packed({"config.json": large, "manifest.json": as_json(items)})))
    assert (found.reason, "in all" in found.said) == ("archive_invalid", True)


def test_content_that_is_not_what_its_name_says(tmp_path: pathlib.Path) -> None:
    files = docker_archive((ONE, "a:1"))
    swapped = {name: TWO if body == ONE else body for name, body in files.items()}
    assert "another digest" in refused_as_invalid(docker(tmp_path, packed(swapped)))
    for victim in ("manifest", "config"):
        blobs: Files = {}
        of = put_image(blobs, ONE)
        name = of if victim == "manifest" else digest(ONE)
        made = layout({**blobs, f"blobs/sha256/{name[7:]}": TWO}, entry(of))
        assert "another digest" in refused_as_invalid(f"oci-archive:{file_of(tmp_path, packed(made))}")
        assert "another digest" in refused_as_invalid(f"oci:{unpacked(made, tmp_path / victim)}")


def test_an_index_that_names_itself(tmp_path: pathlib.Path) -> None:
    """No honest digest can make a circle; a forged one is found out at once."""
    of = "sha256:" + "1" * 64
    body = as_json({"schemaVersion": 2, "manifests": [{"digest": of}]})
    made = layout({f"blobs/sha256/{of[7:]}": body}, entry(of, making.INDEX))
    assert "another digest" in refused_as_invalid(f"oci:{unpacked(made, tmp_path)}")
