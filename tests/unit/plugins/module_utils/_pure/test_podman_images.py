# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What podman and its storage say of images, read as facts. The texts are those of 5.4.2 and 4.3.1, shortened."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import podman_images
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_HEX = "0e" * 32
_ID = f"sha256:{_HEX}"
_OTHER = "sha256:" + "bb" * 32
_DIGEST = "sha256:" + "47" * 32
_INDEX = "sha256:" + "8b" * 32
_NAME = "10.78.0.1:5000/team/web"

_LISTED = {
    "Id": _HEX,
    "RepoTags": None,
    "RepoDigests": [f"{_NAME}@{_DIGEST}", f"{_NAME}@{_INDEX}"],
    "Size": 2008658,
    "Labels": {"team": "shop"},
    "Digest": _INDEX,
    "Names": [f"{_NAME}:latest", f"{_NAME}@{_DIGEST}", "localhost/web:1"],
    "Created": 1704067200,
    "CreatedAt": "2024-01-01T00:00:00Z",
}
_INSPECTED = {
    "Id": _HEX,
    "Digest": _INDEX,
    "RepoTags": [f"{_NAME}:latest", "localhost/web:1"],
    "RepoDigests": [f"{_NAME}@{_DIGEST}", f"{_NAME}@{_INDEX}"],
    "Created": "2024-01-01T01:00:00.5+01:00",
    "Architecture": "arm",
    "Os": "linux",
    "Size": 2009472,
    "Labels": None,
}
_STORED = {
    "id": _HEX,
    "digest": _DIGEST,
    "names": [f"{_NAME}:latest", f"{_NAME}@{_DIGEST}"],
    "big-data-names": [_ID, f"manifest-{_DIGEST}", f"manifest-{_INDEX}", "manifest", "signature-47"],
}


def test_a_listing() -> None:
    (facts,) = podman_images.listed([_LISTED])
    assert facts == ImageFacts(
        id=_ID,
        source="podman",
        name=f"{_NAME}:latest",
        digest=_INDEX,
        digests=frozenset({_DIGEST, _INDEX}),
        tags=(f"{_NAME}:latest", "localhost/web:1"),
        repo_digests=(f"{_NAME}@{_DIGEST}", f"{_NAME}@{_INDEX}"),
        created="2024-01-01T00:00:00Z",
        size=2008658,
        labels={"team": "shop"},
    )


def test_a_listing_of_an_image_without_names() -> None:
    (facts,) = podman_images.listed([{"Id": _HEX, "Names": None, "Created": 1704067200}])
    assert (facts.name, facts.tags, facts.digest, facts.created) == (None, (), None, "2024-01-01T00:00:00Z")


def test_details() -> None:
    facts = podman_images.inspected([_INSPECTED])[_ID]
    assert (facts.platform, facts.created, facts.size) == (Platform("linux", "arm"), "2024-01-01T00:00:00.5Z", 2009472)
    assert (facts.tags, facts.labels) == ((f"{_NAME}:latest", "localhost/web:1"), {})


@pytest.mark.parametrize("document", [{}, None, "x", [1], [{}], [{"Id": "x"}], [{"Id": 3}]])
@pytest.mark.parametrize("read", [podman_images.listed, podman_images.inspected])
def test_nonsense_is_refused(read: t.Callable[[object], object], document: object) -> None:
    with pytest.raises(StoreError):
        read(document)


def test_the_index_of_the_storage() -> None:
    (stored,) = podman_images.stored([_STORED, {"id": "short"}, 7])
    assert stored == podman_images.StoredImage(
        _ID, (f"{_NAME}:latest", f"{_NAME}@{_DIGEST}"), frozenset({_DIGEST, _INDEX}), _ID, is_manifest_list=False
    )
    facts = podman_images.only_stored(stored)
    assert (facts.id, facts.name, facts.tags) == (_ID, f"{_NAME}:latest", (f"{_NAME}:latest",))
    assert facts.repo_digests == tuple(sorted([f"{_NAME}@{_DIGEST}", f"{_NAME}@{_INDEX}"]))


def _with(*names: str) -> podman_images.StoredImage:
    (stored,) = podman_images.stored([{**_STORED, "big-data-names": ["manifest", *names]}])
    return stored


def test_the_id_is_the_config_digest_where_podmans_is_another() -> None:
    """As after a pull in parts (zstd:chunked)."""
    (facts,) = podman_images.listed([_LISTED])
    put_right = podman_images.as_stored(facts, _with(_OTHER))
    assert (put_right.id, put_right.engine_id, put_right.reason) == (_OTHER, _ID, None)
    assert podman_images.key_of(put_right) == _ID


@pytest.mark.parametrize("names", [(), (_OTHER, _DIGEST)])
def test_an_id_that_cannot_be_told_is_none(names: tuple[str, ...]) -> None:
    (facts,) = podman_images.listed([_LISTED])
    unknown = podman_images.as_stored(facts, _with(*names))
    assert (unknown.id, unknown.engine_id, unknown.reason) == (None, _ID, Reason.ID_NOT_CONFIG)


def test_podmans_id_is_the_better_witness() -> None:
    assert _with(_OTHER, _ID).config_digest == _ID


def test_a_manifest_list_has_no_id() -> None:
    (facts,) = podman_images.listed([_LISTED])
    a_list = podman_images.as_stored(facts, _with("instances.json"))
    assert (a_list.id, a_list.engine_id, a_list.is_manifest_list) == (None, _ID, True)
    assert a_list.reason is Reason.ID_NOT_CONFIG


def test_what_the_storage_does_not_know_stays_as_podman_says() -> None:
    (facts,) = podman_images.listed([_LISTED])
    assert podman_images.as_stored(facts, None) is facts


def test_the_folders_of_the_storage() -> None:
    store = {"graphDriverName": "overlay", "graphRoot": "/var/lib/containers/storage", "graphOptions": {}}
    assert podman_images.graph({"store": store}) == ("overlay", ("/var/lib/containers/storage",))
    more = {**store, "graphOptions": {"overlay.additionalImageStores": ["/srv/images", 3]}}
    assert podman_images.graph({"store": more})[1] == ("/var/lib/containers/storage", "/srv/images")
    for wrong in ({}, {"store": None}, {"store": {**store, "graphDriverName": "../x"}}, []):
        assert podman_images.graph(wrong) == ("", ())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([_ID, _HEX, f"x@{_DIGEST}"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*_LISTED, *_INSPECTED, *_STORED]), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from([*_LISTED, *_INSPECTED, *_STORED]), _JSON, max_size=8), max_size=3))
def test_any_json_is_read_or_refused(document: list[dict[str, object]]) -> None:
    for entry in document:
        entry.update({"Id": _HEX, "id": _HEX})
    podman_images.inspected(document)
    listed = podman_images.listed(document)
    assert all(facts.id == _ID and all("@" not in tag for tag in facts.tags) for facts in listed)
    for stored in podman_images.stored(document):
        assert podman_images.key_of(podman_images.only_stored(stored)) == _ID


@given(_JSON)
def test_any_index_of_a_storage_is_read(document: object) -> None:
    assert all(one.engine_id for one in podman_images.stored(document))
    driver, roots = podman_images.graph(document)
    assert driver or not roots
