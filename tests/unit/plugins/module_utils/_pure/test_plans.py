# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans: sealed, cut into slices, and refused as a whole when anything about them is odd."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import plans
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.plans import (
    MOST_CONTAINERS,
    PlanEntry,
    fingerprint,
    for_host,
    read_plan,
    sealed,
    target_key,
)

WEB, DB = "quay.io/team/web:1", "docker.io/library/postgres:16"
AMD64 = "linux/amd64"
OLD, NEW, DIGEST, OTHER = (f"sha256:{pair * 32}" for pair in ("ab", "cd", "ef", "01"))
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
_Document = dict[str, t.Any]


def target(reference: str = WEB, platform: str = AMD64, **other: t.Any) -> _Document:
    given_: _Document = {"digest": DIGEST, "id": NEW, "bytes": 1000, "signature": None}
    return {"reference": reference, "platform": platform, **given_, **other}


def container(name: str = "web", reference: str = WEB, platform: str = AMD64, **other: t.Any) -> _Document:
    return {
        "scope": "system",
        "user": None,
        "container": name,
        "reference": reference,
        "platform": platform,
        "before": {"id": OLD, "digest": OTHER},
        "target": target_key(reference, platform),
        **other,
    }


def plan(**other: t.Any) -> _Document:
    """Two hosts, of which the second has a pod with a user's containers."""
    document = {
        "schema": 1,
        "id": "0f" * 16,
        "created": "2026-11-21T11:00:00Z",
        "expires": "2026-11-22T11:00:00Z",
        "targets": {target_key(WEB, AMD64): target(), target_key(DB, AMD64): target(DB, id=None, bytes=None)},
        "hosts": {
            "web-1": {"units": {"web.service": [container()]}},
            "web-2": {
                "units": {
                    "shop@1.service": [
                        container(scope="user", user="alice"),
                        container("db", DB, scope="user", user="alice", before={"id": None, "digest": None}),
                    ]
                }
            },
        },
    }
    return sealed({**document, **other})


def read(document: object, now: datetime = NOON) -> plans.Plan:
    return read_plan(document, now)


def test_a_plan_is_read() -> None:
    document = plan()
    found = read(document)
    assert (found.id, found.of, found.whole) == ("0f" * 16, None, document["sha256"])
    assert (found.expires - found.created) == timedelta(days=1)
    assert found.hosts["web-1"] == (PlanEntry("web.service", None, "web", OLD, OTHER, f"{WEB} {AMD64}"),)
    assert [(one.user, one.container, one.before_id) for one in found.hosts["web-2"]] == [
        ("alice", "web", OLD),
        ("alice", "db", None),
    ]
    (web, db) = found.targets.values()
    assert (web.reference.name, str(web.platform), web.digest, web.id, web.bytes) == (WEB, AMD64, DIGEST, NEW, 1000)
    assert (db.id, db.bytes, db.key) == (None, None, f"{DB} {AMD64}")


def test_an_empty_plan_is_a_plan() -> None:
    assert read(plan(targets={}, hosts={})).hosts == {}


def test_the_seal_is_that_of_canonical_json() -> None:
    document = plan(hosts={"wéb": {"units": {}}}, targets={})
    bare = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert document["sha256"] == hashlib.sha256(text.encode("utf-8")).hexdigest()
    assert "wéb" in text
    assert sealed(document) == document
    assert read(json.loads(json.dumps(document))) == read(document)


def test_a_slice_has_one_host_and_what_it_uses() -> None:
    document = plan()
    slice_ = for_host(document, "web-1")
    assert list(slice_["hosts"]) == ["web-1"]
    assert list(slice_["targets"]) == [f"{WEB} {AMD64}"]
    assert slice_["of"] == document["sha256"] != slice_["sha256"]
    found = read(slice_)
    assert found.whole == document["sha256"]
    assert found.hosts["web-1"] == read(document).hosts["web-1"]
    assert for_host(slice_, "web-1") == slice_


def test_a_host_that_is_not_in_the_plan_gets_an_empty_slice() -> None:
    slice_ = for_host(plan(), "new-1")
    assert read(slice_).hosts == {"new-1": ()}
    assert slice_["targets"] == {}


