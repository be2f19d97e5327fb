# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests and indexes: every byte comes from a stranger."""

from __future__ import annotations

import contextlib
import hashlib
import json
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import manifests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import (
    Index,
    Manifest,
    ManifestError,
    NoInstanceError,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform

_AMD64 = Platform("linux", "amd64")


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


def _instance(number: int, platform: str | None, **more: object) -> dict[str, object]:
    entry: dict[str, object] = {"digest": _digest(number), "size": 7, **more}
    if platform is not None:
        os, architecture, *variant = platform.split("/")
        entry["platform"] = {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
    return entry


def _index(*entries: object) -> Index:
    found = manifests.parse(json.dumps({"schemaVersion": 2, "manifests": entries}).encode())
    assert isinstance(found, Index)
    return found


_ZSTD = {"annotations": {"io.github.containers.compression.zstd": "true"}}


def test_a_manifest_tells_the_image_id_and_the_bytes_of_its_layers() -> None:
    body = {"schemaVersion": 2, "config": {"digest": _digest(1), "size": 999}, "layers": [{"size": 10}, {"size": 32}]}
    assert manifests.parse(json.dumps(body).encode()) == Manifest(_digest(1), 42)


def test_the_layers_that_have_a_digest_and_a_size_are_told() -> None:
    digest = "sha256:" + "ab" * 32
    layers = [{"digest": digest, "size": 7}, {"digest": "sha256:ab", "size": 8}, {"digest": digest}, {"size": 9}, 1]
    body = json.dumps({"schemaVersion": 2, "config": {"digest": digest}, "layers": layers}).encode()
    assert manifests.parse(body) == Manifest(digest, 24, ((digest, 7),))


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        (None, 0),
        ([], 0),
        ("junk", 0),
        ([{"size": -5}, {"size": 3}], 3),
        ([{"size": "9"}, None, 4, {}], 0),
        ([{"size": 1.5}], 0),
    ],
)
def test_sizes_that_are_none_do_not_count(layers: object, size: int) -> None:
    body = {"config": {"digest": _digest(1)}, "layers": layers}
    assert manifests.parse(json.dumps(body).encode()) == Manifest(_digest(1), size)


class Refused(t.NamedTuple):
    """A body that is no manifest, and what the error says."""

    body: bytes
    said: str


def _said(document: object, said: str) -> Refused:
    return Refused(json.dumps(document).encode(), said)


_REFUSED = [
    Refused(b"", "not JSON"),
    Refused(b"<html>", "not JSON"),
    Refused(b"\xff\xfe", "not JSON"),
    Refused(b"[" * 100_000, "not JSON"),
    Refused(b'{"a":' * 100_000, "not JSON"),
    Refused(b"9" * 100_000, "not a JSON object"),
    _said([], "not a JSON object"),
    _said("text", "not a JSON object"),
    _said(None, "not a JSON object"),
    _said({}, "neither a manifest nor an index"),
    _said({"schemaVersion": 1, "fsLayers": [], "history": []}, "schema 1"),
    _said({"schemaVersion": 1, "manifests": []}, "schema 1"),
    _said({"config": None}, "neither"),
    _said({"config": {"digest": "sha256:junk"}}, "neither"),
    _said({"config": {"digest": None}}, "neither"),
    _said({"config": [_digest(1)]}, "neither"),
    _said({"manifests": None}, "not a list"),
    _said({"manifests": {"digest": _digest(1)}}, "not a list"),
    _said({"manifests": [None]}, "without a valid digest"),
    _said({"manifests": [{"digest": _digest(1) + "\n"}]}, "without a valid digest"),
    _said({"manifests": [_instance(1, "linux/amd64"), {"platform": {}}]}, "without a valid digest"),
    _said({"manifests": [], "config": {}}, "neither"),
]


@pytest.mark.parametrize("case", _REFUSED, ids=lambda case: repr(case.body[:50]))
def test_what_is_no_manifest_is_refused(case: Refused) -> None:
    with pytest.raises(ManifestError, match=case.said):
        manifests.parse(case.body)


class Choice(t.NamedTuple):
    """Which entry of an index a platform gets (its number)."""

    why: str
    entries: tuple[dict[str, object], ...]
    platform: str
    chosen: int


