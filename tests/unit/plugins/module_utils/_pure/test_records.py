# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: podman's JSON as podman 4.3.1 and 5.4.2 printed it on real hosts (fixtures/), and what is no such JSON.

Both hosts ran one service of fixture/web, a pod with a member of it, and had a container of fixture/db that was only
created. fixture/web was then tagged as a slot and pulled anew, so that the image that runs had lost its own tag.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import records
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_FIXTURES = pathlib.Path(__file__).parent / "fixtures"
_WEB = "sha256:1109b8205692791fa206460aa5cdeb0e2f242376511fc281af25c2f000e7220f"
_WEB_NAME = "registry.example.com:5000/fixture/web:latest"
_WEB_INDEX = "sha256:bee2a808648c3ede6932b9e0ba20c26983befd0c9b700fa6adcdafabf57aefe7"
_WEB_MANIFEST = "sha256:52201afe275f6008ef59507f97373b0cecd01acae51f1a3968cf523ee8addb87"
_DB = "sha256:99b2d40c122f11176ba25dc9cbe1c41d204dd9bda2b2d4c49fca1690b7461f23"


@pytest.fixture(params=["podman-4.3.1", "podman-5.4.2"])
def printed(request: pytest.FixtureRequest) -> dict[str, t.Any]:
    """What one release printed, by command."""
    document: dict[str, t.Any] = json.loads((_FIXTURES / f"{request.param}.json").read_text(encoding="utf-8"))
    return document


def test_containers_are_listed_with_labels_pods_and_states(printed: dict[str, t.Any]) -> None:
    listed = {one.name: one for one in records.listed_containers(printed["ps"])}
    infra = next(one for one in listed.values() if one.is_infra)
    web, member, created = listed["web"], listed["member"], listed["db"]
    assert len(listed) == 4
    assert (web.state, member.state, created.state) == ("running", "running", "created")
    assert (web.image_id, web.image_name) == (_WEB, _WEB_NAME)
    assert web.labels["io.containers.autoupdate"] == "registry"
    assert (web.unit_label, member.unit_label, created.unit_label) == ("web.service", "member.service", None)
    assert infra.unit_label == "member-pod.service"
    assert member.pod is not None
    assert (web.pod, member.pod) == (None, infra.pod)
    assert not web.is_infra


def test_containers_are_told_in_detail(printed: dict[str, t.Any]) -> None:
    listed = {one.name: one for one in records.listed_containers(printed["ps"])}
    containers = [entry for entry in printed["inspect"] if "ImageName" in entry]
    details = records.container_details(containers)
    assert set(details) == {one.id for one in listed.values()}
    web, created = details[listed["web"].id], details[listed["db"].id]
    assert web.image_name == _WEB_NAME
    assert web.create_command[1] == "run"
    assert web.create_command[-1] == _WEB_NAME
    assert web.conmon_pid > 1
    assert created.conmon_pid == 0
    assert (web.has_anonymous_volume, created.has_anonymous_volume) == (False, True)


def test_images_are_known_by_id_with_every_digest(printed: dict[str, t.Any]) -> None:
    images = {one.id: one for one in records.images(printed["images"])}
    web = images[_WEB]
    assert web.digests == {_WEB_INDEX, _WEB_MANIFEST}
    assert web.digest == web.shown_digest == _WEB_INDEX
    assert web.names == ("localhost/podfleet-autoupdate/slot:aa-1",)
    assert web.platform is None, "podman images does not tell it"
    tagged = [one for one in images.values() if _WEB_NAME in one.names]
    assert len(tagged) == 1
    assert tagged[0].id != _WEB
    assert images[_DB].names == ("registry.example.com:5000/fixture/db:latest",)


def test_images_that_were_inspected_tell_their_platform_too(printed: dict[str, t.Any]) -> None:
    listed = {one.id: one for one in records.images(printed["images"])}
    inspected = {one.id: one for one in records.images([one for one in printed["inspect"] if "ImageName" not in one])}
    assert _WEB in inspected
    for identity, image in inspected.items():
        assert image.platform == Platform("linux", "amd64")
        assert image.digests == listed[identity].digests
        assert image.names == listed[identity].names


@pytest.mark.parametrize(
    ("os", "architecture", "platform"),
    [
        ("linux", "x86_64", Platform("linux", "amd64")),
        ("linux", "", None),
        (None, "amd64", None),
        ("linux", "amd64/x/y", None),
        ("linux/amd64", "v2", None),
        ("linux", "a" * 5000, None),
        ("linux", "\x1b[2J", None),
    ],
)
def test_a_platform_that_cannot_be_meant_is_none(os: str | None, architecture: str, platform: Platform | None) -> None:
    (image,) = records.images([{"Id": "1" * 64, "Os": os, "Architecture": architecture}])
    assert image.platform == platform


