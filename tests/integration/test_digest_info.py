# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_digest_info on real hosts, against the real registries."""

from __future__ import annotations

from typing import Any

import pytest
from access import Asked
from harness import Ansible
from lablib.host import Host
from lablib.lab import Lab
from lablib.proxy import Fault, FaultProxy
from locations import LANE
from pushing import PLATFORM, Push, id_of
from secure import AUTHFILE, Vault

PLATFORMS = (PLATFORM, "linux/arm64")


def pull(host: Host, *references: str) -> None:
    host.run(["podman", "pull", "--quiet", *references])


def images(host: Host) -> str:
    return host.run(["podman", "images", "--all", "--no-trunc", "--format={{.ID}} {{.Repository}}:{{.Tag}}"]).stdout


def test_every_status_and_nothing_changes(host: Host, ansible: Ansible, push: Push) -> None:
    """Asked once in check mode and once without: the same answers, and the same images afterwards."""
    same, old, gone = push("di-same"), push("di-old"), push("di-gone")
    pull(host, same.reference, old.reference)
    new = push("di-old", version="2")
    missing = f"{gone.reference}-nowhere"
    names = [same.reference, old.reference, gone.reference, missing, same.pinned, id_of(same), "no-such-short-name"]
    before = images(host)

    results = [ansible.compare(host.name, *names, options=options).succeeded() for options in ([], ["--check"])]

    assert images(host) == before
    assert results[0].data["images"] == results[1].data["images"]
    assert not results[0].changed
    assert results[0].compared() == {
        same.reference: ("current", None),
        old.reference: ("pending", None),
        gone.reference: ("missing", None),
        missing: ("unknown", "not_found"),
        same.pinned: ("pinned", None),
        id_of(same): ("pinned", None),
        "no-such-short-name": ("unknown", "short_name"),
    }
    current, pending, absent = results[0].data["images"][:3]
    assert current["local"] == {"id": id_of(same), "digests": [same.digest]}
    assert current["remote"]["digest"] == same.digest
    assert pending["local"]["id"] == id_of(old)
    assert (pending["remote"]["digest"], pending["remote"]["id"]) == (new.digest, id_of(new))
    assert pending["remote"]["size"] > 0
    assert absent["local"] is None
    assert absent["remote"]["id"] == id_of(gone)
    assert results[0].data["msg"].startswith("7 images: 1 current, 1 pending, 1 missing, 2 pinned, 2 unknown")


def test_a_pull_makes_it_current_and_a_short_name_follows(host: Host, ansible: Ansible, push: Push) -> None:
    """What it calls pending is what podman pull brings."""
    old = push("di-moves")
    pull(host, old.reference)
    push("di-moves", version="2")
    short = push.repository("di-moves")
    first = ansible.compare(host.name, old.reference, short, f"docker://{old.reference}").succeeded()
    assert set(first.compared().values()) == {("pending", None)}
    predicted = first.data["images"][0]["remote"]["id"]

    pull(host, old.reference)

    second = ansible.compare(host.name, old.reference, short).succeeded()
    assert set(second.compared().values()) == {("current", None)}
    assert second.data["images"][0]["local"]["id"] == predicted


def test_equal_content_is_current_whatever_the_digest_says(host: Host, ansible: Ansible, push: Push) -> None:
    """Compressed anew, or pulled under another name: the ID or any recorded digest is enough."""
    packed, copied = push("di-packed"), push("di-copied")
    pull(host, packed.reference, copied.reference)
    push("di-packed", recompress=True)
    # Another repository with the same content, from which this host has never pulled.
    content = f"{push.distro}-{LANE}-di-copied-1"
    other = push.maker.push(push.repository("di-other"), version=content)
    assert other.digest == copied.digest
    host.run(["podman", "tag", copied.reference, other.reference])

    result = ansible.compare(host.name, packed.reference, copied.reference, other.reference).succeeded()

    assert result.compared() == {
        packed.reference: ("current", "same_content"),
        copied.reference: ("current", None),
        other.reference: ("current", None),
    }


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "secure"])
def test_nothing_new_costs_one_head_for_each_image(
    lab: Lab, host: Host, ansible: Ansible, push: Push, vault: Vault, secure: bool
) -> None:
    pushing, registry = (vault.push, vault.registry) if secure else (push, lab.registry)
    access: dict[str, Any] = {"credentials": vault.credentials(vault.registry.password)} if secure else {}
    names = ["di-a", "di-b", "di-c", "di-d"]
    pushed = [pushing(name, platforms=PLATFORMS) if name in "di-c di-d" else pushing(name) for name in names]
    vault.put_authfile(host)
    host.run(["podman", "pull", "--quiet", f"--authfile={AUTHFILE}", *(one.reference for one in pushed)])
    twice = [one.reference for one in (*pushed, *pushed)]
    mark = registry.mark()

    result = ansible.compare(host.name, *twice, **access).succeeded()

    asked = Asked.by(host, registry, mark)
    assert set(result.compared().values()) == {("current", None)}
    heads = [path for path, status in _heads(asked) if status == 200]
    assert sorted(heads) == sorted(f"/v2/{pushing.repository(name)}/manifests/latest" for name in names)
    assert asked.gets == []
    assert len(asked.requests) <= len(names) + 2
    (told,) = result.data["registries"]
    assert (told["registry"], told["manifest_gets"]) == (registry.address, 0)
    assert len(names) <= told["requests"] <= len(names) + 2

    pushing("di-c", version="2", platforms=PLATFORMS)
    mark = registry.mark()
    result = ansible.compare(host.name, *twice, **access).succeeded()

    asked = Asked.by(host, registry, mark)
    assert result.compared()[pushed[2].reference] == ("pending", None)
    assert len(asked.gets) == 2
    assert {path.split("/manifests/")[0] for path in asked.gets} == {f"/v2/{pushing.repository('di-c')}"}
    assert len(asked.requests) <= len(names) + 2 + 2


