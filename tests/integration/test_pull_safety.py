# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing else than what was decided: tags that move, signatures, podman killed in the middle, disks that are full."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import fill, small_storage
from harness import Ansible, Run
from lablib.host import Host
from lablib.images import Pushed
from lablib.lab import Lab
from locations import PROXY_PORTS
from pulling import front, pull, quartet, rows
from pushing import Push, id_of
from sight import look
from signing import sign, signed_only

STATE = "/var/lib/podfleet-autoupdate/state.json"


def at(image: Pushed, push: Push, address: str) -> str:
    """The reference through another address."""
    return image.reference.replace(push.maker.address, address)


def test_a_tag_that_moves_between_decision_and_transfer_brings_nothing_else(
    lab: Lab, host: Host, ansible: Ansible, push: Push, distro: str
) -> None:
    """The second request for the tag would already get another image."""
    good, asked = push("moving"), []

    def answered(_method: str, path: str) -> None:
        if path.endswith("/manifests/latest"):
            asked.append(path)
            push("moving", version="evil")

    with front(PROXY_PORTS[distro][1], lab.registry.port, answered=answered) as address:
        name = at(good, push, address)
        row = rows(pull(ansible, host, name).succeeded())[name]
        assert row["after"] == {"id": id_of(good), "digest": good.digest}
        assert look(host).names == {name: id_of(good)}
        assert push.maker.digest(push.repository("moving")) != good.digest
        assert len(asked) == 1, "podman asked for the tag"


@pytest.fixture
def signing(host: Host, distro: str, push: Push) -> Iterator[str]:
    """Only signed images are taken, with a signature that names the tag. The command that signs."""
    with signed_only(host, distro, push) as command:
        yield command


def test_only_signed_images_come_and_the_old_one_stays(host: Host, ansible: Ansible, push: Push, signing: str) -> None:
    signed = push("signed")
    sign(host, signing, signed)
    assert push.maker.digest(push.repository("signed")) == signed.digest
    row = rows(quartet(ansible, host, signed.reference))[signed.reference]
    assert row["after"] == {"id": id_of(signed), "digest": signed.digest}

    push("signed", version="2")
    before = look(host)
    result = pull(ansible, host, signed.reference, policy="always").failed()

    row = rows(result)[signed.reference]
    assert row["reason"] == "signature_rejected"
    assert "signature" in row["error"]
    assert row["before"] == row["after"] == {"id": id_of(signed), "digest": signed.digest}
    assert look(host) == before
    newer = pull(ansible, host, signed.reference, policy="newer")
    assert rows(newer.succeeded())[signed.reference]["reason"] == "signature_rejected"
    assert newer.warns("signature")
    assert look(host) == before


def test_another_signed_image_than_the_decided_one_is_refused(
    lab: Lab, host: Host, ansible: Ansible, push: Push, signing: str, distro: str
) -> None:
    """A signature for the tag is no permission to swap what it names; the old image gets its tag back."""
    port = PROXY_PORTS[distro][2]
    old = push("swapped")
    other = push("swapped", tag="other", version="evil")
    new = push("swapped", version="2")

    def answered(method: str, path: str) -> None:
        if method == "HEAD" and path.endswith("/manifests/latest"):
            push.maker.tag(push.repository("swapped"), other.digest, "latest")

    for image in (old, other, new):
        push.maker.tag(push.repository("swapped"), image.digest, "latest")
        sign(host, signing, old)
    push.maker.tag(push.repository("swapped"), old.digest, "latest")
    with front(port, lab.registry.port) as address:
        name = at(old, push, address)
        pull(ansible, host, name).succeeded()
    before = look(host).names
    assert before == {name: id_of(old)}
    push.maker.tag(push.repository("swapped"), new.digest, "latest")
    with front(port, lab.registry.port, answered=answered):
        row = rows(pull(ansible, host, name, policy="newer").failed())[name]
        assert row["reason"] == "tag_moved"
        assert look(host).names == before
        push.maker.tag(push.repository("swapped"), new.digest, "latest")
    with front(port, lab.registry.port):
        assert rows(pull(ansible, host, name, policy="newer").succeeded())[name]["after"]["id"] == id_of(new)


