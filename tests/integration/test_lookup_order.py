# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own local look-up against podman's, name by name, on a store that is full of traps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from lablib.host import Host
from pushing import Push, id_of

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure import manifests, records
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_facts import ImageFacts
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.local_lookup import (
    Answers,
    AskEngine,
    Found,
    LocalImages,
)

_CONFIG = "/etc/containers/registries.conf.d/900-it-lookup.conf"
_ASK = r"""
while IFS= read -r name; do
    podman image exists -- "$name" 2>/dev/null
    exists=$?
    said=$(podman image inspect --format '{{.Id}}' -- "$name" 2>&1 >/tmp/it-lookup.out | grep -v 'level=warning')
    printf '%s\0%s\0%s\0' "$exists" "$(cat /tmp/it-lookup.out)" "$said"
done
rm -f /tmp/it-lookup.out
"""
#: What podman's messages say of libimage's class of error.
_CLASSES = {
    "image_unknown": r"image not known",
    "unsupported_transport": r"unsupported transport",
    "bad_id": r"no 64-byte hexadecimal value",
    "bad_reference": r"invalid reference format|must be lowercase|must have at least one component|not be more than 255"
    r"|invalid checksum digest|unsupported digest algorithm",
}
_EXISTS = {"found": "0", "image_unknown": "1"}


@dataclass(frozen=True)
class Trap:
    """What the store holds, by the names that the images were pushed under."""

    ids: Mapping[str, str]
    digests: Mapping[str, str]
    repositories: Mapping[str, str]


@pytest.fixture
def trap(host: Host, push: Push) -> Iterator[Trap]:
    """Every image has a tag of its own, so that only a few short names can be an alias."""
    plain, search, other = push("look", tag="t1"), push("hit", tag="t2"), push("other", tag="t3")
    multi = push("multi", tag="t4", platforms=("linux/amd64", "linux/arm64"))
    loose = push("loose", tag="t5")
    short_id = id_of(plain).partition(":")[2]
    config = (
        'unqualified-search-registries = ["search.example", "second.example"]\n'
        f'[aliases]\n"it-aliased" = "{other.reference.rpartition(":")[0]}"\n'
    )
    commands = [
        *(f"podman pull --quiet {one.reference}" for one in (plain, search, other, multi, loose)),
        f"podman tag {plain.reference} localhost/it-local:t10 quay.io/team/my-app:t11 docker.io/library/it-hub:t12",
        f"podman tag {search.reference} search.example/it-found:t13 second.example/it-found:t13",
        f"podman tag {search.reference} second.example/it-second:t14 localhost/{short_id[0]}:latest docker.io/ns/it:t15",
        # The same short name at two places of the order: localhost first.
        f"podman tag {search.reference} localhost/it-both:t16; podman tag {plain.reference} second.example/it-both:t17",
        f"podman tag {other.reference} localhost/it-aliased:t18 {other.reference.rpartition(':')[0]}:t19",
        f"podman tag {plain.reference} localhost/it-aliased:t19",
        f"podman untag {loose.reference}",
        "podman manifest create localhost/it-list:t20",
        f"podman manifest add localhost/it-list:t20 containers-storage:{plain.reference}",
        "podman manifest create localhost/it-hollow:t21",
        f"podman manifest add --arch arm64 localhost/it-hollow:t21 docker://{multi.reference}",
    ]
    pushed = {"look": plain, "hit": search, "other": other, "multi": multi, "loose": loose}
    try:
        host.write(_CONFIG, config)
        host.run(["sh", "-ec", "\n".join(commands)])
        yield Trap(
            {name: id_of(one) for name, one in pushed.items()},
            {
                **{name: one.digest for name, one in pushed.items()},
                "instance": multi.manifest_digests["linux/amd64"],
                "absent": multi.manifest_digests["linux/arm64"],
            },
            {name: one.reference.rpartition(":")[0] for name, one in pushed.items()},
        )
    finally:
        host.run(["rm", "-f", _CONFIG])