def _heads(asked: Asked) -> list[tuple[str, int]]:
    return [(one.path, one.status) for one in asked.requests if one.method == "HEAD"]


def test_another_platform_is_another_question(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("di-multi", platforms=PLATFORMS)
    pull(host, image.reference)

    own = ansible.compare(host.name, image.reference).succeeded()
    other = ansible.compare(host.name, image.reference, platform="linux/arm64").succeeded()

    assert own.compared() == {image.reference: ("current", None)}
    assert other.compared() == {image.reference: ("missing", None)}
    (entry,) = other.data["images"]
    assert entry["remote"]["platform_digest"] == image.manifest_digests["linux/arm64"]
    assert entry["remote"]["id"] == image.image_ids["linux/arm64"]


def test_trouble_with_a_registry_is_never_current(
    lab: Lab, host: Host, ansible: Ansible, push: Push, proxy: FaultProxy
) -> None:
    good, bad = push("di-good"), push("di-bad")
    through = bad.reference.replace(lab.registry.address, proxy.address)
    pull(host, good.reference, through)
    proxy.fault = Fault.RESET

    run = ansible.compare(host.name, through, good.reference)
    assert run.succeeded().compared() == {
        through: ("unknown", "registry_unreachable"),
        good.reference: ("current", None),
    }
    assert run.warns("unknown: registry_unreachable")
    assert {one["registry"]: one["reason"] for one in run.result.data["registries"]} == {
        proxy.address: "registry_unreachable",
        lab.registry.address: None,
    }

    failed = ansible.compare(host.name, through, good.reference, fail_on=["unknown"]).failed()
    assert failed.compared()[good.reference] == ("current", None)
    proxy.fault = Fault.NONE
    healed = ansible.compare(host.name, through, good.reference, fail_on=["unknown"]).succeeded()
    assert set(healed.compared().values()) == {("current", None)}


def test_a_name_that_means_nothing_fails_and_loses_nothing(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("di-kept")
    pull(host, image.reference)
    result = ansible.compare(host.name, "quay.io/Upper/case", "sha256:abc", "oci:/srv/app", image.reference).failed()
    assert result.compared() == {
        "quay.io/Upper/case": ("unknown", "bad_reference"),
        "sha256:abc": ("unknown", "bad_id"),
        "oci:/srv/app": ("unknown", "unsupported_transport"),
        image.reference: ("current", None),
    }
    assert "repository name must be lowercase" in result.data["msg"]


def test_the_lookup_tells_what_the_host_will_find(host: Host, ansible: Ansible, push: Push, vault: Vault) -> None:
    plain, locked = push("di-lookup", platforms=PLATFORMS), vault.push("di-locked")
    wanted = {
        f"{plain.reference}": ("validate_certs=False", plain.digest),
        f"docker://{plain.reference}": (
            "validate_certs=False, platform='linux/arm64'",
            plain.manifest_digests["linux/arm64"],
        ),
        locked.reference: (
            f"ca_path='{vault.registry.ca_path}', username='{vault.registry.username}', password='{vault.registry.password}'",
            locked.digest,
        ),
    }
    for name, (options, digest) in wanted.items():
        lookup = f"{{{{ lookup('podfleet.autoupdate.image_digest', '{name}', {options}) }}}}"
        told = ansible.run(host.name, "ansible.builtin.debug", {"msg": lookup})
        assert told.succeeded().data["msg"] == digest

    refused = ansible.run(
        host.name,
        "ansible.builtin.debug",
        {
            "msg": f"{{{{ lookup('podfleet.autoupdate.image_digest', '{locked.reference}', ca_path='{vault.registry.ca_path}') }}}}"
        },
    )
    assert refused.rc != 0
    assert "auth_required" in refused.stdout + refused.stderr
