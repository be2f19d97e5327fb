# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_info gives one answer for one image, whatever holds it. podman, dockerd, containerd and the registry are real.

Only crictl is a stand-in, which asks containerd's real CRI socket (tests/lab/on_host/crictl.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from access import Asked
from harness import COLLECTION, Ansible, Result
from lablib.engines import containerd, dockerd
from lablib.host import Host
from lablib.lab import Lab
from locations import SCRATCH
from pushing import Push, id_of

MODULE = f"{COLLECTION}.image_info"
FOLDER = f"{SCRATCH}/images"
_KEYS = {
    "query", "found", "reason", "error", "name", "id", "engine_id", "digest", "digests", "tags", "repo_digests",
    "platform", "created", "size", "labels", "source", "corrupted", "is_manifest_list",
}  # fmt: skip


def _ask(ansible: Ansible, host: Host, *, options: Sequence[str] = (), **arguments: Any) -> Result:
    run = ansible.run(host.name, MODULE, arguments, options=options)
    result = run.succeeded()
    assert not result.changed
    return result


def _rows(result: Result) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = result.data["images"]
    assert all(set(row) == _KEYS for row in rows)
    return rows


def _pull(host: Host, *references: str) -> None:
    for reference in references:
        host.run(["podman", "pull", "--quiet", reference])


def _ids(result: Result) -> list[str | None]:
    return [row["id"] for row in _rows(result)]


