# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup: real registries on sockets."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

pytest.importorskip("ansible")

from ansible.errors import AnsibleLookupError

from ansible_collections.podfleet.autoupdate.plugins.lookup import image_digest
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.credentials import Credential
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import digest_of
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.lookup.loading import loaded
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    MANIFEST,
    Asked,
    Reply,
    Server,
    always,
    index_of,
    manifest,
)

_SECRET = "tr0ub4dor"
_INDEX = index_of(("linux/arm64", "sha256:" + "0f" * 32), ("linux/amd64", DIGEST))


@pytest.fixture(autouse=True)
def no_files(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of whoever runs this."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))


def _look_up(*terms: t.Any, **options: t.Any) -> list[str]:
    return loaded(image_digest).run(list(terms), {}, **{"validate_certs": False, **options})


def _image(platform: str) -> tuple[bytes, bytes]:
    """A config, and the manifest that names it."""
    config = json.dumps(dict(zip(("os", "architecture", "variant"), platform.split("/")))).encode()
    return config, json.dumps({"schemaVersion": 2, "config": {"digest": digest_of(config)}, "layers": []}).encode()


def _serve(asked: Asked) -> Reply:
    body = MANIFEST if asked.path.endswith(DIGEST) else _INDEX
    return manifest(body, digest_of(body))


def _holding(tag: bytes, *bodies: bytes) -> t.Callable[[Asked], Reply]:
    """A registry whose only tag is the first body."""

    def answer(asked: Asked) -> Reply:
        name = asked.path.rpartition("/")[2]
        body = {digest_of(one): one for one in (tag, *bodies)}.get(name, tag)
        return Reply(200, {}, body) if "/blobs/" in asked.path else manifest(body, digest_of(body))

    return answer


def test_a_tag_is_told_by_one_head() -> None:
    with Server(_serve) as server:
        assert _look_up(f"{server.address}/team/app:1") == [digest_of(_INDEX)]
        assert server.methods == ["HEAD"]


def test_a_platform_asks_for_its_own_image() -> None:
    config, image = _image("linux/amd64")
    index = index_of(("linux/arm64", "sha256:" + "0f" * 32), ("linux/amd64", digest_of(image)))
    with Server(_holding(index, image, config)) as server:
        assert _look_up(f"docker://{server.address}/team/app:1", platform="linux/amd64") == [digest_of(image)]
        assert server.methods == ["GET"] * 3
        with pytest.raises(AnsibleLookupError, match=r"no image for linux/s390x .*\(not_found\)"):
            _look_up(f"{server.address}/team/app:1", platform="linux/s390x")


@pytest.mark.parametrize(
    ("is_for", "wanted", "answers"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/x86_64", True),
        ("linux/arm/v6", "linux/arm/v7", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/amd64", "linux/arm64", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_an_image_for_one_platform_answers_for_that_one_alone(is_for: str, wanted: str, answers: bool) -> None:
    config, image = _image(is_for)
    with Server(_holding(image, config)) as server:
        name = f"{server.address}/team/app:1"
        if answers:
            assert _look_up(name, platform=wanted) == [digest_of(image)]
        else:
            with pytest.raises(AnsibleLookupError, match=rf"no image for {wanted}, but for {is_for} \(not_found\)"):
                _look_up(name, platform=wanted)


def test_references_are_answered_in_their_order_and_asked_once() -> None:
    with Server(_serve) as server:
        one, two = f"{server.address}/team/app:1", f"{server.address}/team/app@{DIGEST}"
        assert _look_up(one, two, one) == [digest_of(_INDEX), DIGEST, digest_of(_INDEX)]
        assert len(server.asked) == 2
    assert _look_up() == []


def _locked(asked: Asked) -> Reply:
    opened = asked.authorization == f"Basic {Credential('reader', _SECRET).basic()}"
    return manifest() if opened else Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})


def _authfile(address: str, folder: pathlib.Path) -> str:
    path = folder / "auth.json"
    text = f'{{"auths": {{"{address}": {{"auth": "{Credential("reader", _SECRET).basic()}"}}}}}}'
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("way", ["username", "credentials", "authfile"])
def test_a_password_opens_it(way: str, tmp_path: pathlib.Path) -> None:
    with Server(_locked) as server:
        options = {
            "username": {"username": "reader", "password": _SECRET},
            "credentials": {"credentials": [{"registry": server.address, "username": "reader", "password": _SECRET}]},
            "authfile": {"authfile": _authfile(server.address, tmp_path)},
        }[way]
        assert _look_up(f"{server.address}/team/app:1", **options) == [DIGEST]


def test_a_wrong_password_is_not_repeated() -> None:
    with Server(_locked) as server, pytest.raises(AnsibleLookupError, match=r"\(auth_required\)") as caught:
        _look_up(f"{server.address}/team/app:1", username="reader", password="it-is-wrong")
    assert "it-is-wrong" not in str(caught.value)


def test_all_that_failed_is_told() -> None:
    with Server(always(Reply(404))) as server, pytest.raises(AnsibleLookupError) as caught:
        _look_up(f"{server.address}/team/app:1", "nginx", "sha256:abc", "quay.io/Team/app", "oci:/srv/app")
    for reason in ("not_found", "short_name", "bad_id", "bad_reference", "unsupported_transport"):
        assert f"({reason})" in str(caught.value)


def test_a_certificate_of_nobody_is_not_believed_by_default() -> None:
    with Server(always(manifest())) as server, pytest.raises(AnsibleLookupError, match="tls"):
        _look_up(f"{server.address}/team/app:1", validate_certs=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"platform": "amd64"}, "is not a platform"),
        ({"timeout": 0}, "timeout must be between"),
        ({"authfile": "/no/such/file"}, "/no/such/file is not there"),
        ({"ca_path": "/no/such/file"}, "/no/such/file is not there"),
        ({"username": "reader"}, "required together"),
        ({"credentials": [{"registry": "quay.io"}]}, "an entry needs"),
        ({"credentials": [{"registry": "quay.io", "username": "u", "password": "p", "token": "x"}]}, "no token"),
        ({"credentials": [{"registry": "quay.io", "username": "u", "password": 7}]}, "dictionary of texts"),
        ({"credentials": ["quay.io"]}, "dictionary of texts"),
        (
            {"credentials": [{"registry": "quay.io", "identity_token": one} for one in "xy"]},
            "two entries are for quay.io",
        ),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleLookupError, match=message):
        _look_up("quay.invalid/team/app", **options)


def test_a_reference_is_a_text() -> None:
    with pytest.raises(AnsibleLookupError, match="not dict"):
        _look_up({"name": "quay.io/app"})
