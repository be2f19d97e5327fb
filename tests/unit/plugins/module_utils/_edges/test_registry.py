# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tag answers with: by HEAD, opened only when unknown, and believed only if the digest fits."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.registry import RegistryClient
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import manifests
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential, CredentialBook
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.decisions import RemoteImage
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.questions import Question
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.references import Reference
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.registries import RegistriesConf
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    AMD64,
    CONFIG,
    DIGEST,
    MANIFEST,
    Asked,
    Reply,
    Server,
    always,
    client,
    index_of,
    manifest,
    question,
    resolve,
)

_OTHER = "sha256:" + "0f" * 32
_BASIC = {"WWW-Authenticate": 'Basic realm="x"'}


def _registry(bodies: t.Mapping[str, bytes]) -> t.Callable[[Asked], Reply]:
    """Serve each body by tag and by its digest."""
    by_digest = {manifests.digest_of(body): body for body in bodies.values()}

    def answer(asked: Asked) -> Reply:
        body = {**by_digest, **bodies}.get(asked.path.rpartition("/")[2])
        return Reply(404) if body is None else manifest(body, manifests.digest_of(body))

    return answer


def _said(server: Server, *told: t.Any) -> RemoteImage:
    """What this server told; its fake registries call everything an OCI manifest."""
    return replace(RemoteImage(*told), media_type=manifests.IMAGE_TYPES[0], registry=server.address)


def test_a_known_digest_costs_one_head() -> None:
    with Server(always(manifest())) as server:
        assert resolve(server.address, DIGEST) == _said(server, DIGEST)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("HEAD", "/v2/team/app/manifests/1")
    assert asked.headers["accept"] == manifests.ACCEPT
    assert asked.authorization is None


def test_an_unknown_digest_is_opened_by_that_digest() -> None:
    with Server(always(manifest())) as server:
        assert resolve(server.address) == _said(server, DIGEST, None, CONFIG, 42)
    assert [(one.method, one.path) for one in server.asked] == [
        ("HEAD", "/v2/team/app/manifests/1"),
        ("GET", f"/v2/team/app/manifests/{DIGEST}"),
    ]


def test_a_digest_alone_opens_nothing() -> None:
    index = index_of(("linux/amd64", DIGEST))
    with Server(_registry({"1": index})) as server:
        found = client(server.address).digest(Reference.parse(f"{server.address}/team/app:1"))
    assert found == _said(server, manifests.digest_of(index))
    assert server.methods == ["HEAD"]


def test_a_digest_that_no_header_tells_is_that_of_the_body() -> None:
    with Server(always(Reply(200, {"Content-Type": manifests.IMAGE_TYPES[0]}, MANIFEST))) as server:
        assert client(server.address).digest(Reference.parse(f"{server.address}/team/app:1")).digest == DIGEST
        with pytest.raises(RegistryError, match="does not have the digest"):
            client(server.address).digest(Reference.parse(f"{server.address}/team/app@{_OTHER}"))


class _ByAuthfile:
    """Credentials that are told apart by the authfile of a label."""

    def for_reference(self, _reference: Reference, authfile: str | None = None) -> Credential | None:
        return Credential(authfile, "x") if authfile else None


def test_each_authfile_opens_its_own_question() -> None:
    """One repository, asked for two containers whose labels name different files."""
    with Server(lambda asked: manifest() if asked.authorization else Reply(401, _BASIC)) as server:
        conf = RegistriesConf.from_podman_info({server.address: {"Insecure": True}})
        asking = RegistryClient(conf, _ByAuthfile(), TlsOptions(), timeout=5, width=2)
        questions = [replace(question(server.address, DIGEST), authfile=name) for name in ("/a", "/b")]
        asking.prepare(questions)
        for one in questions:
            asking.resolve(one)
    assert {one.authorization for one in server.asked if one.authorization} == {
        f"Basic {Credential(name, 'x').basic()}" for name in ("/a", "/b")
    }


def test_an_index_is_opened_down_to_the_platforms_image() -> None:
    index = index_of(("linux/arm64", _OTHER), ("linux/amd64", DIGEST))
    with Server(_registry({"1": index, "x": MANIFEST})) as server:
        expected = _said(server, manifests.digest_of(index), DIGEST, CONFIG, 42)
        assert resolve(server.address) == expected
        assert len(server.asked) == 3


