# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors: asked in order, left behind when they fail, and never given what is for somebody else."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.registry import RegistryClient
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    AMD64,
    DIGEST,
    MANIFEST,
    SECRET,
    USER,
    Asked,
    Reply,
    Server,
    always,
    client,
    free_port,
    manifest,
    question,
)


def _mirrored(origin: Server, *mirrors: str, **more: t.Any) -> RegistryClient:
    """A client to which C(quay.io/team) is the origin's C(real), behind mirrors; all of them are insecure."""
    rule = {
        "Prefix": "quay.io/team",
        "Location": f"{origin.address}/real",
        "Insecure": True,
        "Mirrors": [{"Location": f"{one}/cache", "Insecure": True, "PullFromMirror": ""} for one in mirrors],
        **more.pop("rule", {}),
    }
    return client(extra={"quay.io/team": rule}, **more)


def test_the_first_mirror_that_answers_is_believed() -> None:
    with Server(always(manifest())) as mirror, Server(always(manifest())) as origin:
        found = _mirrored(origin, mirror.address).resolve(question("quay.io", DIGEST))
        assert (found.digest, found.registry, found.passed_over) == (DIGEST, mirror.address, ())
        assert [one.path for one in mirror.asked] == ["/v2/cache/app/manifests/1"]
        assert origin.asked == []


class Failing(t.NamedTuple):
    """A mirror that is no use, and what is said of it."""

    what: str
    reply: Reply
    said: str


_FAILING = [
    Failing("it does not have the image", Reply(404), "answers 404"),
    Failing("it wants a password", Reply(401, {"WWW-Authenticate": "Basic realm=x"}), "answers 401"),
    Failing("it is broken", Reply(500), "answers 500"),
    Failing("it lies", Reply(200, {"Docker-Content-Digest": DIGEST}, MANIFEST + b" "), "does not have the digest"),
    Failing("it is a page for people", Reply(200, {}, b"<html>"), "not JSON"),
]


@pytest.mark.parametrize("failing", _FAILING, ids=lambda failing: failing.what)
def test_a_mirror_that_fails_is_passed_over_and_remembered(failing: Failing) -> None:
    with Server(always(failing.reply)) as mirror, Server(always(manifest())) as origin:
        found = _mirrored(origin, mirror.address).resolve(question("quay.io"))
        assert (found.digest, found.registry) == (DIGEST, origin.address)
        (said,) = found.passed_over
        assert failing.said in said
        assert origin.asked[-1].path == f"/v2/real/app/manifests/{DIGEST}"


def test_a_mirror_that_is_not_there_is_tried_once() -> None:
    with Server(always(manifest())) as origin:
        asking = _mirrored(origin, f"127.0.0.1:{free_port()}")
        for number in range(4):
            found = asking.resolve(question("quay.io", DIGEST, repository=f"team/app{number}"))
            assert found.registry == origin.address
            assert "cannot be reached" in found.passed_over[0]
        assert sorted((one.requests, one.reason) for one in asking.usage())[0] == (2, "registry_unreachable")


def test_all_that_failed_is_told_with_the_reason_of_the_origin() -> None:
    with Server(always(Reply(500))) as mirror, Server(always(Reply(404))) as origin:
        with pytest.raises(RegistryError) as caught:
            _mirrored(origin, mirror.address).resolve(question("quay.io"))
        assert caught.value.reason is Reason.NOT_FOUND
        said = str(caught.value)
        assert said.startswith(f"{origin.address} answers 404")
        assert f"its mirror: {mirror.address} answers 500" in said


def test_who_is_mirrored_is_never_told_to_the_mirror() -> None:
    """A password for the origin, or for the name that is written, is none for a mirror."""

    def wants_a_password(asked: Asked) -> Reply:
        return manifest() if asked.authorization else Reply(401, {"WWW-Authenticate": "Basic realm=x"})

    with Server(wants_a_password) as mirror, Server(wants_a_password) as origin:
        keys = {origin.address: USER, "quay.io": USER, "quay.io/team/app": USER}
        found = _mirrored(origin, mirror.address, credentials=keys).resolve(question("quay.io", DIGEST))
        assert found.registry == origin.address
        assert [one.authorization for one in mirror.asked] == [None]
        assert SECRET not in repr(found)
        mirrors_own = _mirrored(origin, mirror.address, credentials={f"{mirror.address}/cache/app": USER})
        assert mirrors_own.resolve(question("quay.io", DIGEST)).registry == mirror.address


def test_mirrors_for_digests_only_are_not_asked_for_tags() -> None:
    with Server(always(manifest())) as mirror, Server(always(manifest())) as origin:
        asking = _mirrored(origin, mirror.address, rule={"MirrorByDigestOnly": True})
        assert asking.resolve(question("quay.io", DIGEST)).registry == origin.address
        assert mirror.asked == []
        pinned = dataclasses.replace(
            question("quay.io", DIGEST), reference=Reference.parse(f"quay.io/team/app@{DIGEST}")
        )
        assert asking.resolve(pinned).registry == mirror.address
        assert mirror.asked[0].path == f"/v2/cache/app/manifests/{DIGEST}"


def test_a_mirror_that_is_blocked_itself_is_passed_over() -> None:
    with Server(always(manifest())) as mirror, Server(always(manifest())) as origin:
        rule = {"Prefix": "quay.io/team", "Location": origin.address, "Insecure": True}
        rule["Mirrors"] = [{"Location": mirror.address, "Insecure": True}]
        conf = {"quay.io/team": rule, mirror.address: {"Blocked": True}}
        found = client(extra=conf).resolve(question("quay.io", DIGEST))
        assert found.registry == origin.address
        assert "registries.conf blocks" in found.passed_over[0]
        assert mirror.asked == []


def test_insecure_is_a_matter_of_each_place() -> None:
    with Server(always(manifest())) as mirror, Server(always(manifest())) as origin:
        rule = {"Mirrors": [{"Location": mirror.address, "Insecure": False}]}
        found = _mirrored(origin, rule=rule).resolve(question("quay.io", DIGEST))
        assert found.registry == origin.address
        assert "TLS" in found.passed_over[0]
        assert mirror.asked == []


def test_an_image_is_described_by_a_mirror_too() -> None:

    def answer(asked: Asked) -> Reply:
        return Reply(200, {}, b"not its config") if "/blobs/" in asked.path else manifest()

    with Server(always(manifest())) as mirror, Server(answer) as origin:
        with pytest.raises(RegistryError) as caught:
            _mirrored(origin, mirror.address).describe(Reference.parse("quay.io/team/app:1"), AMD64)
        assert str(caught.value).count("does not have the digest") == 2
        for server in (mirror, origin):
            assert [one.path.split("/")[4] for one in server.asked] == ["manifests", "blobs"]


@pytest.mark.parametrize("location", ["UPPER.example.com/Path", "x.example.com/a//b", "x.example.com", "\x1b"])
def test_a_place_that_is_no_repository_is_the_documented_error(location: str) -> None:
    rule = {"Prefix": "quay.io/team/app", "Location": location}
    asking = client(extra={"quay.io/team/app": rule})
    asking.prepare([question("quay.io")])
    with pytest.raises(RegistryError, match=r"registries\.conf rewrites") as caught:
        asking.resolve(question("quay.io"))
    assert caught.value.reason is Reason.REGISTRY_INVALID
    assert asking.usage() == ()