def test_a_fingerprint_tells_what_a_host_is_to_do_and_nothing_else() -> None:
    document = plan()
    one = fingerprint(document, "web-1")
    assert len(one) == 32
    assert one == fingerprint(plan(id="1f" * 16, expires="2027-01-01T00:00:00Z"), "web-1")
    assert one == fingerprint(for_host(document, "web-1"), "web-1")
    assert one != fingerprint(document, "web-2")
    changed = copy.deepcopy(document)
    changed["targets"][f"{WEB} {AMD64}"]["digest"] = OTHER
    assert one != fingerprint(changed, "web-1")
    changed = copy.deepcopy(document)
    changed["targets"][f"{DB} {AMD64}"]["digest"] = OTHER
    assert one == fingerprint(changed, "web-1")


def _places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    if path and not isinstance(value, (dict, list)):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from _places(one, (*path, key))


@pytest.mark.parametrize("path", list(_places(plan())), ids=lambda path: ".".join(map(str, path)))
def test_nothing_can_be_changed_unseen(path: tuple[t.Any, ...]) -> None:
    document = plan()
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = OLD if holder[path[-1]] != OLD else NEW
    with pytest.raises(InputError, match="the plan is refused"):
        read(document)


def test_an_expired_plan_says_so() -> None:
    expires = datetime(2026, 11, 22, 11, tzinfo=timezone.utc)
    assert read(plan(), expires - timedelta(seconds=1))
    with pytest.raises(InputError, match="it expired at 2026-11-22T11:00:00Z, and it is 2026-11-22T11:00:00Z here"):
        read(plan(), expires)


def test_another_hash_says_so() -> None:
    with pytest.raises(InputError, match="does not match its sha256"):
        read({**plan(), "expires": "2027-11-22T11:00:00Z"})


def test_a_newer_schema_says_so_whatever_else_it_has() -> None:
    with pytest.raises(InputError, match="its schema is 2, and this release knows 1; use the release that made it"):
        read({"schema": 2, "anything": "else"})


def _with_container(**other: t.Any) -> _Document:
    return plan(hosts={"web-1": {"units": {"web.service": [container(**other)]}}})


def _with_target(key: str = f"{WEB} {AMD64}", **other: t.Any) -> _Document:
    return plan(targets={key: target(**other)}, hosts={})