def test_a_known_instance_spares_the_last_request() -> None:
    index = index_of(("linux/amd64", DIGEST))
    with Server(_registry({"1": index})) as server:
        assert resolve(server.address, DIGEST) == _said(server, manifests.digest_of(index), DIGEST)
        assert server.methods == ["HEAD", "GET"]


def test_a_reference_by_digest_is_asked_by_that_digest_and_no_other_is_believed() -> None:
    """Its tag, where it has one too, counts for nothing, as with podman."""
    with Server(_registry({"1": MANIFEST})) as server:
        pinned = Reference.parse(f"{server.address}/team/app:gone@{DIGEST}")
        assert client(server.address).resolve(Question(pinned, AMD64, frozenset({DIGEST}))) == _said(server, DIGEST)
        assert [one.path for one in server.asked] == [f"/v2/team/app/manifests/{DIGEST}"]
    with Server(always(manifest(digest=_OTHER))) as server:
        pinned = Reference.parse(f"{server.address}/team/app@{DIGEST}")
        with pytest.raises(RegistryError, match="answers with the digest") as caught:
            client(server.address).resolve(Question(pinned, AMD64, frozenset()))
    assert caught.value.reason is Reason.REGISTRY_INVALID


def test_an_index_in_an_index_is_followed_but_not_for_ever() -> None:
    bodies = [MANIFEST]
    for _level in range(5):
        bodies.append(index_of(("linux/amd64", manifests.digest_of(bodies[-1]))))
    with Server(_registry({str(level): body for level, body in enumerate(bodies)})) as server:
        asking = client(server.address)
        found = asking.resolve(question(server.address, tag="3"))
        assert (found.id, found.platform_digest) == (CONFIG, DIGEST)
        with pytest.raises(RegistryError, match="nested too deeply") as caught:
            asking.resolve(question(server.address, tag="4"))
        assert caught.value.reason is Reason.REGISTRY_INVALID


@pytest.mark.parametrize("told", ["", "junk", "sha512:" + "00" * 64])
def test_without_a_usable_digest_header_the_body_tells_the_digest(told: str) -> None:
    def answer(asked: Asked) -> Reply:
        return manifest(digest=told if asked.method == "HEAD" else "")

    with Server(answer) as server:
        assert resolve(server.address) == _said(server, DIGEST, None, CONFIG, 42)
        assert server.methods == ["HEAD", "GET"]


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_registry_that_knows_no_head_is_asked_with_get(status: int) -> None:
    with Server(lambda asked: Reply(status) if asked.method == "HEAD" else manifest()) as server:
        assert resolve(server.address) == _said(server, DIGEST, None, CONFIG, 42)


class Lie(t.NamedTuple):
    """An answer that is not believed."""

    why: str
    answer: t.Callable[[Asked], Reply]
    said: str


_LIES = [
    Lie("a body that was tampered with", always(manifest(MANIFEST + b" ")), "does not have the digest"),
    Lie("a digest of something else", always(manifest(digest=_OTHER)), "does not have the digest"),
    Lie("a page of a captive portal", always(Reply(200, {}, b"<html>")), "not JSON"),
    Lie("an empty body", always(Reply(200)), "not JSON"),
    Lie("schema 1", _registry({"1": json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()}), "schema 1"),
    Lie("a compressed body", always(manifest(headers={"Content-Encoding": "gzip"})), "compressed its answer"),
    Lie("a body without end", always(manifest(b"x" * (4 * 1024 * 1024 + 1), "")), "more than 4194304 bytes"),
    Lie("an odd status", always(Reply(204)), "answers 204"),
    Lie("a redirect to nowhere", always(Reply(302)), "answers 302"),
    Lie("I am a teapot", always(Reply(418)), "answers 418"),
]


@pytest.mark.parametrize("lie", _LIES, ids=lambda lie: lie.why)
def test_what_the_spec_does_not_allow_is_not_believed(lie: Lie) -> None:
    with Server(lie.answer) as server, pytest.raises(RegistryError, match=lie.said) as caught:
        resolve(server.address)
    assert caught.value.reason is Reason.REGISTRY_INVALID
    assert len(str(caught.value)) < 400


def test_four_mebibytes_are_read() -> None:
    filler = json.dumps({"config": {"digest": CONFIG}, "layers": [], "x": ""}).encode()
    body = filler.replace(b'"x": ""', b'"x": "' + b"x" * (4 * 1024 * 1024 - len(filler)) + b'"')
    assert len(body) == 4 * 1024 * 1024
    with Server(always(manifest(body, ""))) as server:
        assert resolve(server.address).id == CONFIG


