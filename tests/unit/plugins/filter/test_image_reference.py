# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter image_reference: every kind of name, as a dict that always has the same keys."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

pytest.importorskip("ansible")

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.filter import image_reference as plugin

_HEX = "ab" * 32
_D = f"sha256:{_HEX}"
_filter = plugin.FilterModule().filters()["image_reference"]


def _told(text: object) -> dict[str, object]:
    """What the filter says, without what is null."""
    parts = t.cast("dict[str, object]", _filter(text))
    assert list(parts) == list(yaml.safe_load(plugin.RETURN)["_value"]["contains"]), "the documented keys, all and only"
    return {key: value for key, value in parts.items() if value is not None}


def _reference(**parts: str) -> dict[str, str]:
    return {"kind": "reference", **parts}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "nginx",
            _reference(
                repository="nginx",
                tag="latest",
                name="nginx:latest",
                familiar="nginx",
                canonical="docker.io/library/nginx:latest",
            ),
        ),
        (
            "docker://nginx",
            _reference(
                transport="docker",
                registry="docker.io",
                repository="library/nginx",
                tag="latest",
                name="docker.io/library/nginx:latest",
                familiar="nginx",
                canonical="docker.io/library/nginx:latest",
            ),
        ),
        (
            "localhost:5000/team/app:1.2",
            _reference(
                registry="localhost:5000",
                repository="team/app",
                tag="1.2",
                name="localhost:5000/team/app:1.2",
                familiar="localhost:5000/team/app:1.2",
                canonical="localhost:5000/team/app:1.2",
            ),
        ),
        (
            f"docker.io/team/app:1@{_D}",
            _reference(
                registry="docker.io",
                repository="team/app",
                tag="1",
                digest=_D,
                name=f"docker.io/team/app@{_D}",
                familiar=f"team/app@{_D}",
                canonical=f"docker.io/team/app@{_D}",
            ),
        ),
        (
            "docker.io/library/team/app",
            _reference(
                registry="docker.io",
                repository="library/team/app",
                tag="latest",
                name="docker.io/library/team/app:latest",
                familiar="library/team/app",
                canonical="docker.io/library/team/app:latest",
            ),
        ),
        (_HEX, {"kind": "id", "id": _D}),
        (_D, {"kind": "id", "id": _D}),
        ("docker-archive:/x.tar:@2", {"kind": "source", "transport": "docker-archive", "path": "/x.tar", "index": 2}),
        ("oci:/x:1.0", {"kind": "source", "transport": "oci", "path": "/x", "selector": "1.0"}),
        ("docker-daemon:app:1", {"kind": "source", "transport": "docker-daemon", "selector": "app:1"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_name_is_taken_apart(text: str, expected: dict[str, object]) -> None:
    assert _told(text) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("upperCase", "repository name must be lowercase"),
        ("app:a:b", "is not a valid tag"),
        ("", "invalid reference format"),
        ("sha256:aa", "no 64-byte hexadecimal value"),
        ("docker-daemon:alpine", "neither a tag nor a digest"),
        ("sif:x", "these can: docker"),
        # Fits as a short name, and no more with Docker Hub before it.
        ("a" * 250, "more than 255 characters"),
        (None, "is a string, not NoneType"),
        (7, "is a string, not int"),
        (["nginx"], "is a string, not list"),
    ],
)
def test_what_is_no_name_is_an_error_in_the_words_of_the_field(value: object, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match="image_reference: ") as caught:
        _filter(value)
    assert said in str(caught.value)


def test_the_samples_in_the_documentation_are_what_the_filter_says() -> None:
    documented = yaml.safe_load(plugin.RETURN)["_value"]["contains"]
    samples = {key: entry["sample"] for key, entry in documented.items()}
    digest = samples.pop("digest")
    said = t.cast("dict[str, object]", _filter("docker://registry.example.com:5000/team/app:1.2"))
    assert said.pop("digest") is None
    assert said == samples
    assert t.cast("dict[str, object]", _filter(f"app@{digest}"))["digest"] == digest


def test_the_plugin_is_called_as_its_file() -> None:
    assert pathlib.Path(plugin.__file__).stem == yaml.safe_load(plugin.DOCUMENTATION)["name"] == "image_reference"
