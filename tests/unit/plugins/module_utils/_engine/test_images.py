# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What image_info returns, and what it refuses before anything is looked at."""

from __future__ import annotations

import pathlib
import socket
import time
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import containers_conf, process
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.images import (
    ImageReport,
    ImageSettings,
    image_info,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.settings import Access
from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.found import Image
from ansible_collections.podfleet.autoupdate.plugins.module_utils._images.lookup import Answer, Entry
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError, InputError, StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_ID = "sha256:" + "0e" * 32
_FACTS = ImageFacts(
    _ID,
    "podman",
    name="localhost/web:1",
    digests=frozenset({"sha256:b", "sha256:a"}),
    tags=("localhost/web:1",),
    platform=Platform("linux", "arm", "v7"),
    labels={"team": "shop"},
)


def test_an_image_that_was_found() -> None:
    result = ImageReport(Answer((Entry("web", Image(_FACTS, "docker.io/library/web:1")),))).to_result()
    (row,) = result["images"]
    assert (row["query"], row["found"], row["reason"], row["error"]) == ("web", True, None, None)
    assert (row["name"], row["id"], row["digests"]) == ("docker.io/library/web:1", _ID, ["sha256:a", "sha256:b"])
    assert row["platform"] == {"os": "linux", "architecture": "arm", "variant": "v7"}
    assert (result["changed"], result["registries"], "failed" in result) == (False, [], False)


def test_an_image_that_is_not_there_is_no_failure() -> None:
    error = ImageError("x: image not known", Reason.IMAGE_UNKNOWN)
    result = ImageReport(Answer((Entry("x", error), Entry(None, Image(_FACTS))))).to_result()
    first, second = result["images"]
    assert (first["found"], first["reason"], first["error"], first["tags"]) == (False, "image_unknown", None, [])
    assert set(first) == set(second)
    assert (second["query"], second["name"]) == (None, "localhost/web:1")
    assert "failed" not in result


def test_failures_are_named_and_lose_nothing() -> None:
    errors = [Entry(f"X{number}", ImageError("no reference", Reason.BAD_REFERENCE)) for number in range(5)]
    result = ImageReport(Answer((*errors, Entry("web", Image(_FACTS))))).to_result()
    assert (result["failed"], result["reason"]) == (True, "bad_reference")
    said = "; ".join(f"X{number}: no reference" for number in range(3))
    assert result["msg"] == f"5 of 6 could not be looked up: {said}; and 2 more"
    assert [row["found"] for row in result["images"]] == [False] * 5 + [True]
    assert result["images"][0]["error"] == "no reference"


class Refused(t.NamedTuple):
    """Settings that cannot be meant, and what is said of them."""

    settings: ImageSettings
    said: str


@pytest.mark.parametrize(
    "refused",
    [
        Refused(ImageSettings(platform="arm"), "is not a platform"),
        Refused(ImageSettings(engine="docker", filters=("dangling=true",)), "filters is for podman's store only"),
        Refused(ImageSettings(engine="cri", manifest_list=True), "manifest_list is for podman's store only"),
        Refused(ImageSettings(names=("x",), filters=("dangling=true",)), "leave name out"),
        Refused(ImageSettings(timeout=0), "registry_timeout must be between 1 and 86400"),
        Refused(ImageSettings(timeout=86401), "registry_timeout must be between 1 and 86400"),
        Refused(ImageSettings(access=Access(ca_path="/nowhere")), "ca_path"),
    ],
    ids=lambda refused: refused.said,
)
def test_what_cannot_be_meant_is_refused(refused: Refused) -> None:
    with pytest.raises(InputError, match=refused.said):
        image_info(refused.settings)


def test_an_empty_list_of_names_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    assert image_info(ImageSettings(names=())).to_result()["images"] == []


@pytest.mark.parametrize("blocks", [False, True])
def test_a_podman_that_fails_keeps_no_registry_from_being_asked_unless_its_files_could_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, blocks: bool
) -> None:
    podman = tmp_path / "podman"
    podman.write_text("#!/bin/sh\necho 'Error: database is locked' >&2\nexit 125\n", encoding="utf-8")
    podman.chmod(0o755)
    conf = tmp_path / "registries.conf"
    conf.write_text('[[registry]]\nlocation = "x.invalid"\n' + "blocked = true\n" * blocks, encoding="utf-8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(conf))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(containers_conf, "_SYSTEM", tmp_path / "none")
    monkeypatch.setattr(containers_conf, "_VENDORS", tmp_path / "none")
    result = image_info(ImageSettings(names=("docker://127.0.0.1:1/x", "web:1"))).to_result()
    first, second = result["images"]
    assert first["reason"] == ("store_failed" if blocks else "registry_unreachable")
    assert second["reason"] == "store_failed"
    assert "podman info: Error: database is locked" in second["error"]


def test_a_registry_that_says_nothing_is_left_after_the_timeout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"docker://127.0.0.1:{silent.getsockname()[1]}/x"
        started = time.monotonic()
        result = image_info(ImageSettings(names=(name,), timeout=0.2)).to_result()
    assert result["images"][0]["reason"] == "registry_unreachable"
    assert "did not answer within 0.2 s" in result["images"][0]["error"]
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("engine", ["podman", "docker", "cri"])
def test_without_the_engine_the_rest_is_answered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, engine: str
) -> None:
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    result = image_info(ImageSettings(names=("web:1", f"dir:{tmp_path}"), engine=engine)).to_result()
    reasons = [row["reason"] for row in result["images"]]
    assert reasons == ["store_failed" if engine == "podman" else "engine_failed", "archive_invalid"]
    assert "is not installed" in result["images"][0]["error"]
    with pytest.raises(StoreError, match="is not installed"):
        image_info(ImageSettings(engine=engine))
