# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry holds under a name: manifest, the platform's instance and the config, each verified."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import manifests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    AMD64,
    Asked,
    Reply,
    Server,
    client,
    index_of,
)

_CONFIG = json.dumps(
    {
        "os": "linux",
        "architecture": "amd64",
        "created": "2026-01-02T03:04:05.5Z",
        "config": {"Labels": {"version": "1"}},
    }
).encode()
_IMAGE = json.dumps(
    {"schemaVersion": 2, "config": {"digest": manifests.digest_of(_CONFIG)}, "layers": [{"size": 40}, {"size": 2}]}
).encode()
_INDEX = index_of(("linux/arm64", "sha256:" + "0f" * 32), ("linux/amd64", manifests.digest_of(_IMAGE)))


def _registry(tag: bytes, bodies: t.Mapping[str, bytes] | None = None) -> t.Callable[[Asked], Reply]:
    """A registry whose one tag is the body; C(bodies) replace what is there under a digest."""
    held = {manifests.digest_of(body): body for body in (_CONFIG, _IMAGE, _INDEX)}
    held = {**held, "1": tag, **(bodies or {})}

    def answer(asked: Asked) -> Reply:
        name = asked.path.rpartition("/")[2]
        kind = "blobs" if name == manifests.digest_of(_CONFIG) else "manifests"
        return (
            Reply(200, {}, held[name]) if asked.path == f"/v2/team/app/{kind}/{name}" and name in held else Reply(404)
        )

    return answer


def _describe(server: Server, name: str = ":1") -> ImageFacts:
    return client(server.address).describe(Reference.parse(f"{server.address}/team/app{name}"), AMD64)


def test_an_image_is_described_by_its_manifest_and_its_config() -> None:
    with Server(_registry(_IMAGE)) as server:
        facts = _describe(server)
    digest = manifests.digest_of(_IMAGE)
    assert (facts.id, facts.digest, facts.digests) == (manifests.digest_of(_CONFIG), digest, {digest})
    assert (facts.platform, facts.created, facts.labels) == (AMD64, "2026-01-02T03:04:05.5Z", {"version": "1"})
    assert (facts.size, facts.tags) == (42, (f"{server.address}/team/app:1",))
    assert facts.repo_digests == (f"{server.address}/team/app@{digest}",)
    assert server.methods == ["GET", "GET"]


@pytest.mark.parametrize("by_digest", [False, True])
def test_an_index_is_described_by_the_platforms_instance(by_digest: bool) -> None:
    top, instance = manifests.digest_of(_INDEX), manifests.digest_of(_IMAGE)
    with Server(_registry(_INDEX)) as server:
        facts = _describe(server, f"@{top}" if by_digest else ":1")
    assert (facts.digest, facts.digests) == (top, {top, instance})
    assert facts.id == manifests.digest_of(_CONFIG)
    assert bool(facts.tags) is not by_digest
    assert len(facts.repo_digests) == 2


class Bad(t.NamedTuple):
    """What is there in the place of something that has a digest."""

    digest: str
    body: bytes
    said: str


_BAD = [
    Bad(manifests.digest_of(_IMAGE), _IMAGE + b" ", "does not have the digest"),
    Bad(manifests.digest_of(_CONFIG), _CONFIG + b" ", "does not have the digest"),
    Bad(manifests.digest_of(_CONFIG), b"x" * (4 * 1024 * 1024 + 1), "more than 4194304 bytes"),
]


@pytest.mark.parametrize("bad", _BAD, ids=lambda bad: bad.said)
def test_what_does_not_fit_its_digest_is_not_believed(bad: Bad) -> None:
    held = _registry(_INDEX, {bad.digest: bad.body})
    with Server(held) as server, pytest.raises(RegistryError, match=bad.said) as caught:
        _describe(server)
    assert caught.value.reason is Reason.REGISTRY_INVALID


def test_a_config_that_is_none_is_the_documented_error() -> None:
    image = json.dumps({"config": {"digest": manifests.digest_of(b"[]")}, "layers": []}).encode()

    def answer(asked: Asked) -> Reply:
        return Reply(200, {}, b"[]" if "/blobs/" in asked.path else image)

    with Server(answer) as server, pytest.raises(RegistryError, match="image config") as caught:
        _describe(server)
    assert caught.value.reason is Reason.REGISTRY_INVALID


def test_what_is_not_there_is_not_found() -> None:
    with Server(_registry(_IMAGE)) as server, pytest.raises(RegistryError) as caught:
        _describe(server, ":2")
    assert caught.value.reason is Reason.NOT_FOUND