def test_the_host_tells_version_platform_and_registries(printed: dict[str, t.Any]) -> None:
    host = records.host_facts(printed["info"])
    assert host.podman_version in ((4, 3, 1), (5, 4, 2))
    assert host.platform == Platform("linux", "amd64")
    rules = {rule.prefix: rule for rule in host.registries.rules}
    assert set(rules) == set(printed["info"]["registries"]) - {"search"}
    assert rules["registry.example.com:5000"].insecure
    assert rules["blocked.example.org"].blocked
    assert rules["quay.io/team"].location == "mirror.example.org:5000/quay"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4.3.1", (4, 3, 1)), ("5.0.0-rc1", (5, 0, 0)), ("4.9.4-rhel", (4, 9, 4)), ("6", (6,)), ("", ()), (None, ())],
)
def test_versions_compare_as_numbers(text: str | None, expected: tuple[int, ...]) -> None:
    assert records.host_facts({"version": {"Version": text}}).podman_version == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_WEB, _WEB),
        (_WEB[7:], _WEB),
        (_WEB[7:19], None),
        (_WEB.upper(), None),
        (_WEB + "\n", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_an_image_id_has_its_prefix_or_is_none(text: object, expected: str | None) -> None:
    assert records.image_id(text) == expected


def test_no_output_is_an_empty_list() -> None:
    assert records.load("", "podman ps") == []
    assert records.load(" \n", "podman ps") == []
    assert records.load("[1]", "podman ps") == [1]


@pytest.mark.parametrize("output", ["{", "Error: no such thing", "[" * 100_000, "x" * 10_000])
def test_output_that_is_not_json_is_refused_briefly(output: str) -> None:
    with pytest.raises(StoreError, match="podman ps printed something that is not JSON") as caught:
        records.load(output, "podman ps")
    assert caught.value.reason is Reason.STORE_FAILED
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "document", [None, {}, "text", 7, [None], [[]], ["x"], [{}], [{"Id": "short"}], [{"Id": None}]]
)
@pytest.mark.parametrize("reader", [records.listed_containers, records.container_details, records.images])
def test_lists_of_anything_else_are_refused(reader: t.Callable[[object], object], document: object) -> None:
    with pytest.raises(StoreError):
        reader(document)


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_host_facts_of_anything_else_are_refused(document: object) -> None:
    with pytest.raises(StoreError, match="podman info"):
        records.host_facts(document)


def test_what_podman_leaves_out_has_a_sensible_value() -> None:
    identity = "ab" * 32
    (container,) = records.listed_containers([{"Id": identity, "Names": None, "Labels": None, "ImageID": ""}])
    assert (container.name, container.labels, container.image_id, container.pod) == ("", {}, None, None)
    detail = records.container_details([{"Id": identity, "Mounts": None, "Config": None, "State": None}])[identity]
    assert (detail.create_command, detail.conmon_pid, detail.has_anonymous_volume) == ((), 0, False)
    (image,) = records.images([{"Id": identity, "RepoDigests": None, "Digest": "", "RepoTags": None}])
    assert (image.digest, image.digests, image.names, image.shown_digest) == (None, frozenset(), (), None)


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ({"Type": "volume", "Name": "ab" * 32}, True),
        ({"Type": "volume", "Name": "data"}, False),
        ({"Type": "bind", "Name": "ab" * 32}, False),
        ({"Type": "volume"}, False),
        ("junk", False),
    ],
)
def test_an_anonymous_volume_has_a_name_that_no_person_gives(mount: object, expected: bool) -> None:
    identity = "ab" * 32
    details = records.container_details([{"Id": identity, "Mounts": [mount]}])
    assert details[identity].has_anonymous_volume is expected


@given(st.lists(st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"), max_size=4), st.booleans())
def test_every_recorded_digest_counts_whatever_name_stands_before_it(digests: list[str], with_own: bool) -> None:
    entry = {"Id": "ab" * 32, "RepoDigests": [f"host:5000/x@{digest}" for digest in digests] + ["junk", "junk@sha256:"]}
    if with_own and digests:
        entry["Digest"] = digests[0]
    (image,) = records.images([entry])
    assert image.digests == set(digests)
    assert image.shown_digest == (digests[0] if with_own and digests else min(digests, default=None))


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 5 seconds (unhealthy)", "unhealthy"),
        ("Up Less than a second ago (starting)", "starting"),
        ("Up 2 hours (healthy)", "healthy"),
        ("Up 5 seconds", None),
        ("Exited (1) 3 seconds ago", None),
        ("Created", None),
        (None, None),
    ],
)
def test_what_a_healthcheck_said_is_told_by_the_list(status: str | None, health: str | None) -> None:
    """As podman 4.3 and 5.4 print it."""
    entry = {"Id": "a" * 64, "Status": status, "StartedAt": 1795266872}
    (one,) = records.listed_containers([entry])
    assert (one.health, one.has_healthcheck, one.started_at) == (health, health is not None, 1795266872)
