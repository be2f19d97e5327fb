# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that the task does not bring: a container's label, default files, and the programs that keep secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from access import Asked
from harness import Ansible, same_prediction
from lablib.host import Host
from lablib.images import Pushed
from lablib.units import ContainerSpec, deploy, deploy_many
from locations import SCRATCH
from pushing import id_of
from secure import Vault
from sight import look

LABEL = "io.containers.autoupdate.authfile"
FILES = "/etc/podfleet-it"
DOCKER = "/root/.docker/config.json"
HELPER = "/usr/local/bin/docker-credential-podfleet-it"
CALLS = f"{SCRATCH}/helper-calls"


@pytest.fixture(autouse=True)
def _traces(host: Host) -> Iterator[None]:
    host.run(["sh", "-c", f"mkdir -m 755 -p {FILES} {SCRATCH} /root/.docker"])
    yield
    host.run(["rm", "-rf", FILES, HELPER, DOCKER])


def authfile(host: Host, vault: Vault, name: str, pair: str | None = None, mode: int = 0o600) -> str:
    """Put an authfile for the secure registry where only root can write."""
    path = f"{FILES}/{name}"
    auths = {vault.registry.address: {"auth": pair or vault.pair}}
    host.write(path, json.dumps({"auths": auths}), mode=mode)
    return path


def run_it(host: Host, vault: Vault, name: str, image: Pushed, extra: Sequence[str] = ()) -> None:
    """A unit on an image that its host can have once, and no more without credentials."""
    path = authfile(host, vault, "first.json")
    host.run(["podman", "pull", "--quiet", f"--authfile={path}", image.reference])
    host.run(["rm", path])
    deploy(host, name, image=image.reference, pull_first=False, extra_args=extra)


def quartet(host: Host, ansible: Ansible, name: str, old: Pushed, new: Pushed, **access: Any) -> None:
    """Check, run, check, run: predicted, done, and nothing left to do."""
    before = look(host)
    check = ansible.update(host.name, check=True, **access).succeeded()
    assert check.verdicts() == {name: ("pending", "check_mode")}
    assert look(host) == before
    assert before.runs(name) == id_of(old)
    run = ansible.update(host.name, **access).succeeded()
    assert run.verdicts() == {name: ("updated", None)}
    assert same_prediction(check, run)
    after = look(host)
    assert after.runs(name) == id_of(new)
    for again in (True, False):
        result = ansible.update(host.name, check=again, **access).succeeded()
        assert (result.verdicts(), result.changed) == ({name: ("current", None)}, False)
    assert look(host) == after


def test_a_containers_label_opens_its_registry(host: Host, ansible: Ansible, vault: Vault) -> None:
    """Before the task's authfile, as with podman, which holds a wrong password here."""
    old = vault.push("labelled")
    wrong = authfile(host, vault, "wrong.json", base64.b64encode(b"lab:it-is-wrong").decode())
    run_it(host, vault, "it-labelled", old, [f"--label={LABEL}={authfile(host, vault, 'label.json')}"])
    new = vault.push("labelled", version="2")
    authfile(host, vault, "label.json")

    quartet(host, ansible, "it-labelled", old, new, authfile=wrong)


def test_a_label_counts_only_if_nobody_else_could_have_made_it(host: Host, ansible: Ansible, vault: Vault) -> None:
    """From the image, of a file that others can write, below a folder that others can write, of nothing."""
    good = authfile(host, vault, "good.json")
    shared = authfile(host, vault, "shared.json", mode=0o666)
    host.run(["sh", "-c", f"mkdir -m 777 {FILES}/open && cp -p {good} {FILES}/open/a.json"])
    images = {
        "it-from-image": vault.push("from-image", labels={LABEL: good}),
        "it-shared": vault.push("shared"),
        "it-open": vault.push("open"),
        "it-nothing": vault.push("nothing"),
    }
    labels = {"it-shared": shared, "it-open": f"{FILES}/open/a.json", "it-nothing": f"{FILES}/missing.json"}
    for image in images.values():
        host.run(["podman", "pull", "--quiet", f"--authfile={good}", image.reference])
    specs = [
        ContainerSpec(name, image.reference, extra_args=[f"--label={LABEL}={labels[name]}"] if name in labels else [])
        for name, image in images.items()
    ]
    deploy_many(host, "it-labels", specs, pull_first=False)
    for name in ("from-image", "shared", "open", "nothing"):
        vault.push(name, version="2")
    before, mark = look(host), vault.registry.mark()

    run = ansible.update(host.name, authfile=good)

    assert run.succeeded().verdicts() == {
        "it-from-image": ("unknown", "authfile_untrusted"),
        "it-shared": ("unknown", "authfile_untrusted"),
        "it-open": ("unknown", "authfile_untrusted"),
        "it-nothing": ("unknown", "auth_required"),
    }
    assert "comes from its image" in run.result.row("it-from-image")["error"]
    assert "others than its owner can write" in run.result.row("it-open")["error"]
    assert run.warns(f"{FILES}/missing.json is not there, so the registry is asked anonymously")
    asked = Asked.by(host, vault.registry, mark)
    assert {one.status for one in asked.requests} == {401}
    assert {path.split("/manifests/")[0] for path in asked.heads} == {f"/v2/{vault.push.repository('nothing')}"}
    assert look(host) == before


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_programs_that_keep_secrets_are_asked(host: Host, ansible: Ansible, vault: Vault, key: str) -> None:
    """podman itself runs the first kind and ignores the second; both open the registry for check and pull."""
    old = vault.push("helped")
    run_it(host, vault, "it-helped", old)
    new = vault.push("helped", version="2")
    answer = json.dumps({"ServerURL": "", "Username": vault.registry.username, "Secret": vault.registry.password})
    script = f"#!/bin/sh\nread -r server\necho \"$1 $server\" >> {CALLS}\ncat <<'END'\n{answer}\nEND\n"
    host.write(HELPER, script, mode=0o755)
    named = {vault.registry.address: "podfleet-it"} if key == "credHelpers" else "podfleet-it"
    host.write(DOCKER, json.dumps({key: named}), mode=0o600)

    quartet(host, ansible, "it-helped", old, new)

    calls = host.read(CALLS).splitlines()
    assert set(calls) == {f"get {vault.registry.address}"}
    # Once for each of four runs; podman asks the first kind again for its pull.
    assert len(calls) == (4 if key == "credsStore" else 5)
    assert host.run(["sh", "-c", "find /run/podfleet-autoupdate -type f ! -name store.lock || true"]).stdout == ""


def test_a_program_that_fails_is_said_and_nothing_is_asked(host: Host, ansible: Ansible, vault: Vault) -> None:
    run_it(host, vault, "it-helped", vault.push("helped"))
    host.write(HELPER, f"#!/bin/sh\necho '{vault.registry.password}'\nexit 1\n", mode=0o755)
    host.write(DOCKER, json.dumps({"credHelpers": {vault.registry.address: "podfleet-it"}}), mode=0o600)
    mark = vault.registry.mark()

    run = ansible.update(host.name, options=["-vvv"])

    assert run.succeeded().verdicts() == {"it-helped": ("unknown", "credential_helper")}
    assert Asked.by(host, vault.registry, mark).requests == ()
    assert vault.registry.password not in run.stdout + run.stderr
