# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth table of pull policies on real hosts, side by side with what «podman create --pull=POLICY» does there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Pushed
from lablib.lab import Lab
from lablib.paths import GATEWAY
from locations import PROXY_PORTS
from pulling import pull, quartet, rows
from pushing import Push, id_of
from sight import look

UNREACHABLE, UNKNOWN = "registry_unreachable", "image_unknown"


@dataclass(frozen=True)
class Situation:
    """One column: the name that is pulled, what the host has under it, and what its registry (if it is up) has."""

    name: str
    local: Pushed | None
    remote: Pushed | None


@pytest.fixture
def situations(push: Push, distro: str) -> dict[str, Situation]:
    """All five at once, each with a repository of its own. Nobody listens at the last port."""
    dead = f"{GATEWAY}:{PROXY_PORTS[distro][-1]}"
    found: dict[str, Situation] = {}
    for word in ("absent", "same"):
        image = push(word)
        found[word] = Situation(image.reference, image if word == "same" else None, image)
    old = push("other")
    found["other"] = Situation(old.reference, old, push("other", version="2"))
    kept = push("kept")
    found["absent-down"] = Situation(
        kept.reference.replace(push.maker.address, dead).replace("kept", "gone"), None, None
    )
    found["present-down"] = Situation(kept.reference.replace(push.maker.address, dead), kept, None)
    return found


def arrange(host: Host, situations: dict[str, Situation]) -> None:
    """Put every local image under its name, and nothing else on the host."""
    script = ["set -e", "podman rm --all --force --time 0 > /dev/null", "podman rmi --all --force > /dev/null"]
    for one in situations.values():
        if one.local is not None:
            script += [
                f"podman pull --quiet {one.local.pinned} > /dev/null",
                f"podman tag {id_of(one.local)[7:]} {one.name}",
                f"podman untag {id_of(one.local)[7:]} {one.local.pinned}",
            ]
    host.run(["sh", "-s"], input="\n".join(script))


def podman_says(host: Host, situations: dict[str, Situation], policy: str) -> dict[str, bool]:
    """Whether «podman create» succeeds for each situation."""
    lines = [f"podman create --pull={policy} {one.name} true > /dev/null 2>&1; echo $?" for one in situations.values()]
    codes = host.run(["sh", "-s"], input="\n".join(lines)).stdout.split()
    return {word: code == "0" for word, code in zip(situations, codes)}


# Policy: what pulls, what fails and why, what is kept although nobody could be asked.
TABLE: dict[str, tuple[set[str], dict[str, str], set[str]]] = {
    "always": ({"absent", "same", "other"}, {"absent-down": UNREACHABLE, "present-down": UNREACHABLE}, set()),
    "missing": ({"absent"}, {"absent-down": UNREACHABLE}, set()),
    "newer": ({"absent", "other"}, {"absent-down": UNREACHABLE}, {"present-down"}),
    "never": (set(), {"absent": UNKNOWN, "absent-down": UNKNOWN}, set()),
}


@pytest.mark.parametrize("policy", TABLE)
def test_the_truth_table(host: Host, ansible: Ansible, situations: dict[str, Situation], policy: str) -> None:
    pulls, fails, kept = TABLE[policy]
    arrange(host, situations)
    podmans_codes = podman_says(host, situations, policy)
    podmans = {one.name: look(host).names.get(one.name) for one in situations.values()}
    arrange(host, situations)
    before = look(host).names

    result = quartet(ansible, host, *(one.name for one in situations.values()), policy=policy)

    found, after = rows(result), look(host)
    assert {one.name: after.names.get(one.name) for one in situations.values()} == podmans
    assert after.names_by_digest == []
    for word, one in situations.items():
        row = found[one.name]
        assert (row["error"] is None) is podmans_codes[word] is (word not in fails), row
        assert row["pulled"] is (word in pulls), row
        assert row["reason"] == fails.get(word, UNREACHABLE if word in kept else None), row
        assert row["before"]["id"] == before.get(one.name)
        assert row["after"]["id"] == after.names.get(one.name)
        assert row["changed"] is (before.get(one.name) != after.names.get(one.name))
        if word in pulls and one.remote:
            assert row["after"] == {"id": id_of(one.remote), "digest": one.remote.digest}
    assert result.word == ("FAILED" if fails else "SUCCESS" if not result.changed else "CHANGED")


def test_a_dead_registry_is_warned_of(host: Host, ansible: Ansible, situations: dict[str, Situation]) -> None:
    arrange(host, situations)
    run = pull(ansible, host, situations["present-down"].name, policy="IfNewer")
    assert not run.succeeded().changed
    assert run.warns(situations["present-down"].name)


