# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside podman auto-update: passwords, certificates, and the names that containers were made from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Ansible
from lablib.host import Host
from lablib.images import Kind, Pushed
from lablib.paths import GATEWAY
from lablib.proxy import FaultProxy
from lablib.units import ContainerSpec, deploy, deploy_many
from locations import PROXY_PORTS, SCRATCH
from peer import LABEL, podman
from pushing import Push, id_of
from secure import AUTHFILE, Vault
from sight import look

EVERY = ("it-secret", "it-labelled", "it-astray")
ROOTFS = f"{SCRATCH}/rootfs"
#: A store of images that others fill, and that podman only reads.
STORE = "/var/lib/podfleet-it-store"
_STORAGE_CONF = "/etc/containers/storage.conf"
_STORAGE = f"""[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
[storage.options]
additionalimagestores = ["{STORE}"]
"""


@pytest.fixture
def elsewhere(vault: Vault, distro: str) -> Iterator[FaultProxy]:
    """The secure registry under another port, where no host has its CA."""
    with FaultProxy((GATEWAY, vault.registry.port), (GATEWAY, PROXY_PORTS[distro].start)) as running:
        yield running


@pytest.fixture
def image(host: Host, vault: Vault, elsewhere: FaultProxy) -> Pushed:
    """What three containers run: without a file of their own, with one, and with one that is not there."""
    pushed = vault.push("private")
    vault.put_authfile(host, elsewhere.address)
    reference = pushed.reference.replace(vault.registry.address, elsewhere.address)
    host.run(["podman", "pull", "--quiet", "--tls-verify=false", f"--authfile={AUTHFILE}", reference])
    files = (None, AUTHFILE, f"{SCRATCH}/astray.json")
    specs = [
        ContainerSpec(name, reference, extra_args=[f"--label={LABEL}.authfile={file}"] if file else [])
        for name, file in zip(EVERY, files)
    ]
    deploy_many(host, "it-private", specs, pull_first=False)
    return pushed


def test_a_certificate_of_nobody_beside_podman(host: Host, ansible: Ansible, image: Pushed, distro: str) -> None:
    """Where podman fails, the row is unknown here: nothing is known, and nothing was done."""
    before = look(host)
    assert {before.runs(name) for name in EVERY} == {id_of(image)}
    if distro == "bookworm":
        assert "unknown flag: --tls-verify" in podman(host, "--tls-verify=true").said(125).stderr
    else:
        told = podman(host, "--dry-run", "--tls-verify=true")
        assert "x509: " in told.said(125, secret="failed", labelled="failed", astray="failed").stderr
    result = ansible.update(host.name, validate_certs=True).succeeded()
    assert result.verdicts() == dict.fromkeys(EVERY, ("unknown", "tls"))
    assert look(host) == before


def test_passwords_beside_podman(host: Host, ansible: Ansible, image: Pushed, distro: str) -> None:
    """A container's own file counts before the command's; one that is not there is no file. podman 4.3 hides all errors."""
    before, old = look(host), distro == "bookworm"
    assert {before.runs(name) for name in EVERY} == {id_of(image)}
    rc, bad = (0, "false") if old else (125, "failed")
    dry = ["--dry-run", *([] if old else ["--tls-verify=false"])]
    told = podman(host, *dry).said(rc, secret=bad, labelled="false", astray=bad)
    assert ("authentication required" in told.stderr) == (not old)
    result = ansible.update(host.name, validate_certs=False).succeeded()
    assert result.verdicts() == {
        "it-secret": ("unknown", "auth_required"),
        "it-labelled": ("current", None),
        "it-astray": ("unknown", "auth_required"),
    }

    for options, env in (([f"--authfile={AUTHFILE}"], None), ([], {"REGISTRY_AUTH_FILE": AUTHFILE})):
        podman(host, *dry, *options, env=env).said(rc, secret="false", labelled="false", astray=bad)
    result = ansible.update(host.name, validate_certs=False, authfile=AUTHFILE).succeeded()
    assert result.verdicts() == {
        "it-secret": ("current", None),
        "it-labelled": ("current", None),
        "it-astray": ("unknown", "auth_required"),
    }
    podman(host, *dry, "--authfile=/dev/null").said(rc, secret=bad, labelled="false", astray=bad)
    assert look(host) == before