def _names(trap: Trap) -> list[str]:
    """The table. What podman answers to each is podman's to say; that we say the same is the test."""
    plain_id, digest, repo = trap.ids["look"].partition(":")[2], trap.digests, trap.repositories
    last = repo["look"].rpartition("/")[2]
    return [
        # Full names, short names and partial paths, with the right tag, without, and with a wrong one (L1, L2).
        *(f"{name}{tag}" for name in (repo["look"], last, f"x{last}", last[1:]) for tag in (":t1", "", ":nosuch")),
        "it-local:t10", "localhost/it-local:t10", "docker.io/it-local:t10", "library/it-local:t10",
        "my-app:t11", "team/my-app:t11", "y-app:t11", "eam/my-app:t11", "quay.io/my-app:t11",
        "it-hub:t12", "library/it-hub:t12", "docker.io/it-hub:t12", "docker.io/library/it-hub:t12", "index.docker.io/it-hub:t12",
        "it-found:t13", "example/it-found:t13", "it-second:t14", "it:t15", "ns/it:t15", "docker.io/ns/it:t15",
        "it-both:t16", "it-both:t17", "it-aliased:t18", "it-aliased:t19", "it-aliased:t3", "it-aliased",
        # Digests: the tag beside one does not count; a repository must be the image's (L3).
        *(f"{name}{tag}@{digest['look']}" for name in (repo["look"], last, "my-app", "it-local") for tag in ("", ":t1", ":wrong")),
        f"{repo['hit']}@{digest['look']}", f"it-found@{digest['look']}", f"nosuch@{digest['look']}", f"quay.io/nosuch@{digest['look']}",
        f"{repo['multi']}@{digest['multi']}", f"{repo['multi']}@{digest['instance']}", f"{repo['multi']}@{digest['absent']}",
        f"{repo['loose']}@{digest['loose']}", f"loose@{digest['loose']}",
        f"app@{digest['look'][:-1]}", "app@sha512:" + "ab" * 64, "app@sha256:" + "AB" * 32, "app@md5:" + "ab" * 16,
        # IDs: whole, begun, too short to be unique, and digests that are no IDs (L4, L5, §8 steps 2, 3 and 7).
        plain_id, f"sha256:{plain_id}", plain_id[:12], plain_id[:63], plain_id[0], plain_id[:2], f"sha256:{plain_id[:12]}",
        plain_id.upper(), f"sha256:{plain_id.upper()}", "f" * 64, "sha256:" + "f" * 64, "z" * 64, "sha256:aa", "sha256:", "sha256", "sha256:a:b",
        "sha256:5/app", f"sha256:5/app@{digest['look']}", "docker-archive:", "oci:x:!", "docker-daemon:sha256:aa",
        trap.ids["loose"], trap.ids["loose"][7:19], digest["look"], digest["multi"], f"sha256:x@{digest['look']}",
        # Lists, with and without an instance for this host.
        "it-list:t20", "localhost/it-list:t20", "it-hollow:t21", "localhost/it-hollow:t21", "list:t20",
        # Transports, and what looks like one (§8 step 0).
        "oci:x", "oci:x:y", "oci-archive:x", "docker-archive:x", "docker-archive:x:@1", "dir:latest", "dir:/tmp", "sif:x", "tarball:x",
        "docker:latest", "docker:", "docker://", "docker://x", "docker://X", f"docker://{repo['look']}:t1", "docker-daemon:alpine",
        "docker-daemon:a:b", "ostree:x", "atomic:x", "directory:x",
        "containers-storage:", f"containers-storage:{repo['look']}:t1", f"containers-storage:{repo['look']}@{digest['look']}",
        "containers-storage:it-hub:t12", "containers-storage:it-local:t10", "containers-storage:localhost/it-local:t10",
        f"containers-storage:@{plain_id}", f"containers-storage:{plain_id}", f"containers-storage:{plain_id[:12]}",
        f"containers-storage:{plain_id[:2]}", f"containers-storage:{repo['look']}:t1@{plain_id}",
        f"containers-storage:{repo['look']}:wrong@{plain_id}", f"containers-storage:{repo['hit']}@{plain_id}",
        "containers-storage:nosuch", "containers-storage:@" + "f" * 64, "containers-storage:X",
        # What is no name (L16, and the grammar).
        "", "#", "Alpine", "quay.io/X:1", "Foo/bar", "Foo/Bar", "QUAY.io/team/my-app:t11", "a:b:c", "a//b", "a___b", "-a", "a:", "a@",
        "under_score.example.com/a", "[::1]:5000/a", "host:port/a", "x" * 300, "x" * 250, "\u00e4", "a b", "it-local:t10 ", "registry.com/$x",
    ]  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What somebody says of a name: ``found`` and the image ID, or the class of the error."""

    verdict: str
    id: str | None = None


def _ask_podman(host: Host, names: list[str]) -> dict[str, Said]:
    output = host.run(["sh", "-c", _ASK], input="".join(f"{name}\n" for name in names), timeout=180).stdout
    fields = output.split("\0")[:-1]
    assert len(fields) == 3 * len(names)
    answers = {}
    for name, exists, shown, said in zip(names, fields[::3], fields[1::3], fields[2::3], strict=True):
        found = re.fullmatch(r"[a-f0-9]{64}", shown.strip())
        if found:
            answer = Said("found", f"sha256:{found.group()}")
        else:
            verdicts = [verdict for verdict, text in _CLASSES.items() if re.search(text, said)]
            assert len(verdicts) == 1, f"{name!r}: podman said {said!r}"
            answer = Said(verdicts[0])
        assert exists == _EXISTS.get(answer.verdict, "125"), f"{name!r}: podman contradicts itself"
        answers[name] = answer
    return answers


def _facts(host: Host) -> list[ImageFacts]:
    listed = json.loads(host.run(["podman", "images", "--no-trunc", "--format=json"]).stdout)
    lists = host.run(["podman", "images", "--no-trunc", "--quiet", "--filter=manifest=true"]).stdout.split()
    facts = []
    for entry in listed:
        repo_digests = tuple(entry["RepoDigests"] or ())
        facts.append(
            ImageFacts(
                id=f"sha256:{entry['Id']}",
                source="podman",
                digest=entry["Digest"],
                digests=frozenset((entry["Digest"], *(one.rpartition("@")[2] for one in repo_digests))),
                tags=tuple(name for name in entry.get("Names") or () if "@" not in name),
                repo_digests=repo_digests,
                is_manifest_list=f"sha256:{entry['Id']}" in lists,
            )
        )
    return facts


def _look_up(images: LocalImages, host: Host, name: str, podman: Mapping[str, Said]) -> tuple[Said, set[str]]:
    """Our answer, and what was asked of podman for it."""
    asked: set[str] = set()
    answers = Answers()
    for _round in range(3):
        try:
            outcome = images.look_up(name, answers=answers)
        except ImageError as error:
            return Said(error.reason.value), asked
        if isinstance(outcome, Found):
            return Said("found", outcome.image.id), asked
        assert isinstance(outcome, AskEngine)
        if outcome.name is not None:
            asked.add("name")
            answers = Answers({outcome.name: podman[outcome.name].id}, answers.lists)
        else:
            asked.add("list")
            list_id = str(outcome.manifest_list)
            printed = host.run(["podman", "manifest", "inspect", list_id.partition(":")[2]]).stdout
            index = manifests.parse(printed.encode())
            assert isinstance(index, manifests.Index)
            answers = Answers(answers.images, {list_id: index})
    raise AssertionError(f"{name!r} needs more than two rounds")


def test_every_name_means_what_podman_takes_it_for(host: Host, trap: Trap) -> None:
    """podman 4.3.1 and 5.4.2 differ in this table only where a digest stands after a repository that is not the
    image's: 4.3 finds the image (libimage before 4.4 looked at the digest alone), 5.4 does not.
    """
    names = _names(trap)
    assert len(set(names)) == len(names)
    info = json.loads(host.run(["podman", "info", "--format=json"]).stdout)
    facts, images = records.host_facts(info), _facts(host)
    about: dict[str, Any] = {
        "host": facts.platform,
        "search": info["registries"]["search"],
        "podman": facts.podman_version,
    }
    podman = _ask_podman(host, names)

    store = LocalImages(images, **about)
    ours = {name: _look_up(store, host, name, podman) for name in names}

    wrong = {name: (said, podman[name]) for name, (said, _asked) in ours.items() if said != podman[name]}
    assert wrong == {}
    verdicts = {said.verdict for said in podman.values()}
    assert verdicts == {"found", "image_unknown", "bad_reference", "bad_id", "unsupported_transport"}
    # podman was asked where it alone knows, and nowhere else.
    assert {name for name, (_said, asked) in ours.items() if "list" in asked} == {
        "it-list:t20",
        "localhost/it-list:t20",
        "it-hollow:t21",
        "localhost/it-hollow:t21",
    }
    asked = {name for name, (_said, asked) in ours.items() if "name" in asked}
    assert {"it-aliased:t3", "it-aliased:t19"} <= asked
    certain = {"it-local:t10", "my-app:t11", "it-hub:t12", "it-found:t13", "it-both:t16", "it-both:t17"}
    assert not asked & (certain | {name for name in names if "." in name.partition("/")[0] and "/" in name})
    # Apart from real aliases, podman's answer was what the rules alone give.
    unasked = {name: _look_up(_NoAliases(images, **about), host, name, podman)[0] for name in asked}
    assert {name: said for name, said in unasked.items() if said != podman[name]} == {
        "it-aliased:t3": Said("image_unknown"),
        "it-aliased:t19": Said("found", trap.ids["look"]),
    }


class _NoAliases(LocalImages):
    """A store of somebody who knows that there are no aliases."""

    def _alias_matters(self, *_context: object) -> bool:
        return False
