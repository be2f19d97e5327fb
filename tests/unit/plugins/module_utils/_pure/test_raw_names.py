# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw names: the image argument among the words of the command that created a container."""

from __future__ import annotations

import shlex
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.raw_names import find_raw_name

_HEX = "1109b8205692791fa206460aa5cdeb0e2f242376511fc281af25c2f000e7220f"
_ID = f"sha256:{_HEX}"
_D = "sha256:" + "be" * 32
_APP = "quay.io/team/app"
_QUADLET = (
    "/usr/bin/podman run --name systemd-app --cidfile=/run/app.cid --replace --rm --cgroups=split --sdnotify=conmon -d"
)
_GENERATED = (
    "/usr/bin/podman run --cidfile=/run/app.service.ctr-id --cgroups=no-conmon --rm --sdnotify=conmon -d --replace"
    " --name app --label=io.containers.autoupdate=registry"
)


class Command(t.NamedTuple):
    """A command, the name that podman resolved its image to, and the argument that is its image."""

    why: str
    command: str
    resolved: str
    text: str | None
    pinned: bool = False


_COMMANDS = [
    Command("Quadlet", f"{_QUADLET} --label io.containers.autoupdate=registry {_APP}:1", f"{_APP}:1", f"{_APP}:1"),
    Command("podman generate systemd", f"{_GENERATED} {_APP}:latest", f"{_APP}:latest", f"{_APP}:latest"),
    Command("no tag", f"{_GENERATED} {_APP}", f"{_APP}:latest", _APP),
    Command("docker://", f"podman run docker://{_APP}:1", f"{_APP}:1", f"docker://{_APP}:1"),
    Command("Docker Hub", "podman run docker.io/nginx", "docker.io/library/nginx:latest", "docker.io/nginx"),
    Command("a short name", "podman create nginx", "docker.io/library/nginx:latest", "nginx"),
    Command("a short name of a local image", "podman run -d app:dev", "localhost/app:dev", "app:dev"),
    Command("localhost", "podman run localhost/app:dev", "localhost/app:dev", "localhost/app:dev"),
    Command("a port", "podman run -p 8080:80 registry:5000/app", "registry:5000/app:latest", "registry:5000/app"),
    Command("a digest", f"podman run {_APP}@{_D}", f"{_APP}@{_D}", f"{_APP}@{_D}", pinned=True),
    Command("tag and digest", f"podman run {_APP}:1@{_D}", f"{_APP}@{_D}", f"{_APP}:1@{_D}", pinned=True),
    Command("started by ID", f"podman run --name x {_HEX}", f"{_APP}:1", _HEX, pinned=True),
    Command("started by sha256:ID", f"podman run {_ID}", f"{_APP}:1", _ID, pinned=True),
    Command("started by a short ID", f"podman run {_HEX[:12]}", f"{_APP}:1", _HEX[:12], pinned=True),
    Command("started by a very short ID", f"podman run {_HEX[:4]} top", f"{_APP}:1", _HEX[:4], pinned=True),
    Command(
        "by ID, --name equals the short name",
        f"podman run --name app {_HEX[:12]}",
        f"{_APP}:latest",
        _HEX[:12],
        pinned=True,
    ),
    Command(
        "by a very short ID, --name equals the short name",
        f"podman run --name app {_HEX[:6]}",
        f"{_APP}:latest",
        _HEX[:6],
        pinned=True,
    ),
    Command("--name equals the short name", f"podman run --name app {_APP}", f"{_APP}:latest", _APP),
    Command("--name equals the short name, image too", "podman run --name app app", "localhost/app:latest", "app"),
    Command("arguments after the image", f"podman run {_APP}:1 serve {_APP}:2 {_HEX}", f"{_APP}:1", f"{_APP}:1"),
    Command(
        "the image's own arguments repeat it", f"podman run {_APP}:1 pull quay.io/team/app:1", f"{_APP}:1", f"{_APP}:1"
    ),
    Command("another image's ID", f"podman run {'ab' * 32} {_APP}:1", f"{_APP}:1", f"{_APP}:1"),
    Command("another tag", f"podman run {_APP}:2", f"{_APP}:1", None),
    Command(
        "a kube unit", "/usr/bin/podman kube play --replace --service-container=true /etc/app.yaml", f"{_APP}:1", None
    ),
    Command("a container of the REST API", "", f"{_APP}:1", None),
    Command("the program's own name", f"{_APP}:1 run", f"{_APP}:1", None),
    Command("an ID that begins elsewhere", f"podman run {_HEX[1:40]}", f"{_APP}:1", None),
    Command("upper-case hex is no ID", f"podman run {_HEX[:12].upper()}", f"{_APP}:1", None),
    Command(
        "two hex digits are the value of an option", f"podman run --cpus {_HEX[:2]} {_APP}:1", f"{_APP}:1", f"{_APP}:1"
    ),
]


@pytest.mark.parametrize("case", _COMMANDS, ids=lambda case: case.why)
def test_the_image_argument_is_found(case: Command) -> None:
    found = find_raw_name(shlex.split(case.command), case.resolved, _ID)
    assert (found.text if found else None) == case.text
    if found:
        assert found.pinned is case.pinned


def test_without_an_image_id_an_id_is_an_argument_like_any_other() -> None:
    assert find_raw_name(["podman", "run", _HEX], f"{_APP}:1", None) is None


def test_what_was_started_by_id_has_no_reference_to_follow() -> None:
    found = find_raw_name(["podman", "run", _HEX[:12]], f"{_APP}:1", _ID)
    assert found is not None
    assert found.reference is None


@given(st.lists(st.text(max_size=80) | st.sampled_from(["-d", "app", _HEX, _APP, f"{_APP}:1", "--", ""]), max_size=12))
def test_what_is_found_is_one_of_the_arguments(words: list[str]) -> None:
    found = find_raw_name(["podman", *words], f"{_APP}:1", _ID)
    assert found is None or found.text in words
    if f"{_APP}:1" in words and _HEX not in words:
        assert found is not None


def test_a_hostile_command_costs_no_time() -> None:
    words = ["podman", "run", *(["a" * 100_000, "a-" * 50_000, "0" * 100_000] * 100), f"{_APP}:1"]
    found = find_raw_name(words, f"{_APP}:1", _ID)
    assert found is not None
    assert found.text == f"{_APP}:1"
