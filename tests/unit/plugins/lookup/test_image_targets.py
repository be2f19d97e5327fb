# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup image_targets: real registries on sockets, one HEAD where the fleet knows the answer."""

from __future__ import annotations

import base64
import pathlib
import typing as t

import pytest

pytest.importorskip("ansible")

from ansible.errors import AnsibleLookupError

from ansible_collections.podfleet.autoupdate.plugins.lookup import image_targets
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import digest_of
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.lookup.loading import loaded
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    MANIFEST,
    SECRET,
    Asked,
    Reply,
    Server,
    index_of,
    manifest,
)


@pytest.fixture(autouse=True)
def no_files(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of whoever runs this."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))


def _look_up(*terms: t.Any, **options: t.Any) -> list[dict[str, t.Any]]:
    return loaded(image_targets).run(list(terms), {}, **{"validate_certs": False, **options})


def _call(*names: str, **known: t.Any) -> dict[str, t.Any]:
    return {"names": list(names), "of": "linux/amd64", "known": known}


_INDEX = index_of(("linux/arm64", "sha256:" + "0f" * 32), ("linux/amd64", DIGEST))


def _serve(asked: Asked) -> Reply:
    if "/gone/" in asked.path:
        return Reply(404)
    body = MANIFEST if asked.path.endswith(DIGEST) else _INDEX
    return manifest(body, digest_of(body))


def test_what_the_fleet_knows_costs_one_head_and_what_it_does_not_is_opened() -> None:
    with Server(_serve) as server:
        names = [f"{server.address}/team/{name}:1" for name in ("known", "new", "gone/x")]
        (told,) = _look_up(_call(*names, **{names[0]: [digest_of(_INDEX)]}))
        assert sorted(server.methods) == ["GET", "GET", "HEAD", "HEAD", "HEAD"]
        known, new, gone = told["images"]
    assert told["item"]["names"] == names
    assert (known["status"], known["remote"]["digest"], known["remote"]["id"]) == ("current", digest_of(_INDEX), None)
    assert (new["status"], new["remote"]["platform_digest"], new["remote"]["size"]) == ("missing", DIGEST, 42)
    assert (gone["status"], gone["reason"], gone["remote"]) == ("unknown", "not_found", None)
    (usage,) = told["registries"]
    # And one attempt that found no TLS.
    assert (usage["registry"], usage["requests"], usage["manifest_gets"]) == (server.address, 6, 2)


def test_what_is_no_reference_of_a_registry_is_unknown_and_asks_nobody() -> None:
    (told,) = _look_up(_call("web:1", "Upper"))
    assert [(one["status"], one["reason"]) for one in told["images"]] == [
        ("unknown", "short_name"),
        ("unknown", "bad_reference"),
    ]
    assert _look_up() == []
    assert _look_up(_call())[0]["images"] == []


def test_credentials_open_a_registry_and_a_budget_closes_it() -> None:
    def locked(asked: Asked) -> Reply:
        if asked.authorization is None:
            return Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
        return _serve(asked)

    with Server(locked) as server:
        name = f"{server.address}/team/app:1"
        credentials = [{"registry": server.address, "username": "someone", "password": SECRET}]
        assert _look_up(_call(name))[0]["images"][0]["reason"] == "auth_required"
        assert _look_up(_call(name), credentials=credentials)[0]["images"][0]["remote"]["platform_digest"] == DIGEST
        (poor,) = _look_up(_call(name), credentials=credentials, request_budget=0)
        assert poor["images"][0]["reason"] == "request_budget"


@pytest.mark.parametrize("scheme", ['Basic realm="x"', 'Bearer realm="http://{other}/token",service="x"'])
def test_credentials_go_to_their_own_registry_whatever_a_host_names(scheme: str) -> None:
    """Whoever owns a host can have the controller ask any registry; what opens another one is not for it."""
    mine = "/token"

    def locked(asked: Asked) -> Reply:
        if asked.path.startswith(mine):
            return Reply(200, {"Content-Type": "application/json"}, b'{"token": "anonymous"}')
        return (
            Reply(401, {"WWW-Authenticate": scheme.format(other=own.address)})
            if asked.authorization is None
            else Reply(403)
        )

    with Server(locked) as own, Server(locked) as strange:
        names = [f"{one.address}/team/app:1" for one in (own, strange)]
        # As if the strange one had the other's name for a beginning, and as if it were a folder of it.
        near = [f"{own.address[:-1]}", f"{strange.address}/another", f"{own.address}/team"]
        credentials = [{"registry": one, "username": "someone", "password": SECRET} for one in near]
        (told,) = _look_up(_call(*names), credentials=credentials)
        assert [one["remote"] for one in told["images"]] == [None, None]
        secret = f"Basic {base64.b64encode(f'someone:{SECRET}'.encode()).decode()}"
        assert secret in [one.authorization for one in own.asked]
        assert strange.asked
        assert secret not in [one.authorization for one in strange.asked]
        # Its challenge names a service where the secret is known; it is not told there for its sake either.
        asked_for = [one for one in own.asked if one.authorization == secret]
        assert not any(strange.address in one.path for one in asked_for)


@pytest.mark.parametrize(
    ("term", "options"),
    [
        ("quay.io/x:1", {}),
        ({"names": "x", "of": "linux/amd64"}, {}),
        ({"names": ["quay.io/x:1"], "of": "x"}, {}),
        ({"names": ["quay.io/x:1"], "of": "linux/amd64"}, {"timeout": 0}),
        ({"names": ["quay.io/x:1"], "of": "linux/amd64"}, {"ca_path": "/nowhere/ca.pem"}),
        ({"names": ["quay.io/x:1"], "of": "linux/amd64"}, {"credentials": [{"registry": "quay.io", "colour": "x"}]}),
    ],
)
def test_misuse_is_named(term: object, options: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleLookupError, match=r"^image_targets: "):
        _look_up(term, **options)