_CHOICES = [
    Choice("the only match", (_instance(1, "linux/arm64"), _instance(2, "linux/amd64")), "linux/amd64", 2),
    Choice("the earlier of two", (_instance(1, "linux/amd64"), _instance(2, "linux/amd64")), "linux/amd64", 1),
    Choice("zstd before gzip", (_instance(1, "linux/amd64"), _instance(2, "linux/amd64", **_ZSTD)), "linux/amd64", 2),
    Choice(
        "the earlier zstd",
        (_instance(1, "linux/amd64", **_ZSTD), _instance(2, "linux/amd64", **_ZSTD)),
        "linux/amd64",
        1,
    ),
    Choice(
        "zstd of another platform does not count",
        (_instance(1, "linux/arm64", **_ZSTD), _instance(2, "linux/amd64")),
        "linux/amd64",
        2,
    ),
    Choice(
        "the better variant before zstd",
        (_instance(1, "linux/arm/v6", **_ZSTD), _instance(2, "linux/arm/v7")),
        "linux/arm/v7",
        2,
    ),
    Choice("a lower variant", (_instance(1, "linux/arm/v8"), _instance(2, "linux/arm/v6")), "linux/arm/v7", 2),
    Choice("no variant as the last", (_instance(1, "linux/arm"), _instance(2, "linux/arm/v5")), "linux/arm/v7", 2),
    Choice(
        "no variant first if none is wanted",
        (_instance(1, "linux/arm64/v8"), _instance(2, "linux/arm64")),
        "linux/arm64",
        2,
    ),
    Choice("v8 if none is wanted and only that is there", (_instance(1, "linux/arm64/v8"),), "linux/arm64", 1),
    Choice("odd names of a platform", (_instance(1, "Linux/x86_64"),), "linux/amd64", 1),
    Choice("unlabelled as the last", (_instance(1, None), _instance(2, "linux/amd64")), "linux/amd64", 2),
    Choice("unlabelled before nothing", (_instance(1, "linux/s390x"), _instance(2, None)), "linux/amd64", 2),
    Choice(
        "an attestation is no image",
        (_instance(1, "unknown/unknown"), _instance(2, "linux/amd64"), _instance(3, "unknown/unknown")),
        "linux/amd64",
        2,
    ),
    Choice(
        "a junk platform is none",
        ({"digest": _digest(1), "platform": []}, _instance(2, "linux/amd64")),
        "linux/amd64",
        2,
    ),
    Choice("a junk annotation is none", (_instance(1, "linux/amd64", annotations=[]),), "linux/amd64", 1),
]


@pytest.mark.parametrize("case", _CHOICES, ids=lambda case: case.why)
def test_the_instance_is_the_one_that_podman_would_choose(case: Choice) -> None:
    assert _index(*case.entries).choose(Platform(*case.platform.split("/"))).digest == _digest(case.chosen)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (_instance(1, "linux/arm64"),),
        (_instance(1, "windows/amd64"),),
        (_instance(1, "unknown/unknown"),),
        (_instance(1, "linux/amd64/v3"),),
    ],
)
def test_an_index_without_the_platform_says_so(entries: tuple[dict[str, object], ...]) -> None:
    with pytest.raises(NoInstanceError, match="no image for linux/amd64"):
        _index(*entries).choose(_AMD64)


def test_a_digest_is_that_of_the_bytes() -> None:
    assert manifests.digest_of(b"x") == "sha256:" + hashlib.sha256(b"x").hexdigest()


def test_all_four_types_are_accepted() -> None:
    assert manifests.ACCEPT.count("application/vnd.") == 4
    for part in ("oci.image.manifest", "oci.image.index", "docker.distribution.manifest.v2", "manifest.list"):
        assert part in manifests.ACCEPT


_key = st.sampled_from(
    [
        "manifests",
        "config",
        "digest",
        "layers",
        "size",
        "platform",
        "os",
        "architecture",
        "variant",
        "schemaVersion",
        "annotations",
    ]
)
_junk: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(_digest(1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_key, inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf{}")
@example(b"{}\x00")
def test_arbitrary_bytes_give_only_the_documented_error(body: bytes) -> None:
    with contextlib.suppress(ManifestError):
        manifests.parse(body)


@given(st.dictionaries(_key, _junk, max_size=5))
@example({"manifests": [{"digest": _digest(1), "platform": {"os": "linux", "architecture": 1}}]})
@example({"manifests": [{"digest": _digest(1), "platform": {"os": "linux", "architecture": "amd64", "variant": None}}]})
def test_arbitrary_documents_give_only_the_documented_error(document: dict[str, object]) -> None:
    try:
        found = manifests.parse(json.dumps(document).encode())
        if isinstance(found, Index):
            found.choose(_AMD64)
    except ManifestError:
        pass


@given(st.lists(st.sampled_from(["linux/amd64", "linux/arm64", "linux/arm/v7", "unknown/unknown", None]), max_size=6))
def test_what_is_chosen_is_in_the_index_and_of_the_platform(platforms: list[str | None]) -> None:
    index = _index(*(_instance(number, platform) for number, platform in enumerate(platforms)))
    matching = [number for number, platform in enumerate(platforms) if platform == "linux/amd64"]
    unlabelled = [number for number, platform in enumerate(platforms) if platform is None]
    try:
        chosen = index.choose(_AMD64).digest
    except NoInstanceError:
        assert not matching
        assert not unlabelled
    else:
        assert chosen == _digest((matching or unlabelled)[0])