_ODD: dict[str, tuple[object, str]] = {
    "nothing": (None, "it is not an object"),
    "a list": ([], "it is not an object"),
    "no schema": ({}, "its schema is not 1"),
    "a schema of the wrong kind": ({**plan(), "schema": True}, "its schema is not 1"),
    "a schema with a point": (plan(schema=1.0), "its schema is not 1"),
    "an older schema": (plan(schema=0), "its schema is not 1"),
    "one key more": (plan(more=1), "exactly the keys of a plan: more"),
    "one key less": (
        {key: one for key, one in plan().items() if key != "expires"},
        "exactly the keys of a plan: expires",
    ),
    "no hash": ({**plan(), "sha256": None}, "sha256 is not a hash"),
    "a whole that is none": (plan(of="x"), "sha256 is not a hash"),
    "an ID that is none": (plan(id="web"), "id, created or expires"),
    "a time of another form": (plan(expires="2026-12-01"), "id, created or expires"),
    "targets that are a list": (plan(targets=[]), "targets is not an object"),
    "hosts that are a list": (plan(hosts=[]), "hosts is not an object"),
    "a target with more": (_with_target(more=1), "exactly the keys of a target"),
    "a reference that is none": (_with_target(reference="UPPER"), "its reference or platform"),
    "a reference that is not normalised": (_with_target(reference="docker.io/web"), "its reference or platform"),
    "a reference without registry": (_with_target(reference="web:1"), "its reference or platform"),
    "a reference with a digest": (_with_target(reference=f"quay.io/web@{DIGEST}"), "its reference or platform"),
    "a platform that is none": (_with_target(platform="linux"), "its reference or platform"),
    "a platform that is not normalised": (_with_target(platform="linux/x86_64"), "its reference or platform"),
    "a digest that is none": (_with_target(digest=None), "its digest, id or bytes"),
    "an image ID that is none": (_with_target(id="abc"), "its digest, id or bytes"),
    "fewer bytes than none": (_with_target(bytes=-1), "its digest, id or bytes"),
    "more bytes than there are": (_with_target(bytes=2**63), "its digest, id or bytes"),
    "bytes that are a truth": (_with_target(bytes=True), "its digest, id or bytes"),
    "a signature": (_with_target(signature={}), "no signatures"),
    "another key": (_with_target("web"), f"target web: its key should be {WEB} {AMD64}"),
    "a host without a name": (plan(hosts={"": {"units": {}}}), "no name"),
    "a host with more": (plan(hosts={"web-1": {"units": {}, "more": 1}}), "host web-1: .* key units"),
    "units that are a list": (plan(hosts={"web-1": {"units": []}}), "key units"),
    "a unit that is none": (
        plan(hosts={"a": {"units": {"../x": [container()]}}}),
        "'../x' is not the name of a service",
    ),
    "a unit that is a socket": (plan(hosts={"a": {"units": {"x.socket": [container()]}}}), "not the name of a service"),
    "a unit without containers": (plan(hosts={"a": {"units": {"x.service": []}}}), "no list of containers"),
    "a container that is none": (plan(hosts={"a": {"units": {"x.service": ["x"]}}}), "exactly the keys of one"),
    "a container with more": (_with_container(more=1), "exactly the keys of one"),
    "a user of the system": (_with_container(user="alice"), "scope and user"),
    "nobody's scope": (_with_container(scope="user"), "scope and user"),
    "a user that is a template": (_with_container(scope="user", user="{{ x }}"), "scope and user"),
    "a user that is no text": (_with_container(scope="user", user=["x"]), "scope and user"),
    "a container's name that is none": (_with_container(container="a/b"), "no name that podman would take"),
    "a container's name with a line": (_with_container(container="a\n"), "no name that podman would take"),
    "a before that is none": (_with_container(before=None), "before of web in web.service"),
    "a before that is no image": (_with_container(before={"id": "x", "digest": None}), "names no image"),
    "a target that is not there": (_with_container(target="x"), "web in web.service has no target"),
    "a target that is a list": (_with_container(target=[]), "web in web.service has no target"),
    "another reference than its target": (_with_container(reference=DB, target=f"{WEB} {AMD64}"), "another reference"),
    "a container twice": (plan(hosts={"a": {"units": {"x.service": [container(), container()]}}}), "has web twice"),
}


@pytest.mark.parametrize(("document", "said"), list(_ODD.values()), ids=list(_ODD))
def test_what_is_odd_is_refused_and_named(document: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(document)


def test_one_name_may_be_in_the_system_and_with_users() -> None:
    both = [container(), container(scope="user", user="alice"), container(scope="user", user="bob")]
    assert len(read(plan(hosts={"a": {"units": {"web.service": both}}})).hosts["a"]) == 3


def test_a_host_has_a_bound() -> None:
    many = [container(f"web-{number}") for number in range(MOST_CONTAINERS + 1)]
    with pytest.raises(InputError, match="more than 10000 containers"):
        read(plan(hosts={"a": {"units": {"web.service": many}}}))


def test_targets_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MOST_TARGETS", 1)
    with pytest.raises(InputError, match="targets has more than 1 entries"):
        read(plan())


@pytest.mark.parametrize("value", [object(), float("nan"), {1: 1, "1": 1}, "\ud800"])
def test_what_is_not_json_has_no_seal(value: object) -> None:
    with pytest.raises(InputError, match="not JSON"):
        sealed({"hosts": {"a": value}})


def test_what_is_very_deep_has_no_seal() -> None:
    deep: list[t.Any] = []
    for _level in range(100_000):
        deep = [deep]
    with pytest.raises(InputError, match="not JSON"):
        sealed({"hosts": deep})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(sorted(set(plan()) - {"sha256"})), _JSON)
def test_nonsense_is_refused_or_read_but_never_breaks(key: str, value: t.Any) -> None:
    document = {**plan(), key: value}
    with contextlib.suppress(InputError):
        document = sealed(document)
    said = ""
    try:
        read(document)
    except InputError as error:
        said = str(error)
    assert said.isprintable()
