# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman's images by a handful of calls, also where one of them is damaged. A script on PATH stands in for podman."""

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import process
from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.podman_images import PodmanImages
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import StoreError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.manifests import Index
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.platforms import Platform
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_SCRIPT = """#!/usr/bin/env python3
import json, pathlib, sys
root = pathlib.Path(__file__).parent
world = json.loads((root / "world.json").read_text())
with (root / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
images, broken, lists = world["images"], set(world["broken"]), world["lists"]
words = sys.argv[1:]
if words[0] == "info":
    print(json.dumps({
        "host": {"os": "linux", "arch": "amd64"}, "version": {"Version": world["version"]},
        "store": {"graphDriverName": "overlay", "graphRoot": str(root)}, "registries": {},
    }))
elif words[0] == "images":
    filters = [word for word in words if word.startswith("--filter")]
    if "wrong" in str(filters):
        sys.exit("Error: invalid image filter")
    if broken and world["version"] < "5" and not filters:
        sys.exit("Error: you may need to remove the image to resolve the error: layer not known")
    print(json.dumps([{"Id": key, "Names": [name], "RepoDigests": []} for key, name in images.items() if key not in broken]))
elif words[:2] == ["manifest", "inspect"]:
    print(json.dumps({"manifests": lists[words[2]]}))
elif words[:2] == ["image", "inspect"]:
    asked = [word for word in words[2:] if not word.startswith("--")]
    names = {name: key for key, name in images.items()}
    found = [names.get(word, word) for word in asked]
    if broken & set(found):
        sys.exit("Error: layer not known")
    known = [key for key in found if key in images]
    if "--format={{.Id}}" in words:
        print(*known, sep="\\n")
    else:
        print(json.dumps([{"Id": key, "RepoTags": [images[key]], "Os": "linux", "Architecture": "arm"} for key in known]))
    if len(known) < len(found):
        sys.exit("Error: x: image not known")
"""


def _hex(number: int) -> str:
    return f"{number:064x}"


def _id(number: int) -> str:
    return f"sha256:{_hex(number)}"


class World(t.NamedTuple):
    """The stand-in's store: C(count) images called C(localhost/N:1), some of them broken, some of them lists."""

    folder: pathlib.Path

    def has(
        self, count: int, *, broken: t.Sequence[int] = (), lists: t.Sequence[int] = (), version: str = "5.4.2"
    ) -> PodmanImages:
        images = {_hex(number): f"localhost/{number}:1" for number in range(count)}
        world = {
            "images": images,
            "broken": [_hex(number) for number in broken],
            "lists": {_hex(number): None for number in lists},
            "version": version,
        }
        (self.folder / "world.json").write_text(json.dumps(world), encoding="utf-8")
        index = [
            {
                "id": _hex(number),
                "names": [images[_hex(number)]],
                "big-data-names": ["instances.json" if number in lists else _id(number)],
            }
            for number in range(count)
        ]
        (self.folder / "overlay-images").mkdir(exist_ok=True)
        (self.folder / "overlay-images" / "images.json").write_text(json.dumps(index), encoding="utf-8")
        return PodmanImages()

    def calls(self) -> list[str]:
        lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        (self.folder / "calls").unlink()
        return lines


