# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What crictl prints of images. The texts are containerd 1.7's and CRI-O's, shortened."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import cri_images
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform

_HEX = "0e" * 32
_ID = f"sha256:{_HEX}"
_DIGEST = "sha256:" + "47" * 32
_IMAGE: dict[str, t.Any] = {
    "id": _ID,
    "repoTags": ["docker.io/library/probe:1"],
    "repoDigests": [f"docker.io/library/probe@{_DIGEST}"],
    "size": "1085165",
    "uid": None,
    "username": "",
    "spec": None,
    "pinned": False,
}
_SPEC = {
    "created": "2024-01-01T00:00:00Z",
    "architecture": "amd64",
    "os": "linux",
    "config": {"Labels": {"team": "shop"}},
}


def test_a_listing() -> None:
    (facts,) = cri_images.listed({"images": [_IMAGE]})
    assert (facts.id, facts.name, facts.size, facts.source) == (_ID, "docker.io/library/probe:1", 1085165, "cri")
    assert (facts.digest, facts.digests) == (_DIGEST, frozenset({_DIGEST}))
    assert cri_images.listed({"images": []}) == ()


def test_a_missing_prefix_is_added() -> None:
    """CRI-O leaves it out."""
    (facts,) = cri_images.listed({"images": [{**_IMAGE, "id": _HEX, "repoTags": None, "size": ""}]})
    assert (facts.id, facts.tags, facts.size) == (_ID, (), None)


def _status(identity: str, **info: object) -> str:
    return json.dumps({"status": {**_IMAGE, "id": identity}, "info": info}, indent=2)


def test_details_one_after_another_or_in_a_list() -> None:
    other = "sha256:" + "ab" * 32
    texts = [_status(_ID, imageSpec=_SPEC), _status(other)]
    for output in ("\n".join(texts) + "\n", f"[{','.join(texts)}]"):
        found = cri_images.inspected(output)
        assert list(found) == [_ID, other]
        facts = found[_ID]
        assert (facts.platform, facts.created, facts.labels) == (
            Platform("linux", "amd64"),
            "2024-01-01T00:00:00Z",
            {"team": "shop"},
        )
        assert (found[other].platform, found[other].labels) == (None, {})
    assert cri_images.inspected(" \n") == {}


@pytest.mark.parametrize("document", [[], None, {"images": 3}, {"images": [3]}, {"images": [{"id": "x"}]}])
def test_a_listing_that_is_none_is_refused(document: object) -> None:
    with pytest.raises(StoreError):
        cri_images.listed(document)


@pytest.mark.parametrize("output", ["hello", "{}", '{"status": null}', "[3]", '{"status": {"id": 3}}', "[" * 100_000])
def test_details_that_are_none_are_refused(output: str) -> None:
    with pytest.raises(StoreError) as caught:
        cri_images.inspected(output)
    assert len(str(caught.value)) < 300