def test_one_image_has_one_id_wherever_it_is(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    """podman's storage, dockerd, containerd by its CRI, four kinds of files, and the registry."""
    web = push("info-image-web", labels={"team": "shop"})
    name = "docker.io/it/web:1"
    _pull(host, web.reference)
    host.run(["podman", "tag", web.reference, name])
    host.run(["mkdir", "-p", FOLDER])
    host.run(["podman", "save", "--quiet", "--format=docker-archive", f"--output={FOLDER}/docker.tar", name])
    host.run(["podman", "save", "--quiet", "--format=oci-archive", f"--output={FOLDER}/oci.tar", name])
    for target in (f"oci:{FOLDER}/layout:web", f"dir:{FOLDER}/dir"):
        host.run(["skopeo", "copy", "--quiet", f"containers-storage:{name}", target])
    with containerd(host), dockerd(host):
        host.run(["docker", "load", "--input", f"{FOLDER}/docker.tar"])
        host.run(["ctr", "--namespace=k8s.io", "images", "import", f"{FOLDER}/oci.tar"])
        files = [f"docker-archive:{FOLDER}/docker.tar", f"oci-archive:{FOLDER}/oci.tar", f"oci:{FOLDER}/layout"]
        queries = [web.reference, "it/web:1", *files, f"dir:{FOLDER}/dir", "docker-daemon:it/web:1"]
        queries.append(f"docker://{web.reference}")
        mark = lab.registry.mark()
        result = _ask(ansible, host, name=queries)
        asked = Asked.by(host, lab.registry, mark)
        in_docker = _ask(ansible, host, name=["it/web:1", name, id_of(web), "nothere"], engine="docker")
        all_in_docker = _ask(ansible, host, engine="docker")
        in_cri = _ask(ansible, host, name=["it/web:1", name, id_of(web)[7:19], "nothere"], engine="cri")
        all_in_cri = _ask(ansible, host, engine="cri")
        witness = json.loads(host.run(["docker", "image", "inspect", name]).stdout)[0]["Id"]

    assert _ids(result) == [id_of(web)] * len(queries)
    assert witness == id_of(web)
    rows = _rows(result)
    assert [row["query"] for row in rows] == queries
    words = ["podman", "podman", "docker-archive", "oci-archive", "oci", "dir", "docker", "registry"]
    assert [row["source"] for row in rows] == words
    same = [(row["created"], row["platform"], row["labels"]["team"]) for row in rows]
    platform = {"os": "linux", "architecture": "amd64", "variant": ""}
    assert same == [("2024-01-01T00:00:00Z", platform, "shop")] * len(queries)
    assert all(row["found"] and not row["reason"] and not row["engine_id"] and row["size"] > 0 for row in rows)
    assert rows[0]["digest"] == rows[-1]["digest"] == web.digest
    # Only the last name is the registry's matter; its index or manifest is fetched once.
    (usage,) = result.data["registries"]
    assert (usage["registry"], usage["reason"]) == (lab.registry.address, None)
    assert len(asked.of_the_module.gets) == 1
    for answer, everything in ((in_docker, all_in_docker), (in_cri, all_in_cri)):
        assert _ids(answer) == [id_of(web)] * 3 + [None]
        assert [row["reason"] for row in _rows(answer)] == [None, None, None, "image_unknown"]
        assert _rows(answer)[0]["tags"] == [name]
        assert _rows(answer)[0]["labels"]["team"] == "shop"
        (only,) = _rows(everything)
        assert only == {**_rows(answer)[0], "query": None, "name": name}


@pytest.mark.parametrize("distro", ["trixie"], indirect=True)
def test_a_docker_with_containerds_store_has_other_ids(host: Host, ansible: Ansible, push: Push) -> None:
    """There an ID is the digest of a manifest (bookworm's dockerd is too old for it)."""
    web = push("info-image-store", media="docker")
    _pull(host, web.reference)
    host.run(["mkdir", "-p", FOLDER])
    host.run(["podman", "tag", web.reference, "docker.io/it/store:1"])
    host.run(["podman", "save", "--quiet", f"--output={FOLDER}/docker.tar", "docker.io/it/store:1"])
    with dockerd(host, containerd_store=True):
        host.run(["docker", "load", "--input", f"{FOLDER}/docker.tar"])
        shown = json.loads(host.run(["docker", "image", "inspect", "it/store:1"]).stdout)[0]["Id"]
        result = _ask(ansible, host, name=["it/store:1", shown, id_of(web)], engine="docker")

    assert shown != id_of(web)
    assert _ids(result) == [id_of(web)] * 3
    assert [(row["engine_id"], row["digest"], row["reason"]) for row in _rows(result)] == [(shown, shown, None)] * 3


def test_an_image_of_another_platform_is_not_there(host: Host, ansible: Ansible, push: Push) -> None:
    """Wherever it is: an image that no index offers is for one platform, whatever is asked for."""
    web = push("info-image-only")
    _pull(host, web.reference)
    host.run(["mkdir", "-p", FOLDER])
    host.run(["podman", "save", "--quiet", f"--output={FOLDER}/only.tar", web.reference])
    queries = [f"docker://{web.reference}", web.reference, f"docker-archive:{FOLDER}/only.tar"]

    other = _ask(ansible, host, name=queries, platform="linux/arm64")
    same = _ask(ansible, host, name=queries, platform="linux/amd64")

    assert [row["reason"] for row in _rows(other)] == ["not_found", "image_unknown", "image_unknown"]
    assert not any(row["found"] or row["id"] for row in _rows(other))
    assert _ids(same) == [id_of(web)] * 3


def test_a_list_without_a_name_hides_no_image(host: Host, ansible: Ansible, push: Push) -> None:
    """podman 4.3 refuses to show any image beside one that is empty."""
    web = push("info-image-beside", labels={"team": "shop"})
    _pull(host, web.reference)
    name = "localhost/it/nameless:1"
    host.run(["podman", "manifest", "create", name])
    (listed,) = host.run(["podman", "images", "--quiet", "--no-trunc", name]).stdout.split()
    host.run(["podman", "tag", web.reference, name])
    try:
        named = _ask(ansible, host, name=[web.reference, name, id_of(web)])
        lists = _ask(ansible, host, name=listed.partition(":")[2], manifest_list=True)
        everything = _ask(ansible, host)
    finally:
        host.run(["podman", "rmi", "--force", listed.partition(":")[2]], check=False)

    rows = _rows(named)
    assert [(row["id"], row["corrupted"], row["reason"]) for row in rows] == [(id_of(web), False, None)] * 3
    assert {(row["labels"]["team"], row["platform"]["architecture"]) for row in rows} == {("shop", "amd64")}
    (the_list,) = _rows(lists)
    assert (the_list["engine_id"], the_list["is_manifest_list"], the_list["name"]) == (listed, True, None)
    found = {row["engine_id"] or row["id"]: row for row in _rows(everything)}
    assert found[listed]["is_manifest_list"]
    assert not found[id_of(web)]["corrupted"]


_DAMAGE = """
import json, pathlib, sys
root, image = pathlib.Path("/var/lib/containers/storage"), sys.argv[1]
(entry,) = (one for one in json.loads((root / "overlay-images/images.json").read_text()) if one["id"] == image)
layers = root / "overlay-layers/layers.json"
layers.write_text(json.dumps([one for one in json.loads(layers.read_text()) if one["id"] != entry["layer"]]))
"""


@pytest.mark.parametrize("how", ["layer", "config"])
def test_a_damaged_image_is_found_and_hides_no_other(host: Host, ansible: Ansible, push: Push, how: str) -> None:
    """podman 5 leaves it out of its listing, podman 4.3 cannot list anything any more."""
    web, sound = push("info-image-bad"), push("info-image-sound", version="2")
    _pull(host, web.reference, sound.reference)
    bare = id_of(web).partition(":")[2]
    if how == "layer":
        host.run(["python3", "-c", _DAMAGE, bare])
        assert host.run(["podman", "image", "exists", web.reference], check=False).returncode == 1
    else:
        host.run(["sh", "-c", f"rm /var/lib/containers/storage/overlay-images/{bare}/=c2hhM*"])
    short = push.repository("info-image-bad")
    queries = [web.reference, sound.reference, id_of(web), bare[:12], short, "nothere"]

    result = _ask(ansible, host, name=queries)

    rows = _rows(result)
    assert _ids(result) == [id_of(web), id_of(sound), id_of(web), id_of(web), id_of(web), None]
    assert [row["found"] for row in rows] == [True] * 5 + [False]
    assert [row["corrupted"] for row in rows] == [True, False, True, True, True, False]
    assert [row["reason"] for row in rows] == ["corrupted", None, *["corrupted"] * 3, "image_unknown"]
    assert rows[0]["tags"] == [web.reference]
    assert web.digest in rows[0]["digests"]
    everything = _rows(_ask(ansible, host))
    assert {row["id"]: row["corrupted"] for row in everything} == {id_of(web): True, id_of(sound): False}

    # A pull mends it.
    host.run(["podman", "pull", "--quiet", "--policy=newer", web.reference], check=False)
    host.run(["podman", "rmi", "--force", bare], check=False)
    _pull(host, web.reference)
    assert [row["corrupted"] for row in _rows(_ask(ansible, host, name=[web.reference]))] == [False]


def test_a_failure_loses_nothing_else(host: Host, ansible: Ansible, push: Push) -> None:
    web = push("info-image-names")
    _pull(host, web.reference)
    host.write(f"{FOLDER}/damaged.tar", "this is no archive")
    failing = {
        "Shop/Web": "bad_reference",
        "sha256:aa": "bad_id",
        "sif:/x": "unsupported_transport",
        f"docker-archive:{FOLDER}/none.tar": "archive_unreadable",
        f"docker-archive:{FOLDER}/damaged.tar": "archive_invalid",
        "docker-daemon:web": "bad_reference",
        "docker://10.78.0.1:5999/x": "registry_unreachable",
    }
    queries = [*failing, "nothere", web.reference, f"docker://{web.reference}", f"docker://{web.reference}-gone"]

    run = ansible.run(host.name, MODULE, {"name": queries})

    failed = run.failed()
    rows = _rows(failed)
    assert [row["query"] for row in rows] == queries
    assert {row["query"]: row["reason"] for row in rows if row["error"]} == failing
    assert [(row["found"], row["reason"]) for row in rows[len(failing) :]] == [
        (False, "image_unknown"),
        (True, None),
        (True, None),
        (False, "not_found"),
    ]
    assert rows[-3]["id"] == rows[-2]["id"] == id_of(web)
    message = failed.data["msg"]
    assert message.startswith(f"7 of {len(queries)} could not be looked up")
    assert "Shop/Web" in message
    assert (failed.data["reason"], failed.data["changed"]) == ("bad_reference", False)
    assert failed.data["registries"]


def test_names_are_podmans(host: Host, ansible: Ansible, push: Push) -> None:
    """What podman itself inspects for a name is what the name means here; check mode says the same."""
    web, other = push("info-image-a"), push("info-image-b", version="2")
    _pull(host, web.reference, other.pinned)
    host.run(["podman", "tag", web.reference, "shop/web:1", "quay.io/shop/web:2"])
    host.run(["podman", "tag", other.pinned, "localhost/other"])
    bare = id_of(web).partition(":")[2]
    repository = web.reference.rpartition(":")[0]
    queries = [
        web.reference, web.pinned, f"{repository}:gone", f"{repository}:gone@{web.digest}", other.pinned,
        "shop/web:1", "localhost/shop/web:1", "web:1", "web", "other", "docker.io/library/other",
        bare, id_of(web), bare[:10], f"containers-storage:{web.reference}", f"sha256:{'0' * 64}",
    ]  # fmt: skip

    result = _ask(ansible, host, name=queries)
    checked = _ask(ansible, host, name=queries, options=["--check"])
    by_short_name = ansible.run(host.name, "image_info", {"name": web.reference}).succeeded()

    shown = [
        host.run(
            ["podman", "image", "inspect", "--format={{.Id}}", query.removeprefix("containers-storage:")], check=False
        )
        for query in queries
    ]
    witnesses = [f"sha256:{one.stdout.strip()}" if one.returncode == 0 else None for one in shown]
    assert dict(zip(queries, _ids(result), strict=True)) == dict(zip(queries, witnesses, strict=True))
    assert checked.data["images"] == result.data["images"]
    assert by_short_name.data["images"] == result.data["images"][:1]
    assert witnesses.count(None) < len(queries) // 2, "the test asks for too little that is there"
    row = _rows(result)[0]
    assert sorted(row["tags"]) == sorted([web.reference, "localhost/shop/web:1", "quay.io/shop/web:2"])
    assert {(row["query"], row["name"]) for row in _rows(result)} >= {
        ("shop/web:1", "localhost/shop/web:1"),
        (web.reference, web.reference),
    }
    everything = _ask(ansible, host)
    assert sorted(filter(None, _ids(everything))) == sorted([id_of(web), id_of(other)])


def test_a_manifest_list_means_the_image_for_this_host(host: Host, ansible: Ansible, push: Push) -> None:
    multi = push("info-image-multi", platforms=("linux/amd64", "linux/arm/v7"))
    web = push("info-image-plain")
    _pull(host, multi.reference, web.reference)
    host.run(["podman", "manifest", "create", "localhost/it/list:1"])
    host.run(["podman", "manifest", "add", "--all", "localhost/it/list:1", f"docker://{multi.reference}"])
    host.run(["podman", "manifest", "create", "localhost/it/empty:1"])
    queries = ["localhost/it/list:1", "it/list:1", "localhost/it/empty:1", multi.reference]

    instance = _rows(_ask(ansible, host, name=queries))
    arm = _rows(_ask(ansible, host, name=queries, platform="linux/arm/v7"))
    itself = _rows(_ask(ansible, host, name=queries[:3], manifest_list=True))
    failed = ansible.run(host.name, MODULE, {"name": [queries[0], web.reference], "manifest_list": True}).failed()
    everything = _rows(_ask(ansible, host))

    amd64 = multi.image_ids["linux/amd64"]
    assert [row["id"] for row in instance] == [amd64, amd64, None, amd64]
    assert [row["found"] for row in arm] == [False] * 4
    assert [row["is_manifest_list"] for row in itself] == [True] * 3
    assert {row["id"] for row in itself} == {None}
    assert itself[0]["engine_id"] == itself[1]["engine_id"] != itself[2]["engine_id"]
    assert itself[0]["tags"] == ["localhost/it/list:1"]
    assert itself[0]["reason"] == "id_not_config"
    assert [row["is_manifest_list"] for row in _rows(failed)] == [True, False]
    assert (_rows(failed)[1]["reason"], failed.data["reason"]) == ("not_a_manifest_list",) * 2
    assert sorted(row["is_manifest_list"] for row in everything) == [False, False, True, True]

    _pull_for(host, "linux/arm/v7", multi.reference)
    found = _rows(_ask(ansible, host, name=[queries[0], multi.reference], platform="linux/arm/v7"))
    assert [row["id"] for row in found] == [multi.image_ids["linux/arm/v7"]] * 2
    assert found[0]["platform"] == {"os": "linux", "architecture": "arm", "variant": "v7"}


def _pull_for(host: Host, platform: str, reference: str) -> None:
    host.run(["podman", "pull", "--quiet", f"--platform={platform}", reference])


def test_filters_are_podmans_own(host: Host, ansible: Ansible, push: Push) -> None:
    web, other = push("info-image-f", labels={"team": "shop"}), push("info-image-g", version="2")
    _pull(host, web.reference, other.reference)
    host.run(["podman", "untag", other.reference])

    def found(*filters: str) -> list[str | None]:
        return _ids(_ask(ansible, host, filters=list(filters)))

    assert found("dangling=true") == [id_of(other)]
    assert found("label=team=shop") == [id_of(web)]
    assert found("label!=team=shop") == [id_of(other)]
    assert found(f"reference={web.reference}", "dangling=false") == [id_of(web)]
    if host.distro != "bookworm":  # podman 4.3 finds nothing by this one.
        assert found(f"id={id_of(web)[7:17]}") == [id_of(web)]
    assert found("containers=true") == []
    for wrong in ("colour=red", "dangling=perhaps", "dangling"):
        failed = ansible.run(host.name, MODULE, {"filters": [wrong]}).failed()
        assert wrong.partition("=")[0] in failed.data["msg"]
    both = ansible.run(host.name, MODULE, {"filters": ["dangling=true"], "name": ["x"]}).failed()
    assert "leave name out" in both.data["msg"]


def test_an_engine_that_is_not_there_is_said_so(host: Host, ansible: Ansible, push: Push) -> None:
    web = push("info-image-missing")
    _pull(host, web.reference)

    docker = ansible.run(
        host.name, MODULE, {"name": [f"containers-storage:{web.reference}", "x:1"], "engine": "docker"}
    )
    cri = ansible.run(host.name, MODULE, {"engine": "cri"})

    rows = _rows(docker.failed())
    assert [(row["id"], row["reason"]) for row in rows] == [(id_of(web), None), (None, "engine_failed")]
    assert "Is the docker daemon running?" in rows[1]["error"]
    assert cri.failed().data["reason"] == "engine_failed"
    assert "crictl is not installed" in cri.failed().data["msg"]


def test_a_user_sees_their_own_images(host: Host, ansible: Ansible, push: Push) -> None:
    web, theirs = push("info-image-root"), push("info-image-user", version="2")
    _pull(host, web.reference)
    host.run(["sh", "-c", "id it-user >/dev/null 2>&1 || useradd --create-home --shell=/bin/sh it-user"])
    # podman remembers the user's runtime folder, which goes with the last session of a user who does not linger.
    host.run(["loginctl", "enable-linger", "it-user"])
    try:
        host.run(["sudo", "--login", "--user=it-user", "podman", "pull", "--quiet", theirs.reference], timeout=120)
        result = _ask(ansible, host, name=[web.reference, theirs.reference], options=_AS_USER)
        everything = _ask(ansible, host, options=_AS_USER)
    finally:
        host.run(
            [
                "sh",
                "-c",
                "sudo --login --user=it-user podman system reset --force; loginctl disable-linger it-user; pkill -KILL -u it-user; userdel --remove it-user",
            ],
            check=False,
        )

    assert _ids(result) == [None, id_of(theirs)]
    assert _ids(everything) == [id_of(theirs)]


_AS_USER = ("--become", "--become-user=it-user")