def test_platforms_of_an_index(lab: Lab, host: Host, ansible: Ansible, push: Push) -> None:
    """What comes is the index's digest, so the next look is one HEAD; a platform turns missing into newer."""
    both = push("both", platforms=("linux/amd64", "linux/arm64"))
    row = rows(quartet(ansible, host, both.reference))[both.reference]
    assert row["after"] == {"id": both.image_ids["linux/amd64"], "digest": both.digest}
    mark = lab.registry.mark()
    assert not pull(ansible, host, both.reference, policy="newer").succeeded().changed
    asked = [
        one.method for one in lab.registry.requests(mark) if one.remote == host.address and "/manifests/" in one.path
    ]
    assert asked == ["HEAD"]

    row = rows(quartet(ansible, host, both.reference, platform="linux/arm64"))[both.reference]
    assert row["before"]["id"] == both.image_ids["linux/amd64"]
    assert row["after"] == {"id": both.image_ids["linux/arm64"], "digest": both.digest}
    assert (row["platform"], row["platform_mismatch"]) == ("linux/arm64", False)
    failed = pull(ansible, host, both.reference, platform="linux/bogus", policy="newer").failed()
    assert rows(failed)[both.reference]["reason"] == "not_found"


def test_one_platform_only_is_taken_with_a_warning(host: Host, ansible: Ansible, push: Push) -> None:
    only = push("only")
    run = pull(ansible, host, only.reference, platform="linux/arm64")
    row = rows(run.succeeded())[only.reference]
    assert (row["platform"], row["platform_mismatch"], row["changed"]) == ("linux/amd64", True, True)
    assert run.warns("is for linux/amd64, which is not the platform that is wanted")
    again = rows(quartet(ansible, host, only.reference, platform="linux/arm64"))[only.reference]
    assert (again["pulled"], again["platform_mismatch"]) == (False, True), "nothing is transferred again"
    quartet(ansible, host, only.reference)


def test_names_and_ids(host: Host, ansible: Ansible, push: Push) -> None:
    """docker://, a digest (its tag counts for nothing), an ID and its beginning, a name twice, one that is none."""
    one = push("one")
    tagged = f"{one.reference}@{one.digest}"
    result = quartet(ansible, host, f"docker://{one.reference}", one.reference, one.reference, tagged)
    assert len(result.data["images"]) == 3
    assert {row["after"]["id"] for row in result.data["images"]} == {id_of(one)}
    assert set(look(host).names) == {one.reference, one.pinned}
    for name in (id_of(one), id_of(one)[7:], id_of(one)[7:17]):
        for policy in ("missing", "newer", "never"):
            found = rows(pull(ansible, host, name, policy=policy).succeeded())[name]
            assert found["after"]["id"] == id_of(one)
        assert rows(pull(ansible, host, name, policy="always").failed())[name]["reason"] == "by_id"
    failed = pull(ansible, host, "UPPER/case", "docker-daemon:alpine", "", one.reference).failed()
    assert failed.data["reason"] == "bad_reference"
    assert "'UPPER/case' is not an image reference" in failed.data["msg"]
    wrong = rows(failed)
    assert wrong.pop(one.reference)["error"] is None, "an empty name fails alone"
    assert {row["reason"] for row in wrong.values()} == {"bad_reference"}
    assert "name is empty" in pull(ansible, host).failed().data["msg"]
    run = pull(ansible, host, one.reference, policy="sometimes")
    assert "unsupported pull policy" in run.failed().data["msg"]


def test_a_diff_shows_both_images(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("diff")
    pull(ansible, host, old.reference).succeeded()
    new = push("diff", version="2")
    for check in (True, False):
        shown = pull(ansible, host, old.reference, policy="newer", check=check, options=("--diff",)).stdout
        lines = [line.strip() for line in shown.splitlines()]
        for sign, image in (("-", old), ("+", new)):
            assert f"{sign}  id: {id_of(image)}" in lines
            assert f"{sign}  digest: {image.digest}" in lines


def test_it_works_under_async_and_shows_podmans_log(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("async")
    run = pull(ansible, host, image.reference, options=("-B", "60", "-P", "1", "-vvv"))
    row = rows(run.succeeded())[image.reference]
    assert row["after"]["id"] == id_of(image)
    assert any("Writing manifest" in line for line in row["log"]), row["log"]
    assert "log" not in rows(pull(ansible, host, image.reference).succeeded())[image.reference]