class Refusal(t.NamedTuple):
    """A status and the reason that it becomes."""

    status: int
    reason: Reason


@pytest.mark.parametrize(
    "case",
    [
        Refusal(401, Reason.AUTH_REQUIRED),
        Refusal(403, Reason.AUTH_REQUIRED),
        Refusal(404, Reason.NOT_FOUND),
        Refusal(500, Reason.REGISTRY_UNREACHABLE),
    ],
    ids=lambda case: str(case.status),
)
def test_refusals_have_a_reason_and_name_what_was_asked(case: Refusal) -> None:
    with Server(always(Reply(case.status))) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address)
    assert caught.value.reason is case.reason
    assert f"{server.address} answers {case.status} for team/app:1" in str(caught.value)
    assert server.methods == ["HEAD"]


def test_a_manifest_that_is_gone_between_two_requests_is_not_found() -> None:
    with Server(lambda asked: manifest() if asked.method == "HEAD" else Reply(404)) as server:
        with pytest.raises(RegistryError, match=f"answers 404 for team/app@{DIGEST}") as caught:
            resolve(server.address)
        assert caught.value.reason is Reason.NOT_FOUND


def test_an_index_without_the_platform_is_not_found() -> None:
    with Server(_registry({"1": index_of(("linux/arm64", DIGEST))})) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address)
    assert caught.value.reason is Reason.NOT_FOUND
    assert "no image for linux/amd64" in str(caught.value)


def test_a_blocked_registry_is_not_asked() -> None:
    with Server(always(manifest())) as server:
        blocking = client(extra={"x": {"Prefix": server.address, "Location": server.address, "Blocked": True}})
        with pytest.raises(RegistryError) as caught:
            blocking.resolve(question(server.address))
        assert caught.value.reason is Reason.BLOCKED
        assert server.asked == []
        assert blocking.usage() == ()


def test_the_place_that_registries_conf_names_is_asked() -> None:
    with Server(always(manifest())) as server:
        rule = {"Prefix": "quay.io/team", "Location": f"{server.address}/mirror", "Insecure": True}
        moved = client(extra={"quay.io/team": rule})
        assert moved.resolve(question("quay.io")).digest == DIGEST
        assert server.asked[0].path == "/v2/mirror/app/manifests/1"


def test_what_was_asked_is_counted_with_the_limits_that_the_registry_told() -> None:
    limits = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600", "Docker-RateLimit-Source": "me"}
    with Server(always(manifest(headers=limits))) as server:
        asking = client(server.address)
        asking.resolve(question(server.address))
        (usage,) = asking.usage()
    assert (usage.registry, usage.requests, usage.manifest_gets) == (server.address, 3, 1), "one was for HTTPS"
    assert (usage.bytes, usage.retries, usage.reason) == (len(MANIFEST), 0, None)
    assert usage.rate_limit == {"limit": 100, "remaining": 76, "window": 21600, "source": "me"}


@pytest.mark.parametrize("header", ["", "x", "-1", "1x", "9" * 30, "\u0661"])
def test_a_limit_that_is_no_number_is_none(header: str) -> None:
    answered = Reply(
        200, {"RateLimit-Limit": header.encode("utf-8").decode("latin-1"), "Docker-Content-Digest": DIGEST}
    )
    with Server(always(answered)) as server:
        asking = client(server.address)
        asking.resolve(question(server.address, DIGEST))
        assert asking.usage()[0].rate_limit is None


def test_a_429_tells_its_limits_too() -> None:
    with Server(always(Reply(429, {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600"}))) as server:
        asking = client(server.address)
        with pytest.raises(RegistryError):
            asking.resolve(question(server.address))
        limit = asking.usage()[0].rate_limit
    assert limit is not None
    assert (limit["remaining"], limit["window"]) == (0, 21600)


def test_the_connection_is_kept_for_the_next_question() -> None:
    """A new one costs a round trip for TCP and one or two for TLS, for every image of a host."""
    with Server(always(manifest())) as server:
        asking = client(server.address, width=1)
        for _time in range(5):
            asking.resolve(question(server.address, DIGEST))
        assert len(server.asked) == 5
        assert server.connections <= 2, "one was for HTTPS"


def test_nothing_is_asked_before_there_is_a_question() -> None:
    assert RegistryClient(RegistriesConf(), CredentialBook({}), TlsOptions(), timeout=1, width=1).usage() == ()