def test_podman_killed_in_the_middle_leaves_nothing_and_the_next_run_repairs(
    lab: Lab, host: Host, ansible: Ansible, push: Push, distro: str
) -> None:
    old = push("killed")
    stalled, go_on = threading.Event(), threading.Event()

    def seen(_method: str, path: str) -> None:
        if "/blobs/" in path and not go_on.is_set():
            stalled.set()
            go_on.wait(60)

    with front(PROXY_PORTS[distro][3], lab.registry.port, seen=seen) as address:
        name = at(old, push, address)
        go_on.set()
        pull(ansible, host, name).succeeded()
        go_on.clear()
        stalled.clear()
        new = push("killed", version="2")
        before = look(host)
        runs: list[Run] = []
        thread = threading.Thread(target=lambda: runs.append(pull(ansible, host, name, policy="newer", retries=0)))
        thread.start()
        assert stalled.wait(60)
        time.sleep(0.5)
        host.run(["sh", "-c", f"kill -9 $(pgrep -f '^[^ ]*podman pull .*{push.repository('killed')}')"])
        thread.join(120)
        go_on.set()
        # The local image will do for newer; a warning says what went wrong.
        row = rows(runs[0].succeeded())[name]
        assert (row["reason"], row["changed"]) == ("pull_failed", False)
        assert runs[0].warns("podman pull")
        assert look(host) == before
        row = rows(quartet(ansible, host, name, policy="newer"))[name]
        assert row["after"]["id"] == id_of(new)
    host.run(["podman", "create", "--pull=never", name])


@pytest.fixture
def small_store(host: Host, tmp_path: Path) -> Iterator[str]:
    with small_storage(host, tmp_path) as folder:
        yield folder


def test_what_does_not_fit_is_refused_and_a_full_disk_is_survived(
    lab: Lab, host: Host, ansible: Ansible, push: Push, small_store: str
) -> None:
    image = push("large")
    pull(ansible, host, image.reference, check=True, headroom="0").succeeded()
    fill(host, small_store, 700_000)
    mark = lab.registry.mark()
    for check in (True, False):
        row = rows(pull(ansible, host, image.reference, headroom="0", check=check).failed())[image.reference]
        assert (row["reason"], row["pulled"], row["changed"]) == ("no_space", False, False)
    asked = [one for one in lab.registry.requests(mark) if one.remote == host.address]
    assert not any("/blobs/" in one.path for one in asked)

    # The compressed layers fit, and unpacked they do not: podman finds out, and leaves nothing.
    host.run(["rm", f"{small_store}/filler"])
    fill(host, small_store, 1_500_000)
    row = rows(pull(ansible, host, image.reference, headroom="0").failed())[image.reference]
    assert (row["reason"], row["changed"]) == ("no_space", False)
    assert look(host).images == frozenset()
    host.run(["rm", f"{small_store}/filler"])
    assert rows(quartet(ansible, host, image.reference, headroom="0"))[image.reference]["after"]["id"] == id_of(image)


@pytest.mark.usefixtures("small_store")
def test_headroom_is_kept_free(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("headroom")
    assert rows(pull(ansible, host, image.reference).failed())[image.reference]["reason"] == "no_space"
    assert pull(ansible, host, image.reference, headroom="10%").succeeded().changed


def test_a_damaged_image_is_pulled_again(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("damaged")
    pull(ansible, host, image.reference).succeeded()
    host.run(
        [
            "sh",
            "-c",
            "rm /var/lib/containers/storage/overlay-layers/*.json; rm -rf /var/lib/containers/storage/overlay/l",
        ]
    )
    assert (
        rows(pull(ansible, host, image.reference, policy="never").failed())[image.reference]["reason"]
        == "image_unknown"
    )
    row = rows(pull(ansible, host, image.reference).succeeded())[image.reference]
    assert (row["reason"], row["changed"], row["before"]["id"]) == ("corrupted", True, None)
    assert row["after"]["id"] == id_of(image)
    assert not pull(ansible, host, image.reference).succeeded().changed
    assert host.run(["podman", "image", "exists", image.reference], check=False).returncode == 0


def test_holds_of_this_host(host: Host, ansible: Ansible, push: Push) -> None:
    old = push("held")
    pull(ansible, host, old.reference).succeeded()
    new = push("held", version="2")
    hold = {
        "by": "image",
        "reference": new.reference,
        "platform": "linux/amd64",
        "id": id_of(new),
        "digests": [new.digest],
        "unit": "",
        "reason": "",
        "since": None,
    }
    person = {"by": "user", "reference": new.reference, "unit": "", "reason": "", "until": None}
    for holds in ([hold], [person]):
        state = {"schema": 1, "holds": holds, "slots": [], "intents": [], "plan": None, "interruptions": []}
        host.write(STATE, json.dumps(state), mode=0o600)
        for check in (True, False):
            row = rows(pull(ansible, host, old.reference, policy="newer", check=check).failed())[old.reference]
            assert (row["reason"], row["after"]["id"]) == ("held", id_of(old))
    assert pull(ansible, host, old.reference, policy="newer", lift_holds=True).succeeded().changed
    assert json.loads(host.read(STATE))["holds"] == []
    assert look(host).names == {old.reference: id_of(new)}

    host.write(STATE, json.dumps({"schema": 2}))
    push("held", version="3")
    failed = rows(pull(ansible, host, old.reference, policy="newer").failed())[old.reference]
    assert failed["reason"] == "state_invalid"
    assert "newer release" in failed["error"]
    assert json.loads(host.read(STATE)) == {"schema": 2}