def test_names_beside_podman(host: Host, ansible: Ansible, push: Push, distro: str) -> None:
    """podman 5 fails for ever on a transport and on a tag beside a digest; 4.3 says for ever that nothing is new."""
    old = {name: push(name) for name in ("transport", "both", "pinned")}
    names = {
        "transport": f"docker://{old['transport'].reference}",
        "both": f"{old['both'].reference}@{old['both'].digest}",
        "pinned": old["pinned"].pinned,
    }
    for name, reference in names.items():
        host.run(["podman", "pull", "--quiet", old[name].reference])
        deploy(host, f"it-{name}", image=reference, pull_first=False)
    new = {name: push(name, version="2") for name in old}

    for dry in (["--dry-run"], []):
        if distro == "bookworm":
            assert podman(host, *dry).said(0, transport="false", both="false", pinned="false").stderr == ""
            continue
        told = podman(host, *dry).said(125, transport="failed", both="failed", pinned="false")
        assert "invalid reference format" in told.stderr
        assert "both a tag and digest" in told.stderr

    result = ansible.update(host.name).succeeded()
    assert result.verdicts() == {
        "it-transport": ("updated", None),
        "it-both": ("pinned", None),
        "it-pinned": ("pinned", None),
    }
    assert look(host).runs("it-transport") == id_of(new["transport"])


def test_a_container_without_an_image_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """One that runs on a folder has no name to follow, and does not keep others from being updated."""
    image = push("rooted")
    script = f"""mkdir -p {ROOTFS}; podman pull --quiet {image.reference}; id=$(podman create {image.reference})
        podman export "$id" | tar -x -C {ROOTFS}; podman rm "$id" """
    host.run(["sh", "-ec", script])
    deploy(host, "it-rooted", image=ROOTFS, pull_first=False, extra_args=["--entrypoint=/entry", "--rootfs"])
    other = push("other")
    deploy(host, "it-other", image=other.reference)
    new = push("other", version="2")

    told = podman(host).said(125, other="true")
    assert "no image found for ID" in told.stderr
    assert look(host).runs("it-other") == id_of(new)

    new = push("other", version="3")
    result = ansible.update(host.name).failed()
    assert result.verdicts() == {"it-other": ("updated", None), "it-rooted": ("failed", "raw_name_unknown")}
    assert look(host).runs("it-other") == id_of(new)


@pytest.fixture
def another_store(host: Host) -> Iterator[None]:
    host.run(["test", "!", "-e", _STORAGE_CONF])
    host.write(_STORAGE_CONF, _STORAGE)
    host.run(["mkdir", "-p", STORE])
    yield
    end = f"systemctl stop it-foreign; podman rm --all --force --time=0; rm -rf {_STORAGE_CONF} {STORE} /run/podfleet-it-store"
    host.run(["sh", "-c", end])


@pytest.mark.usefixtures("another_store")
def test_an_image_of_a_store_that_is_only_read_beside_podman(host: Host, ansible: Ansible, push: Push) -> None:
    """podman has an error for it in every run; here the new image comes into the host's own store."""
    old = push("foreign")
    own = ["podman", f"--root={STORE}", "--runroot=/run/podfleet-it-store"]
    host.run([*own, "pull", "--quiet", old.reference])
    deploy(host, "it-foreign", image=old.reference, pull_first=False)
    assert look(host).runs("it-foreign") == id_of(old)
    push("foreign", version="2", kind=Kind.NO_START)

    assert "no image found for ID" in podman(host).said(125).stderr
    assert ansible.update(host.name).failed().verdicts() == {"it-foreign": ("rolled_back", "job_failed")}
    assert look(host).runs("it-foreign") == id_of(old)

    new = push("foreign", version="3")
    assert ansible.update(host.name).succeeded().verdicts() == {"it-foreign": ("updated", None)}
    assert look(host).runs("it-foreign") == id_of(new)