@pytest.fixture
def world(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> World:
    program = tmp_path / "podman"
    program.write_text(_SCRIPT, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return World(tmp_path)


def test_three_calls_tell_all_of_any_number_of_images(world: World) -> None:
    store = world.has(200)
    host, images = store.look()
    details = store.details(one.id for one in images if one.id)
    assert len(images) == len(details) == 200
    assert {facts.tags[0] for facts in details.values()} == {f"localhost/{number}:1" for number in range(200)}
    assert host.podman_version == (5, 4, 2)
    assert sorted(call.split()[0] for call in world.calls()) == ["image", "images", "info"]


@pytest.mark.parametrize(("version", "calls"), [("5.4.2", 2), ("4.3.1", 3)])
def test_a_damaged_image_is_found_and_hides_no_other(world: World, version: str, calls: int) -> None:
    store = world.has(50, broken=[7, 30], version=version)
    _host, images = store.look()
    assert len(images) == 50
    assert len(world.calls()) == calls, "a listing that fails is asked for once more"
    details = store.details(map(_id, range(50)))
    assert {key for key, facts in details.items() if facts.corrupted} == {_id(7), _id(30)}
    assert details[_id(7)].reason is Reason.CORRUPTED
    assert details[_id(7)].tags == ("localhost/7:1",)
    assert len(details) == 50
    # One for the sound ones; the two suspects together, then each alone.
    assert len(world.calls()) == 4


def test_damage_that_no_listing_shows_is_found_by_halving(world: World) -> None:
    store = world.has(64)
    store.look()
    world.calls()
    world.has(64, broken=[40])
    details = store.details(map(_id, range(64)))
    assert [key for key, facts in details.items() if facts.corrupted] == [_id(40)]
    assert len(details) == 64
    assert len(world.calls()) == 1 + 2 * 6


def test_a_list_that_podman_4_3_stumbles_over_damages_no_image(world: World) -> None:
    """It shows no image at all then; what it does not tell stands in the images' own configs."""
    store = world.has(3, broken=[0, 1, 2], version="4.3.1")
    script = world.folder / "podman"
    script.write_text(
        _SCRIPT.replace("Error: layer not known", "Error: choosing image instance: no image found in manifest list"),
        encoding="utf-8",
    )
    config = json.dumps({"os": "linux", "architecture": "arm", "variant": "v7", "config": {"Labels": {"a": "b"}}})
    for number in (0, 1):
        folder = world.folder / "overlay-images" / _hex(number)
        folder.mkdir()
        (folder / f"={base64.b64encode(_id(number).encode()).decode()}").write_text(config, encoding="utf-8")
    store.look()
    details = store.details(map(_id, range(3)))
    assert [details[_id(number)].corrupted for number in range(3)] == [False, False, True]
    assert details[_id(0)].platform == Platform("linux", "arm", "v7")
    assert (details[_id(1)].labels, details[_id(1)].tags) == ({"a": "b"}, ("localhost/1:1",))


def test_what_has_vanished_is_missing(world: World) -> None:
    store = world.has(3)
    store.look()
    world.has(1)
    assert set(store.details([_id(0), _id(1), _id(9)])) == {_id(0)}
    assert store.details([]) == {}


def test_a_list_is_not_inspected(world: World) -> None:
    """podman would show one of its instances."""
    store = world.has(2, lists=[1])
    _host, images = store.look()
    assert [one.is_manifest_list for one in images] == [False, True]
    world.calls()
    details = store.details([_id(0), _id(1)])
    assert (details[_id(1)].id, details[_id(1)].engine_id) == (None, _id(1))
    assert world.calls() == [f"image inspect {_hex(0)}"]
    assert store.instances(_id(1)) == Index(())


def test_podman_says_what_names_mean(world: World) -> None:
    store = world.has(3, broken=[2])
    store.look()
    world.calls()
    assert store.resolve(["localhost/0:1", "localhost/1:1"]) == {"localhost/0:1": _id(0), "localhost/1:1": _id(1)}
    assert len(world.calls()) == 1
    said = store.resolve(["localhost/0:1", "nothere", "2:1", _hex(2)])
    assert said == {"localhost/0:1": _id(0), "nothere": None, "2:1": None, _hex(2): _id(2)}
    assert store.resolve([]) == {}


def test_filters_are_given_to_podman_and_damaged_images_pass_none(world: World) -> None:
    store = world.has(3, broken=[1], version="4.3.1")
    _host, images = store.look(["label=a=b", "dangling=true"])
    assert [one.id for one in images] == [_id(0), _id(2)]
    assert "images --all --no-trunc --format=json --filter=label=a=b --filter=dangling=true" in world.calls()
    with pytest.raises(StoreError, match="invalid image filter"):
        store.look(["wrong=1"])


def test_a_store_that_cannot_be_listed_at_all_is_an_error(world: World) -> None:
    store = world.has(1)
    (world.folder / "podman").write_text(
        _SCRIPT.replace(
            'elif words[0] == "images":', 'elif words[0] == "images":\n    sys.exit("Error: locked")\nelif 0:'
        ),
        encoding="utf-8",
    )
    (world.folder / "overlay-images" / "images.json").unlink()
    with pytest.raises(StoreError, match=r"^podman images: Error: locked"):
        store.look()


def test_an_old_podman_is_refused(world: World) -> None:
    with pytest.raises(StoreError, match=r"podman on this host is 4\.2\.0"):
        world.has(1, version="4.2.0").look()


def test_without_podman_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    with pytest.raises(StoreError, match=r"install podman 4\.3 or newer"):
        PodmanImages()
